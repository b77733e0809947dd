"""`fiblake flink run` killed and started again by the same command, as whoever keeps it up does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import polars as pl
import pytest

from lake import keys
from lake.exchange import encode_sessions
from lake.hours import hours_of
from lake.instant import microseconds
from lake.live_wire import decode_told
from lake.store import LocalStore
from lake.wire import encode_events
from tests.clocked import WallClock
from tests.days import SHORT, Day, calendar
from tests.feeding import eventually
from tests.flink import LONG_S
from tests.live_system import ROOT, sold_day
from tests.parity.through import Collected, assert_same_bars, through_law

pytestmark = pytest.mark.usefixtures("flink")


class _Run:
    """The command, over files."""

    def __init__(self, folder: Path, now_us: int) -> None:
        LocalStore(folder / "lake").put(keys.SESSIONS, encode_sessions(calendar()))
        wall = WallClock(folder / "clock")
        wall.advance(now_us)
        wall.close()
        self.bars, self._events = folder / "bars", folder / "events"
        self._events.mkdir()
        self.log = folder / "log"
        places = ["--events", str(self._events), "--bars", str(self.bars)]
        own = ["--lake", str(folder / "lake"), "--parallelism", "1"]
        follow = ["--follow-ms", "200", "--checkpoint-ms", "500"]
        python = [sys.executable, "-m", "tests.clocked", str(wall.path)]
        self._command = [*python, "flink", "run", *places, *own, *follow]
        self._environment = os.environ | {"FIBLAKE_STATE": str(folder / "state")}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_running:
            self.kill()

    def start(self) -> None:
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, cwd=ROOT, env=self._environment
            )

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> list[int]:
        """End the command alone, and return what it had started."""
        children = _descendants(self._process.pid)
        self._process.kill()
        self._process.wait()
        return children

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(60)

    def once(self, *others: str) -> str:
        """Run it to its end, and return what it said."""
        ran = subprocess.run(
            [*self._command, *others],
            capture_output=True,
            check=False,
            env=self._environment,
            cwd=ROOT,
        )
        assert 0 == ran.returncode, ran.stderr
        return ran.stderr.decode()

    def refused(self) -> str:
        """Run it once more beside the one that runs, and return what it says."""
        ran = subprocess.run(
            self._command, capture_output=True, check=False, env=self._environment, cwd=ROOT
        )
        assert 1 == ran.returncode
        return ran.stderr.decode()

    def write(self, events: pl.DataFrame, name: str) -> None:
        hidden = self._events / f".{name}"
        hidden.write_bytes(b"".join(line + b"\n" for line in encode_events(events)))
        hidden.rename(self._events / name)

    def told(self) -> list[bytes]:
        files = sorted(self.bars.rglob("part-*"))
        return [line for file in files for line in file.read_bytes().splitlines()]


def test_a_killed_run_leaves_nothing_behind_and_goes_on_from_its_last_checkpoint(
    tmp_path: Path,
) -> None:
    day = sold_day(2, 100, is_late=False)
    half = day.tape.height // 2
    with _Run(tmp_path, microseconds(day.hours.dusk)) as run:
        state = tmp_path / "state"
        run.start()
        run.write(day.tape[:half], "1.jsonl")
        _wait(run, lambda: run.told() != [])
        first = _checkpoints(state)
        assert "Another process runs the job" in run.refused()
        left = run.kill()
        assert eventually(lambda: not any(map(_is_there, left)))
        # What was read before is in the checkpoint alone.
        (tmp_path / "events/1.jsonl").write_bytes(b"")
        run.start()
        run.write(pl.concat([day.tape[half:], _next_day(day)]), "2.jsonl")
        expected = through_law(day.tape, day.hours)
        _wait(run, lambda: _bars(run).height >= expected.height)

        assert len(left) > 1
        assert "the job goes on from its checkpoint" in run.log.read_text()
        assert_same_bars(expected, _bars(run))
        assert eventually(lambda: not first & _checkpoints(state))
        assert 0 == run.stop()
        assert "goes on" not in run.once("--anew", "--explain")


def _next_day(day: Day) -> pl.DataFrame:
    """Return a trade of each symbol that ends a day: files have no clock that counts."""
    dawn = microseconds(hours_of(SHORT, calendar()).dawn)
    good = day.tape.filter(~pl.col("cancelled"))
    told = good.unique("symbol", keep="first", maintain_order=True)
    zeros = (pl.col(name) * 0 for name in ("sequence", "revision"))
    dawns = (pl.lit(dawn).cast(pl.Int64).alias(name) for name in ("time", "minute", "received"))
    return told.with_columns(*zeros, *dawns)


def _bars(run: _Run) -> pl.DataFrame:
    """Return the bars that are final."""
    told, final = decode_told(run.told()), Collected()
    final.put(told.bars.filter(pl.col("state") == "final"), told.prices)
    return final.bars() if (told.bars["state"] == "final").any() else told.bars.clear()


def _wait(run: _Run, holds: Callable[[], bool]) -> None:
    """Wait until something holds, while the command runs."""
    deadline = time.monotonic() + LONG_S
    while not holds():
        assert run.is_running, run.log.read_text()
        assert time.monotonic() < deadline, run.log.read_text()
        time.sleep(0.2)


def _checkpoints(state: Path) -> set[str]:
    return {str(path.parent) for path in state.rglob("_metadata")}


def _descendants(process: int) -> list[int]:
    told = Path(f"/proc/{process}/task").glob("*/children")
    children = [int(child) for path in told for child in path.read_text().split()]
    return children + [each for child in children for each in _descendants(child)]


def _is_there(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    try:
        # One that nobody waits for stays listed when it has ended.
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
