"""Prices over HTTP: live ones, or the lake's last closes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from fiblake import Lake
from serving_layer.merged import MergedReader
from serving_layer.query import BarsQuery
from speed_layer.views import View
from tests.api import problem
from tests.frames import tell
from tests.live import NO_BARS, price, prices_of
from tests.merged import Served


def test_prices_tell_their_source_and_age(sample_lake: Lake, open_memory: Any) -> None:
    view: View = open_memory()
    view.put(NO_BARS, prices_of(price("AAPL", version=1)))
    now = sample_lake.clock.now()
    answer = Served(sample_lake, view).get("/v1/prices", symbols="ibm,AAPL,NOPE").json()
    live, close = answer["prices"]

    assert (["NOPE"], "merged") == (answer["unknown"], answer["live"])
    assert ("AAPL", 1.0, "live", "massive", "2026-01-05") == (
        *(live["symbol"], live["price"], live["source"], live["feed"]),
        live["session"],
    )
    assert live["age_seconds"] == (now - dt.datetime.fromisoformat(live["time"])).total_seconds()
    assert ("IBM", 202.91, "lake", None, "2013-03-01", "2013-03-01T21:00:00Z") == (
        *(close["symbol"], close["price"], close["source"], close["feed"]),
        *(close["session"], close["time"]),
    )
    assert (now - dt.datetime(2013, 3, 1, 21, tzinfo=dt.UTC)).total_seconds() == (
        close["age_seconds"]
    )


def test_a_live_price_that_batch_has_overtaken_is_none(sample_lake: Lake, open_memory: Any) -> None:
    view: View = open_memory()
    view.put(NO_BARS, prices_of(price("AAPL", session=dt.date(2013, 2, 28))))

    assert "lake" == Served(sample_lake, view).get("/v1/prices/AAPL").json()["source"]


def test_closes_are_found_in_one_look_a_year_whatever_is_asked_beside_them(
    own_sample_lake: Lake, csv_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ["GONE,2005-02-28,1,1,1,1,9", "OLD,2005-03-01,2,2,2,2,9"]
    own_sample_lake.import_files(csv_file("symbol,date,open,high,low,close,volume", *rows))
    looks: list[BarsQuery] = []
    stored = MergedReader.stored

    def looked(reader: MergedReader, query: BarsQuery) -> pa.Table:
        looks.append(query)
        return stored(reader, query)

    monkeypatch.setattr(MergedReader, "stored", looked)

    answer = Served(own_sample_lake).get("/v1/prices", symbols="AAPL,GONE,IBM,NOPE,OLD").json()

    assert [430.47, 1.0, 202.91, 2.0] == [each["price"] for each in answer["prices"]]
    assert (["NOPE"], 2) == (answer["unknown"], len(looks))


def test_names_of_one_listing_all_have_its_price(
    lake: Lake, csv_file: Any, told_view: View
) -> None:
    rows = ["FB,2020-06-08,1,1,1,1,9", "META,2020-06-09,2,2,2,2,9"]
    lake.import_files(csv_file("symbol,date,open,high,low,close,volume", *rows))
    renamed = dt.date(2020, 6, 9)
    tell(
        lake,
        ("L1", "FB", dt.date(2012, 5, 18), renamed - dt.timedelta(days=1)),
        ("L1", "META", renamed, None),
    )

    asked = {"symbols": "FB,L1,META,NOPE"}
    told = Served(lake).get("/v1/prices", **asked).json()
    told_view.put(NO_BARS, prices_of(price("META", 9, session=lake.clock.now().date())))
    live = Served(lake, told_view).get("/v1/prices", **asked).json()

    assert [dict.fromkeys(("FB", "L1", "META"), close) for close in (2.0, 9.0)] == [
        {each["symbol"]: each["price"] for each in answer["prices"]} for answer in (told, live)
    ]


def test_a_price_of_nothing_is_a_problem(sample_lake: Lake) -> None:
    served = Served(sample_lake)

    assert 404 == problem(served.get("/v1/prices/NOPE"))["status"]
    several = problem(served.get("/v1/prices/AAPL,NOPE"))
    assert (400, "'AAPL,NOPE' names several symbols: here is the price of one.") == (
        *(several["status"], several["detail"]),
    )
    assert [400, 400, 422] == [
        problem(answer)["status"]
        for answer in (
            served.get("/v1/prices", symbols="A,,B"),
            served.get("/v1/prices", symbols=",".join(f"S{n}" for n in range(501))),
            served.get("/v1/prices"),
        )
    ]
