"""`fiblake alerts run` on a stream of bars, killed at any moment, and more than once at a time."""

from __future__ import annotations

import datetime as dt
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from database import Database
from database.migrating import upgrade
from lake.live_wire import Told, encode_told
from lake.settings import Settings
from speed_layer.engine import Engine
from tests.days import calendar
from tests.evaluated_alerts import many_rules, put_alerts, rule, texts, told, told_at_once
from tests.feeding import eventually
from tests.kinesis import KinesisServer
from tests.live_system import ROOT, sold_day
from tests.parts import environment, free_port

DAY: Final = sold_day(4, 200)
RULES: Final = many_rules(DAY.bars, DAY.bars["symbol"].to_list())
_PIECE: Final = 20
_LATENESS: Final = dt.timedelta(seconds=900)


@cache
def pieces() -> list[tuple[list[bytes], list[str]]]:
    """Return what an engine tells of the day, lines and the symbol of each, some at a time."""
    engine, found = Engine(calendar(), lateness=_LATENESS), []
    for at in range(0, DAY.tape.height, _PIECE):
        changes = engine.apply(DAY.tape[at : at + _PIECE])
        prices = encode_told(Told(prices=changes.prices))
        bars = encode_told(Told(bars=changes.bars))
        symbols = [*changes.prices["symbol"], *changes.bars["symbol"]]
        found.append(([*prices, *bars], symbols))
    return found


class Process:
    """`fiblake alerts run`, in a process of its own."""

    def __init__(self, settings: Settings, log: Path) -> None:
        port = free_port()
        self._health = f"http://127.0.0.1:{port}/health/live"
        self._log = log
        variables = environment(settings) | {"FIBLAKE_HEALTH_PORT": str(port)}
        code = "from fiblake.cli import main; main()"
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code, "alerts", "run"],
                stderr=errors,
                cwd=ROOT,
                env=os.environ | variables,
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    @property
    def health(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = httpx.get(self._health, timeout=10).json()
        except httpx.TransportError:
            return {}
        return found

    def is_ready(self) -> bool:
        return bool(self.health.get("ready"))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(60)

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def ended(self) -> int:
        return self._process.wait(60)

    def is_over(self) -> bool:
        return self._process.poll() is not None


StartService = Callable[[], Process]


@pytest.fixture
def service_settings(
    kinesis_server: KinesisServer, postgres_settings: Settings, lake_folder: Path
) -> Settings:
    """Of a service whose stream, lake and database are a test's own."""
    bars = kinesis_server.stream(shards=2)
    given = postgres_settings.model_dump(exclude_unset=True)
    more = kinesis_server.settings(kinesis_bars=bars, lake=str(lake_folder), log_level="info")
    return Settings.model_validate(given | more)


@pytest.fixture
def service_database(
    service_settings: Settings, database_of: Callable[[Settings], Database]
) -> Database:
    database = database_of(service_settings)
    upgrade(database)
    return database


@pytest.fixture
def start_service(service_settings: Settings, tmp_path: Path) -> Iterator[StartService]:
    started: list[Process] = []

    def start() -> Process:
        started.append(Process(service_settings, tmp_path / f"service-{len(started)}.log"))
        return started[-1]

    yield start
    for each in started:
        if not each.is_over():
            each.kill()


def test_each_firing_is_told_once_however_often_the_service_is_killed(
    service_settings: Settings,
    service_database: Database,
    start_service: StartService,
    kinesis_server: KinesisServer,
) -> None:
    """The stream goes on while nobody reads it.

    stream   |------------------------------|
    service  |----X  |--X     |-------------|
    """
    moment = random.Random(5)  # noqa: S311 - when to kill is no secret
    put_alerts(service_database, RULES)
    service = start_service()
    assert eventually(lambda: service.health.get("rules") == len(RULES)), service.said
    kills = sorted(moment.sample(range(len(pieces())), 3))
    for number, (lines, symbols) in enumerate(pieces()):
        kinesis_server.put(service_settings.kinesis_bars, lines, symbols)
        if number in kills:
            time.sleep(moment.uniform(0, 0.5))
            service.kill()
            service = start_service()
            if number != kills[1]:
                assert eventually(service.is_ready), service.said
    expected = texts(told_at_once(RULES, [line for lines, _ in pieces() for line in lines]))
    assert eventually(lambda: len(told(service_database)) >= len(expected)), service.said
    assert 0 == service.stop(), service.said

    assert len(expected) > 50
    assert expected == told(service_database)


def test_a_second_service_takes_over_and_the_first_one_ends_with_an_error(
    service_settings: Settings,
    service_database: Database,
    start_service: StartService,
    kinesis_server: KinesisServer,
) -> None:
    put_alerts(
        service_database,
        {"al_1": rule("S0000", {"kind": "price", "relation": "above", "level": 1})},
    )
    first = start_service()
    assert eventually(lambda: first.health.get("rules") == 1), first.said
    second = start_service()
    assert eventually(lambda: second.health.get("rules") == 1), second.said
    lines, symbols = pieces()[0]
    kinesis_server.put(service_settings.kinesis_bars, lines, symbols)

    assert eventually(lambda: {"al_1.1.1"} == told(service_database).keys())
    assert 1 == first.ended()
    assert "Another process has taken over" in first.said
    assert 0 == second.stop()
