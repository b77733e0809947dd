"""The command `fiblake` by a clock that a test sets: argv is the clock's file, then the command's.

After `batch_layer.entry`, it is what the container of a job runs, by the same clock.

All else is as users run it; only what is done again and again is done more often.
"""

from __future__ import annotations

import datetime as dt
import mmap
import struct
import sys
import time
from functools import partial
from pathlib import Path
from typing import Final

from batch_layer import entry
from fiblake import cli, flink, live
from lake.clock import SystemClock
from lake.instant import from_microseconds
from speed_layer.engine.running import Pace, Running
from speed_layer.feed import recorder

_FORM: Final = struct.Struct("<q")
_OFTEN: Final = Pace(snapshot_s=0.3, corrections_s=0.3, forget_s=0.3)


class WallClock:
    """A clock in a file, which processes look at: microseconds since 1970.

    Args:
        path: Made where it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.write_bytes(_FORM.pack(0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _FORM.size)

    def now_us(self) -> int:
        instant: int = _FORM.unpack(self._map[:])[0]
        return instant

    def advance(self, to: int) -> None:
        """Let it be `to`, or what it is where that is later."""
        self._map[:] = _FORM.pack(max(to, self.now_us()))

    def close(self) -> None:
        self._map.close()


def main(clock: str, *arguments: str) -> None:
    wall = WallClock(Path(clock))

    def now(_: SystemClock) -> dt.datetime:
        return from_microseconds(wall.now_us())

    time.time_ns = lambda: wall.now_us() * 1000
    SystemClock.now = now  # type: ignore[method-assign, assignment] # not the machine's
    live.Running = partial(Running, pace=_OFTEN)  # type: ignore[assignment, attr-defined] # more often
    flink.CORRECT_S = flink.COVER_S = 0.3  # type: ignore[misc] # likewise
    recorder.NOTED_S = 0.3  # type: ignore[misc] # likewise
    if arguments[0] == entry.__name__:
        sys.argv = [*arguments]
        entry.main()
    else:
        sys.argv = ["fiblake", *arguments]
        cli.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
