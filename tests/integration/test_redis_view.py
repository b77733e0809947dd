"""The view in Redis: restarts, losses, refusals, and what it leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import redis
from polars.testing import assert_frame_equal

from lake.errors import MisuseError, ViewRefusedError, ViewUnavailableError
from lake.interval import MINUTE as ONE_MINUTE
from lake.settings import Settings, read_settings
from speed_layer.views import View
from speed_layer.views.redis import RedisView
from tests.live import (
    MINUTE,
    NO_BARS,
    NO_PRICES,
    OPEN,
    OpenView,
    bar,
    bars_of,
    price,
    prices_of,
)
from tests.parts import RedisServer, free_port

PATIENCE_S = 30
WEEK_S = 7 * 24 * 60 * 60
SECRET = "hunter2hunter2"  # noqa: S105 - the test's own


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server that a test may kill."""
    server = RedisServer()
    server.start()
    yield server
    server.stop()


def open_at(url: str, views: list[View], **settings: object) -> RedisView:
    view = RedisView(Settings.model_validate({"redis_url": url, "redis_retry_ms": 50, **settings}))
    views.append(view)
    return view


def test_redis_killed_mid_stream_and_started_empty_is_refilled(
    own_server: RedisServer, views: list[View]
) -> None:
    view, known = open_at(own_server.url, views), {}
    killed = threading.Timer(0.2, own_server.restart)
    view.put(bars_of(bar("FIRST")), prices_of(price("FIRST")))
    known["FIRST"] = bar("FIRST")
    filling = view.filling
    killed.start()

    for version in range(1, 10_000):
        row = bar(start=OPEN + version % 50 * MINUTE, version=version)
        known[row["start"]] = row
        view.put(bars_of(row), prices_of(price(version=version)))
        if view.filling != filling:
            break
    killed.join()

    assert filling != view.filling
    assert_frame_equal(NO_BARS, view.bars("FIRST", ONE_MINUTE))

    view.put(bars_of(*known.values()), prices_of(price("FIRST"), price(version=version)))

    assert_frame_equal(bars_of(bar("FIRST")), view.bars("FIRST", ONE_MINUTE))
    held = view.bars("AAPL", ONE_MINUTE)
    assert_frame_equal(bars_of(*known.values()).filter(symbol="AAPL").sort("start"), held)
    assert_frame_equal(prices_of(price(version=version), price("FIRST")), view.price())


def test_a_subscriber_hears_on_after_a_restart_and_is_told_of_the_gap(
    own_server: RedisServer, views: list[View]
) -> None:
    view = open_at(own_server.url, views)
    with view.subscribe() as subscription:
        own_server.restart()
        told = subscription.get(PATIENCE_S)
        view.put(bars_of(bar()), NO_PRICES)
        changes = subscription.get(PATIENCE_S)

    assert told is not None
    assert told.is_gap
    assert changes is not None
    assert_frame_equal(bars_of(bar()), changes.bars)
    assert not changes.is_gap


def test_a_subscriber_of_a_redis_that_stays_away_is_told_so(
    own_server: RedisServer, views: list[View]
) -> None:
    view = open_at(own_server.url, views, redis_attempts=2)
    with view.subscribe() as subscription:
        own_server.stop()
        with pytest.raises(ViewUnavailableError, match="2 attempts"):
            subscription.get(PATIENCE_S)


def test_a_redis_that_is_not_there_is_given_up_on(views: list[View]) -> None:
    port = free_port()
    view = open_at(f"redis://me:{SECRET}@127.0.0.1:{port}", views, redis_attempts=3)

    for work in (view.price, view.subscribe, lambda: view.put(bars_of(bar()), NO_PRICES)):
        with pytest.raises(ViewUnavailableError) as raised:
            work()
        assert f"Redis at 127.0.0.1:{port} failed at 3 attempts" in str(raised.value)
        assert SECRET not in str(raised.value)


