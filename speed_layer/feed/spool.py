"""The spool: what must not be lost, in files of this machine until the lake has it.

A line is written before anyone is told of it, so a process that is killed loses nothing that it
told. A file is landed as one object: when it is large or old enough, at the end, or by the next run
where a run was killed. Files are not synced at each line: a machine
that loses power may lose seconds, which the vendor tells again when the feed starts.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from filelock import FileLock, Timeout

from lake.errors import BusyError, StoreError
from speed_layer.feed.landing import NEW, Lander, Piece

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import FileIO
    from pathlib import Path

    from lake.store import ObjectStore

_HINT: Final = "check the folder's permissions and the space left."


@dataclass(frozen=True, slots=True)
class Limits:
    """When a file is landed.

    Attributes:
        seconds: After it was begun.
        size: In bytes.
    """

    seconds: float = 30.0
    size: int = 8 << 20


@dataclass(slots=True)
class _Open:
    piece: Piece
    file: FileIO
    due: float
    size: int = 0


class Spool:
    """Lines by topic, on their way into the lake.

    Args:
        folder: On this machine; one process at a time has it.
        store: The lake.
        key_of: Returns the key of a topic's object of a number.
        limits: When a file is landed.

    Raises:
        BusyError: If another process has the folder.
        StoreError: If the folder cannot be had.
    """

    def __init__(
        self,
        folder: Path,
        store: ObjectStore,
        key_of: Callable[[str, int], str],
        limits: Limits | None = None,
    ) -> None:
        self._folder = folder
        self._limits = limits or Limits()
        self._lander = Lander(store, key_of)
        self._open: dict[str, _Open] = {}
        self._begun = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(folder / ".lock", thread_local=False)
            self._lock.acquire(timeout=0)
        except Timeout:
            fact = f"Another process records into {folder}."
            raise BusyError(fact, hint="end it, or set FIBLAKE_STATE.") from None
        except OSError as error:
            raise _could_not(folder, error) from error

    def start(self) -> None:
        """Land what an earlier run left behind, then begin.

        Raises:
            StoreError: If the lake does not take it.
        """
        for path in sorted(self._folder.glob("*/*.jsonl")):
            self._lander.land(Piece(path, path.parent.name))
        self._lander.start()

    def append(self, topic: str, data: bytes, wait_s: float | None = None) -> None:
        """Write lines, each with its end.

        Args:
            topic: Lines of one topic are landed together.
            data: Whole lines.
            wait_s: How long a file that this begins may wait; None: as the limits say.

        Raises:
            StoreError: If they cannot be written.
        """
        try:
            opened = self._open.get(topic) or self._begin(topic, wait_s)
            left = memoryview(data)
            while left:
                left = left[opened.file.write(left) :]
        except OSError as error:
            raise _could_not(self._folder, error) from error
        opened.size += len(data)
        if opened.size >= self._limits.size:
            self._end(topic)

    def tick(self) -> None:
        """Let files that are old enough be landed."""
        now = time.monotonic()
        for topic, opened in list(self._open.items()):
            if now >= opened.due:
                self._end(topic)

    @property
    def waiting(self) -> int:
        """How many files the lake does not have yet, those that are written to left out."""
        return self._lander.waiting

    def close(self) -> None:
        """Land all there is; what the lake does not take now, the next run lands."""
        for topic in list(self._open):
            self._end(topic)
        self._lander.close()
        self._lock.release()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, topic: str, wait_s: float | None) -> _Open:
        # The lake, which may be away, is asked for the number of the object when it is landed.
        path = self._folder / topic / f"{NEW}{self._begun:08}.jsonl"
        self._begun += 1
        path.parent.mkdir(exist_ok=True)
        file = path.open("ab", buffering=0)
        due = time.monotonic() + (self._limits.seconds if wait_s is None else wait_s)
        opened = self._open[topic] = _Open(Piece(path, topic), file, due)
        return opened

    def _end(self, topic: str) -> None:
        opened = self._open.pop(topic)
        with suppress(OSError):
            opened.file.close()
        self._lander.offer(opened.piece)


def _could_not(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The spool in {folder} cannot be written: {error.strerror or error}.", hint=_HINT
    )
