"""Files of the spool become objects of the lake, in order and each once.

An object is only ever created, under the number that its file is given first. Where there is one
already, it is this very file, landed by a run that was killed before it could delete it, or else
another's, and the next free number is taken.
"""

from __future__ import annotations

import gzip
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from lake.attempts import attempts
from lake.errors import ConflictError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lake.store import ObjectStore

_log = structlog.get_logger(__name__)
NEW: Final = "new-"
_LEVEL: Final = 1
_RETRY_S: Final = 5.0
_LAST_ATTEMPTS: Final = 3


@dataclass(slots=True, eq=False)
class Piece:
    """A file of the spool, and its topic.

    Attributes:
        path: Its name is its number; that of one that has none yet begins with `NEW`.
        topic: Of which it is.
    """

    path: Path
    topic: str


class Lander:
    """Lands files, in a thread of its own once it is started.

    Args:
        store: The lake.
        key_of: Returns the key of a topic's object of a number.
    """

    def __init__(self, store: ObjectStore, key_of: Callable[[str, int], str]) -> None:
        self._store = store
        self._key_of = key_of
        self._queue: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._waiting: set[Piece] = set()
        self._next: dict[str, int] = {}
        self._is_away = False
        self._thread = threading.Thread(target=self._run, name="landing", daemon=True)

    @property
    def waiting(self) -> int:
        """How many files are still to be landed."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin to land what is offered."""
        self._thread.start()

    def offer(self, piece: Piece) -> None:
        """Let a file be landed that is not written to any more."""
        self._waiting.add(piece)
        self._queue.put(piece)

    def close(self) -> None:
        """Land what was offered, with a few attempts at each, and end."""
        self._closing.set()
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _free_number(self, topic: str) -> int:
        prefix = self._key_of(topic, 0).rpartition("/")[0] + "/"
        names = [key.removeprefix(prefix) for key in self._store.fingerprints(prefix)]
        return max((int(name.partition(".")[0]) for name in names), default=-1) + 1

    def land(self, piece: Piece) -> None:
        """Create the object of a file, and delete the file.

        Raises:
            StoreError: If the lake does not take it.
        """
        data = _whole_lines(piece.path)
        if data:
            self._number(piece)
            self._put(piece, gzip.compress(data, _LEVEL, mtime=0))
        piece.path.unlink()
        self._waiting.discard(piece)

    def _number(self, piece: Piece) -> None:
        if not piece.path.name.startswith(NEW):
            return
        if piece.topic not in self._next:
            self._next[piece.topic] = self._free_number(piece.topic)
        number = self._next[piece.topic]
        # No other file gets it, though this one be landed by a later run.
        self._next[piece.topic] = number + 1
        piece.path = piece.path.rename(piece.path.with_name(f"{number:08}.jsonl"))

    def _put(self, piece: Piece, packed: bytes) -> None:
        number = int(piece.path.stem)
        while True:
            key = self._key_of(piece.topic, number)
            try:
                self._store.put_if(key, packed, None)
            except ConflictError:
                if self._store.get(key).data == packed:
                    return
                number = max(number + 1, self._free_number(piece.topic))
                if piece.topic in self._next:
                    self._next[piece.topic] = max(self._next[piece.topic], number + 1)
            else:
                return

    def _run(self) -> None:
        while (piece := self._queue.get()) is not None:
            while not self._landed(piece):
                if self._closing.wait(_RETRY_S):
                    self._land_last(piece)
                    break

    def _land_last(self, piece: Piece) -> None:
        if not any(self._landed(piece) for _ in attempts(_LAST_ATTEMPTS)):
            _log.error("not landed; the next run lands it", file=str(piece.path))

    def _landed(self, piece: Piece) -> bool:
        try:
            self.land(piece)
        except (StoreError, OSError) as error:
            if not self._is_away:
                _log.warning(
                    "not landed yet; tried until it is", file=str(piece.path), why=str(error)
                )
            self._is_away = True
            return False
        if self._is_away:
            _log.warning("landed again")
        self._is_away = False
        return True


def _whole_lines(path: Path) -> bytes:
    """Return what a file has up to its last whole line: nobody was told of half a one."""
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        _log.warning("half a line left out", file=str(path), size=len(data) - len(whole))
    return whole
