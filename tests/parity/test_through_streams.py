"""A recorded day through the production wiring: the bars in Redis are those of batch.

    fiblake feed ──► Kinesis ──► Flink ──► Kinesis ──► fiblake flink publish ──► Redis

Flink's own connector is no part of it: a file carries the same lines to Flink, and another from it.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import polars as pl
import pytest

from lake.exchange import encode_sessions
from lake.keys import SESSIONS
from lake.settings import Settings
from lake.store import LocalStore
from lake.wire import decode_events
from speed_layer.corrections import Corrections
from speed_layer.covering import all_bars
from speed_layer.views.redis import RedisView
from tests.days import Day, calendar, made_day
from tests.flink import Job
from tests.kinesis import KinesisServer
from tests.parity.through import (
    COLUMNS,
    KEY,
    LATENESS,
    assert_same_bars,
    through_batch,
    through_law,
)
from tests.parts import RedisServer

FIBLAKE = str(Path(sys.executable).with_name("fiblake"))
_PUT: int = 500
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
    day = made_day(6, 400)
    store = LocalStore(tmp_path / "lake")
    store.put(SESSIONS, encode_sessions(calendar()))
    day.record(store)
    events, bars = kinesis_server.stream(shards=2), kinesis_server.stream(shards=2)
    settings = kinesis_server.settings(
        stream="kinesis",
        kinesis_events=events,
        kinesis_bars=bars,
        kinesis_per_symbol=500,
        view="redis",
        redis_url=redis.url,
    )
    environment = _environment(settings, tmp_path)

    feed = [FIBLAKE, "feed", f"replay:{day.session}@max"]
    subprocess.run(feed, env=environment, check=True, timeout=_LONG_S)
    told = _through_flink(kinesis_server.lines(events), day, tmp_path / "flink")
    _put(kinesis_server, bars, told)
    with _view(settings) as view:
        with _published(environment):
            expected = _final_days(told)
            _wait_until(lambda: _days_in(view) == expected)
        _correct(view, day, told)
        actual = all_bars(view)

    there = actual.filter(pl.col("open").is_not_null()).select(COLUMNS).sort(KEY)
    assert {"final"} == set(actual["state"])
    assert_same_bars(through_batch(store, day.session), there)
    assert_same_bars(through_law(day.tape, day.hours), there)


def _through_flink(lines: list[bytes], day: Day, folder: Path) -> list[bytes]:
    folder.mkdir()
    told, poison = decode_events(lines)
    assert [] == poison
    assert day.tape.height == told.filter(pl.col("kind") == "trade").height
    job = Job(folder, calendar(), day.session, day.session)
    job.write(lines)
    job.run()
    return job.lines("bars") + job.lines("corrections")


def _put(server: KinesisServer, name: str, lines: list[bytes]) -> None:
    with closing(server.client()) as client:
        for at in range(0, len(lines), _PUT):
            records = [
                {"Data": line, "PartitionKey": str(number)}
                for number, line in enumerate(lines[at : at + _PUT])
            ]
            client.put_records(StreamName=name, Records=records)  # type: ignore[arg-type]


@contextmanager
def _published(environment: dict[str, str]) -> Iterator[None]:
    with subprocess.Popen([FIBLAKE, "flink", "publish"], env=environment) as publisher:
        yield
        publisher.terminate()
    assert 0 == publisher.returncode


@contextmanager
def _view(settings: dict[str, object]) -> Iterator[RedisView]:
    with closing(RedisView(Settings.model_validate(settings))) as view:
        yield view


def _final_days(told: list[bytes]) -> int:
    final = b'"1d"', b'"final"'
    return len({line.split(b'"symbol":')[1][:9] for line in told if all(f in line for f in final)})


def _days_in(view: RedisView) -> int:
    held = all_bars(view)
    return held.filter((pl.col("interval") == "1d") & (pl.col("state") == "final")).height


def _correct(view: RedisView, day: Day, told: list[bytes]) -> None:
    """Apply what came late; the publisher does so each minute."""
    late = [line for line in told if line.startswith(b'{"kind":"trade"')]
    corrections = Corrections(
        calendar(), lambda *_: day.tape, view.put, kind="trade", lateness=LATENESS
    )
    corrections.note(decode_events(late)[0])
    over = day.hours.dusk + dt.timedelta(hours=1)
    corrections.apply(int(over.timestamp()) * 1_000_000)


def _environment(settings: dict[str, object], folder: Path) -> dict[str, str]:
    told = {f"FIBLAKE_{name.upper()}": str(value) for name, value in settings.items()}
    here = {"FIBLAKE_LAKE": str(folder / "lake"), "FIBLAKE_STATE": str(folder / "state")}
    return {**os.environ, **told, **here}


def _wait_until(holds: object) -> None:
    assert callable(holds)
    deadline = time.monotonic() + _LONG_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.5)
