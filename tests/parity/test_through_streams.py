"""A recorded day through the production wiring: the bars in Redis are those of batch.

    fiblake feed ──► Kinesis ──► fiblake flink run ──► Kinesis ──► fiblake flink publish ──► Redis

Where Maven has no Kinesis connector for Flink, and only there, a file carries the lines to Flink,
and another from it; a line of the tests' report tells which it was.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import polars as pl
import pytest

from lake import keys
from lake.exchange import encode_sessions
from lake.instant import microseconds
from lake.live_wire import decode_told
from lake.settings import Settings
from lake.store import LocalStore
from lake.wire import decode_events, encode_events
from speed_layer import flink_job
from speed_layer.covering import all_bars
from speed_layer.views.redis import RedisView
from tests.clocked import WallClock
from tests.days import Day, calendar, made_day
from tests.flink import Job, StreamJob
from tests.kinesis import KinesisServer
from tests.parity.through import (
    COLUMNS,
    KEY,
    Collected,
    assert_same_bars,
    corrections_of,
    over,
    through_batch,
    through_law,
)
from tests.parts import RedisServer, free_port

_ROOT = Path(__file__).parents[2]
_HOUR = dt.timedelta(hours=1)
_LONG_S = 300


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.mark.usefixtures("flink")
def test_a_day_through_kinesis_flink_and_redis_makes_batch_s_bars(
    tmp_path: Path, kinesis_server: KinesisServer, redis: RedisServer
) -> None:
    day = made_day(6, 100)
    store = _recorded(day, tmp_path / "lake")
    expected = through_batch(_recorded(day, tmp_path / "other"), day.session)
    events, bars = kinesis_server.stream(shards=2), kinesis_server.stream(shards=2)
    settings = kinesis_server.settings(
        stream="kinesis",
        kinesis_events=events,
        kinesis_bars=bars,
        kinesis_per_symbol=500,
        view="redis",
        redis_url=redis.url,
    )
    fiblake = _Fiblake(day, settings, tmp_path)

    fiblake.do("feed", f"replay:{day.session}@max")
    with ExitStack() as running:
        if flink_job.has_connector():
            run = ("flink", "run", "--parallelism", "2")
            running.enter_context(fiblake.running(*run, health_port=free_port()))
        else:
            told = _through_files(kinesis_server.lines(events), day, tmp_path / "files")
            kinesis_server.put(bars, told, [str(number) for number in range(len(told))])
        port = free_port()
        running.enter_context(fiblake.running("flink", "publish", health_port=port))
        view = running.enter_context(closing(RedisView(Settings.model_validate(settings))))
        _wait_for([expected, through_law(day.tape, day.hours)], view)
        health = httpx.get(f"http://127.0.0.1:{port}/health/ready")

    assert (200, True, {}) == (
        health.status_code,
        health.json()["live"],
        health.json()["away"],
    )
    assert {} != store.fingerprints(keys.late_events(day.session))


@pytest.mark.usefixtures("connector")
def test_a_job_killed_while_shards_split_and_merge_goes_on_from_its_checkpoint(
    tmp_path: Path, kinesis_server: KinesisServer
) -> None:
    r"""It stops at ✗, and its checkpoint lies before it.

    shard 0 ──────┬── 2 ────────────────►
                  └── 3 ──✗───┬─ 4 ─────►
    shard 1 ──────────────────┘
    """
    day = made_day(4, 80)
    parts = list(day.tape.iter_slices(day.tape.height // 4 + 1))
    job = StreamJob(tmp_path / "job", kinesis_server, day.hours, calendar())
    job.put(parts[0])
    with job.follow("--checkpoint-ms", "500"):
        job.wait_until(lambda: job.lines("bars") != [])
        kinesis_server.split(job.events, kinesis_server.open_shards(job.events)[0])
        before = len(job.lines("bars"))
        job.put(parts[1])
        job.wait_until(lambda: len(job.lines("bars")) > before)
    checkpoint = job.checkpoint()
    job.put(parts[2])
    with job.follow("--checkpoint-ms", "500", "--restore", checkpoint):
        _, *adjacent = kinesis_server.open_shards(job.events)
        kinesis_server.merge(job.events, *adjacent)
        job.put(parts[3])
        kinesis_server.put_to_each(job.events, encode_events(over(day.hours))[0])
        job.wait_until(lambda: _final_days(job) == day.bars.height)
    told = Collected()
    told.put(*job.rows())
    corrections = corrections_of(day.tape, told, calendar())
    corrections.note(decode_events(job.lines("corrections"))[0])
    corrections.apply(microseconds(day.hours.dusk + _HOUR))
    store = _recorded(day, tmp_path / "lake")
    assert_same_bars(through_batch(store, day.session), told.bars())


class _Fiblake:
    """The command, an hour after the end of a day."""

    def __init__(self, day: Day, settings: dict[str, object], folder: Path) -> None:
        wall = WallClock(folder / "clock")
        wall.advance(microseconds(day.hours.dusk + _HOUR))
        wall.close()
        self._command = [sys.executable, "-m", "tests.clocked", str(wall.path)]
        told = {f"FIBLAKE_{name.upper()}": str(value) for name, value in settings.items()}
        here = {"FIBLAKE_LAKE": str(folder / "lake"), "FIBLAKE_STATE": str(folder / "state")}
        self._environment = {**os.environ, **told, **here}

    def do(self, *arguments: str) -> None:
        """Run it until it ends."""
        command = [*self._command, *arguments]
        subprocess.run(command, env=self._environment, cwd=_ROOT, check=True, timeout=_LONG_S)

    @contextmanager
    def running(self, *arguments: str, health_port: int) -> Iterator[None]:
        """Run it, and end it with the block."""
        command = [*self._command, *arguments]
        variables = self._environment | {"FIBLAKE_HEALTH_PORT": str(health_port)}
        with subprocess.Popen(command, env=variables, cwd=_ROOT) as process:
            yield
            assert process.poll() is None
            process.terminate()
        assert 0 == process.returncode


def _recorded(day: Day, folder: Path) -> LocalStore:
    store = LocalStore(folder)
    store.put(keys.SESSIONS, encode_sessions(calendar()))
    day.record(store)
    return store


def _through_files(lines: list[bytes], day: Day, folder: Path) -> list[bytes]:
    folder.mkdir()
    job = Job(folder, calendar(), day.session, day.session)
    job.write(lines)
    job.run()
    return job.lines("bars") + job.lines("corrections")


def _wait_for(expected: Sequence[pl.DataFrame], view: RedisView) -> None:
    """Wait until a view has these bars, all final; what came late is corrected meanwhile."""
    deadline = time.monotonic() + _LONG_S
    while True:
        held = all_bars(view).filter(pl.col("open").is_not_null())
        try:
            assert {"final"} == set(held["state"])
            for each in expected:
                assert_same_bars(each, held.select(COLUMNS).sort(KEY))
        except AssertionError:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        else:
            return


def _final_days(job: Job) -> int:
    final = pl.col("interval") == "1d", pl.col("state") == "final"
    bars = decode_told(job.lines("bars")).bars
    return bars.filter(*final)["symbol"].n_unique()
