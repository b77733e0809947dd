"""Live bars and prices to put into views, and views of every kind on real servers."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest

from lake.clock import Clock, SetClock
from lake.live import BARS_SCHEMA, PRICES_SCHEMA
from lake.settings import Settings
from speed_layer.views import View, open_view
from tests.batch import ROLE
from tests.deployed import deploy_tables
from tests.moto_serially import REGION
from tests.parts import MotoServer, RedisServer

SESSION = dt.date(2026, 1, 5)
OPEN = 1_767_623_400_000_000
"""09:30 in New York on that day, in microseconds."""
MINUTE = 60_000_000

OpenView = Callable[..., View]


def bar(symbol: str = "AAPL", version: int = 2, **others: Any) -> dict[str, Any]:
    """Return a bar of one trade, whose volume is its version."""
    return {
        "symbol": symbol,
        "interval": "1m",
        "session": SESSION,
        "hours": "regular",
        "start": OPEN,
        "open": 10.0,
        "high": 12.0,
        "low": 9.0,
        "close": 11.0,
        "volume": float(version),
        "vwap": 10.5,
        "trades": 3,
        "minutes": 1,
        "state": "forming",
        "version": version,
        **others,
    }


def day_bar(symbol: str, session: dt.date, version: int, **others: Any) -> dict[str, Any]:
    """Return a live bar of a day."""
    midnight = dt.datetime.combine(session, dt.time(), dt.UTC)
    return {
        "symbol": symbol,
        "interval": "1d",
        "session": session,
        "hours": "regular",
        "start": int(midnight.timestamp()) * 10**6,
        "vwap": 10.0,
        "trades": version,
        "minutes": version,
        "state": "forming",
        "version": 2 * version,
        **others,
    }


def vanished(symbol: str = "AAPL", version: int = 4, **others: Any) -> dict[str, Any]:
    """Return a bar all of whose trades were cancelled."""
    nothing = dict.fromkeys(("open", "high", "low", "close", "vwap"))
    return bar(symbol, version, **nothing, volume=0.0, trades=0, **others)


def price(symbol: str = "AAPL", version: int = 1, **others: Any) -> dict[str, Any]:
    """Return a price, which is its version."""
    return {
        "symbol": symbol,
        "session": SESSION,
        "price": float(version),
        "time": OPEN + version,
        "received": OPEN + version + 5,
        "source": "massive",
        "version": version,
        **others,
    }


def bars_of(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=BARS_SCHEMA, orient="row")


def prices_of(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=PRICES_SCHEMA, orient="row")


NO_BARS = bars_of()
NO_PRICES = prices_of()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server that all tests share, each by a prefix of its own."""
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis server that a test may kill."""
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def views() -> Iterator[list[View]]:
    """Those that a test opened, to be closed."""
    opened: list[View] = []
    yield opened
    for view in opened:
        view.close()


@pytest.fixture
def open_redis(redis_server: RedisServer, views: list[View]) -> OpenView:
    """Open a view in Redis, always the same one."""
    return _opener(views, view="redis", redis_url=redis_server.url, redis_prefix=_name())


@pytest.fixture
def dynamodb_environment(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which AWS's tools find moto's DynamoDB."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    for name, value in ROLE.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def open_dynamodb(request: pytest.FixtureRequest, views: list[View]) -> OpenView:
    """Open a view in DynamoDB, in tables that are deployed, always the same one."""
    request.getfixturevalue("dynamodb_environment")
    prefix = _name()
    deploy_tables(request.getfixturevalue("moto_server"), prefix)
    return _opener(views, view="dynamodb", dynamodb_prefix=prefix, dynamodb_retry_ms=1)


@pytest.fixture
def open_memory(views: list[View], clock: SetClock) -> OpenView:
    """Open the view in memory, always the same one."""
    view = open_view(Settings(view="memory"), clock)
    views.append(view)
    return lambda: view


@pytest.fixture(params=["memory", "redis", "dynamodb"])
def opened(request: pytest.FixtureRequest, clock: SetClock) -> OpenView:
    """Open a view of any kind, always the same one; its clock is `clock`, but Redis has its own."""
    open_: OpenView = request.getfixturevalue(f"open_{request.param}")
    return open_ if request.param != "dynamodb" else lambda: open_(clock)


@pytest.fixture
def view(opened: OpenView) -> View:
    """An empty view of any kind."""
    return opened()


def _opener(views: list[View], **settings: Any) -> OpenView:
    def open_(clock: Clock | None = None, **others: Any) -> View:
        view = open_view(Settings.model_validate(settings | others), clock)
        views.append(view)
        return view

    return open_


def _name() -> str:
    return f"test-{uuid.uuid4().hex}-"
