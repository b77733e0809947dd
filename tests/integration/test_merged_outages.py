"""Merged bars and prices over HTTP while Redis is away, or hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl

from fiblake import Lake
from lake.bar import Hours
from lake.interval import Interval
from lake.settings import Settings
from speed_layer.views import View, open_view
from tests.api import problem
from tests.live import bars_of, price, prices_of
from tests.merged import MON, Served, day
from tests.parts import RedisServer


def redis_view(server: RedisServer, views: list[View]) -> View:
    settings = {"view": "redis", "redis_url": server.url, "redis_attempts": 2, "redis_retry_ms": 1}
    views.append(open_view(Settings.model_validate(settings)))
    return views[-1]


def test_without_redis_the_lake_answers_and_says_so(
    sample_lake: Lake, own_redis: RedisServer, views: list[View]
) -> None:
    view = redis_view(own_redis, views)
    told = bars_of(day("AAPL", MON, 500.0)), prices_of(price("AAPL", version=9, session=MON))
    view.put(*told)
    served = Served(sample_lake, view)
    asked: dict[str, Any] = {"interval": "13d", "start": "2013-02-19"}
    merged = served.get("/v1/bars/AAPL", **asked).json()
    prices = served.get("/v1/prices/AAPL").json()
    own_redis.stop()

    away = served.get("/v1/bars/AAPL", **asked).json()
    streamed = served.get("/v1/bars/AAPL", **asked, format="csv")
    closes = served.get("/v1/prices", symbols="AAPL").json()

    assert ("merged", 10) == (merged["live"], merged["bars"][0]["sessions"])
    assert ("away", 9) == (away["live"], away["bars"][0]["sessions"])
    assert "away" == streamed.headers["fiblake-live"]
    assert sample_lake.bars("AAPL", **asked).height == len(away["bars"])
    assert ("live", 9.0) == (prices["source"], prices["price"])
    assert ("away", "lake", 430.47) == (
        *(closes["live"], closes["prices"][0]["source"]),
        closes["prices"][0]["price"],
    )


def test_another_view_answers_while_redis_does_not(
    sample_lake: Lake, own_redis: RedisServer, views: list[View], told_view: View
) -> None:
    served = Served(sample_lake, redis_view(own_redis, views), fallbacks=[told_view])
    own_redis.stop()

    answer = served.get("/v1/bars/AAPL", interval="13d", start="2013-02-19").json()

    assert ("merged", 11) == (answer["live"], answer["bars"][0]["sessions"])


class Noticed:
    """A view that lets know when it is first asked for bars."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.is_asked = threading.Event()

    def price(self, symbols: Iterable[str] | None = None) -> pl.DataFrame:
        return self.view.price(symbols)

    def bars(self, symbol: str, interval: Interval, hours: Hours = "regular") -> pl.DataFrame:
        self.is_asked.set()
        return self.view.bars(symbol, interval, hours)


def test_while_redis_hangs_the_lake_answers_all_but_those_that_wait_for_it(
    sample_lake: Lake, own_redis: RedisServer, views: list[View]
) -> None:
    hung = redis_view(own_redis, views)
    hung.put(bars_of(day("AAPL", MON, 500.0)), prices_of(price("AAPL", version=9, session=MON)))
    noticed = Noticed(hung)
    served = Served(sample_lake, noticed)
    asked: dict[str, Any] = {"interval": "13d", "start": "2013-02-19"}
    served.get("/v1/bars/AAPL", **asked)  # the first one reads more of the lake before it waits

    own_redis.pause()
    with ThreadPoolExecutor() as pool:
        waits = pool.submit(served.get, "/v1/bars/AAPL", **asked)
        assert noticed.is_asked.wait(30)
        time.sleep(0.6)
        began = time.monotonic()
        away = served.get("/v1/bars/AAPL", **asked).json()
        closes = served.get("/v1/prices", symbols="AAPL").json()
        live = served.get("/v1/live/AAPL")
        lasted_s = time.monotonic() - began
        own_redis.resume()
        told = waits.result().json()

    # The one that waits has another nine seconds to.
    assert lasted_s < 5
    assert ("away", "away", 503) == (away["live"], closes["live"], problem(live)["status"])
    assert "merged" == told["live"] == served.get("/v1/bars/AAPL", **asked).json()["live"]


def test_live_bars_are_those_of_another_view_while_redis_does_not_answer(
    sample_lake: Lake, own_redis: RedisServer, views: list[View], told_view: View
) -> None:
    served = Served(sample_lake, redis_view(own_redis, views), fallbacks=[told_view])
    own_redis.stop()

    answer = served.get("/v1/live/AAPL").json()

    assert [1.0, 500.0, 600.0] == [each["close"] for each in answer["bars"]]