def test_a_wrong_password_is_refused_at_once_and_not_shown(
    own_server: RedisServer, views: list[View]
) -> None:
    own_server.restart("--requirepass", "another")
    wrong = own_server.url.replace("//", f"//:{SECRET}@")

    with pytest.raises(ViewRefusedError, match="refused") as raised:
        open_at(wrong, views).price()
    assert SECRET not in str(raised.value)
    with pytest.raises(ViewRefusedError, match="Authentication required"):
        open_at(own_server.url, views).put(bars_of(bar()), NO_PRICES)


def test_the_right_password_is_taken_from_the_url(
    own_server: RedisServer, views: list[View]
) -> None:
    own_server.restart("--requirepass", SECRET)
    view = open_at(own_server.url.replace("//", f"//:{SECRET}@"), views)

    view.put(bars_of(bar()), NO_PRICES)

    assert_frame_equal(bars_of(bar()), view.bars("AAPL", ONE_MINUTE))


def test_a_url_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIBLAKE_REDIS_URL", f"rediss://me:{SECRET}@cache.example:6380/0")

    assert SECRET not in repr(read_settings())

    for wrong in (f"http://me:{SECRET}/x@cache.example", f"redis://me:{SECRET}/x@cache.example"):
        monkeypatch.setenv("FIBLAKE_REDIS_URL", wrong)
        with pytest.raises(MisuseError, match="FIBLAKE_REDIS_URL") as raised:
            read_settings()
        assert SECRET not in str(raised.value)


def test_scripts_that_redis_lost_are_loaded_again(open_redis: OpenView) -> None:
    view = open_redis()
    view.put(bars_of(bar(version=2)), prices_of(price(version=1)))
    view._server.client.script_flush()  # type: ignore[attr-defined]  # noqa: SLF001 - as an operator does

    view.put(bars_of(bar(version=4)), prices_of(price(version=2)))

    assert_frame_equal(bars_of(bar(version=4)), view.bars("AAPL", ONE_MINUTE))
    assert_frame_equal(prices_of(price(version=2)), view.price())


def test_all_that_is_kept_in_redis_expires(own_server: RedisServer, views: list[View]) -> None:
    view = open_at(own_server.url, views)
    view.put(bars_of(bar(), bar(interval="1d")), prices_of(price()))

    with redis.Redis.from_url(own_server.url) as client:
        left_s = {name: client.ttl(name) for name in client.scan_iter()}

    assert 5 == len(left_s)
    assert {True} == {WEEK_S - 60 < each <= WEEK_S for each in left_s.values()}


def test_what_is_forgotten_leaves_no_key(own_server: RedisServer, views: list[View]) -> None:
    view = open_at(own_server.url, views)
    row = bar()
    view.put(bars_of(row, bar(interval="1d")), NO_PRICES)
    view.forget(daily=row["session"], minute=row["session"])

    with redis.Redis.from_url(own_server.url) as client:
        assert [b"fiblake:filling"] == client.keys()


def test_a_redis_that_holds_something_else_there_is_refused(
    own_server: RedisServer, views: list[View]
) -> None:
    with redis.Redis.from_url(own_server.url) as client:
        client.set("fiblake:prices", "mine")

    with pytest.raises(ViewRefusedError, match="WRONGTYPE"):
        open_at(own_server.url, views).put(NO_BARS, prices_of(price()))


def test_the_largest_versions_are_told_apart(open_redis: OpenView) -> None:
    view, largest = open_redis(), 2**53 - 1
    for version in (largest - 1, largest, largest - 2):
        view.put(bars_of(bar(version=version)), prices_of(price(version=version)))

    assert [largest] == view.bars("AAPL", ONE_MINUTE)["version"].to_list()
    assert [largest] == view.price()["version"].to_list()


def test_thousands_of_bars_are_put_at_once(open_redis: OpenView) -> None:
    rows = [bar(f"S{n % 7}", start=OPEN + n * MINUTE) for n in range(12_345)]
    told = [price(f"P{n:04}") for n in range(1_234)]
    view = open_redis()

    view.put(bars_of(*rows), prices_of(*told))

    assert_frame_equal(bars_of(*rows[3::7]), view.bars("S3", ONE_MINUTE))
    assert_frame_equal(prices_of(*told), view.price())
