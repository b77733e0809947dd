"""Files of the spool become objects of the lake, in order and each once.

An object is only ever created. Where there is one already, it is this very file, landed by a run
that was killed before it could delete it, or else another's, and the next free number is taken.
"""

from __future__ import annotations

import gzip
import queue
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from lake.attempts import attempts
from lake.errors import ConflictError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lake.store import ObjectStore

_log = structlog.get_logger(__name__)
_LEVEL: Final = 1
_RETRY_S: Final = 5.0
_LAST_ATTEMPTS: Final = 3


class Piece(NamedTuple):
    """A file of the spool, its topic, and its number there."""

    path: Path
    topic: str
    number: int


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

    def next_number(self, topic: str) -> int:
        """Return the first number of a topic that no object has, nor any after it."""
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
            self._put(piece, gzip.compress(data, _LEVEL, mtime=0))
        piece.path.unlink()
        self._waiting.discard(piece)

    def _put(self, piece: Piece, packed: bytes) -> None:
        number = piece.number
        while True:
            key = self._key_of(piece.topic, number)
            try:
                self._store.put_if(key, packed, None)
            except ConflictError:
                if self._store.get(key).data == packed:
                    return
                number = max(number + 1, self.next_number(piece.topic))
            else:
                return

    def _run(self) -> None:
        while (piece := self._queue.get()) is not None:
            tried = 0
            while not self._landed(piece, tried):
                tried += 1
                if self._closing.wait(_RETRY_S):
                    self._land_last(piece)
                    break

    def _land_last(self, piece: Piece) -> None:
        if not any(self._landed(piece, tried) for tried in attempts(_LAST_ATTEMPTS)):
            _log.error("not landed; the next run lands it", file=str(piece.path))

    def _landed(self, piece: Piece, tried: int) -> bool:
        try:
            self.land(piece)
        except (StoreError, OSError) as error:
            _log.warning("not landed yet", file=str(piece.path), why=str(error), tried=tried + 1)
            return False
        return True


def _whole_lines(path: Path) -> bytes:
    """Return what a file has up to its last whole line: nobody was told of half a one."""
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        _log.warning("half a line left out", file=str(path), size=len(data) - len(whole))
    return whole
