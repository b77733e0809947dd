"""Massive's own client, given our URL alone: splits, dividends, tickers and the last trade."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import TypeAdapter

from batch_layer.bronze import dividends, listings
from fiblake import Lake
from serving_layer.dialects.massive_rest import LastTrade
from tests.dialects import Doors, doors_of
from tests.frames import dividend, listing_rows
from tests.live import NO_BARS, OPEN, price, prices_of
from tests.massive_doors import client, refusal
from tests.merged import MON


def test_splits_are_filtered_sorted_and_paged(sample_doors: Doors) -> None:
    found = [
        (each.ticker, each.execution_date, each.split_from, each.split_to)
        for each in client(sample_doors).list_splits(limit=1)
    ]
    asked = {"execution_date_gt": "2000-06-21", "execution_date_lte": dt.date(2005, 2, 28)}

    assert [
        ("AAPL", "2005-02-28", 1, 2),
        ("MSFT", "2003-02-18", 1, 2),
        ("AAPL", "2000-06-21", 1, 2),
    ] == found
    assert ["2003-02-18", "2005-02-28"] == [
        each.execution_date
        for each in client(sample_doors).list_splits(**asked, sort="execution_date", order="asc")
    ]
    assert 2 == len(list(client(sample_doors).list_splits("AAPL")))
    assert [] == list(client(sample_doors).list_splits(reverse_split=True))


@pytest.fixture
def renamed(lake: Lake, bars_file: Path) -> Iterator[Doors]:
    """A lake of A, which was C before, and of BAC.PRL, which is listed no more."""
    lake.import_files(bars_file)
    told = listing_rows(
        ("BBG000000001", "C", dt.date(2012, 3, 1), dt.date(2012, 3, 30)),
        ("BBG000000001", "A", dt.date(2012, 3, 31), None),
        ("L2", "B", dt.date(2012, 3, 1), dt.date(2012, 6, 29)),
        name="Acorn Inc",
    )
    listings.commit(lake.store, told, clock=lake.clock)
    paid = [dividend("C", dt.date(2012, 3, 15), 0.25), dividend("A", dt.date(2012, 6, 15), 1)]
    dividends.commit(lake.store, pl.concat([*paid, dividend("B", MON, 0.5)]), clock=lake.clock)
    with doors_of(lake) as opened:
        yield opened


def test_dividends_of_a_ticker_are_its_listing_s(renamed: Doors) -> None:
    ask = client(renamed).list_dividends
    found = [(each.ticker, each.ex_dividend_date, each.cash_amount) for each in ask("A", limit=1)]

    assert [("A", "2012-06-15", 1), ("C", "2012-03-15", 0.25)] == found
    assert ["B", "A", "C"] == [each.ticker for each in ask()]
    assert ["C", "B"] == [
        each.ticker for each in ask(cash_amount_lt=1, sort="cash_amount", order="asc")
    ]


def test_tickers_are_those_of_a_day(renamed: Doors) -> None:
    ask = client(renamed).list_tickers
    (active,) = ask()
    then = list(ask(date="2012-06-01", limit=1))

    assert ("A", "Acorn Inc", "XNYS", "CS", True, "BBG000000001") == (
        *(active.ticker, active.name, active.primary_exchange, active.type),
        *(active.active, active.composite_figi),
    )
    assert ["A", "B"] == [each.ticker for each in then]
    # What had the ticker A before that company is listed no more, either.
    assert ["A", "B"] == [each.ticker for each in ask(active=False)]
    assert [[], ["B"], ["A", "B"], []] == [
        [each.ticker for each in ask(date="2012-06-01", **how)]
        for how in ({"market": "crypto"}, {"ticker_gt": "A"}, {"search": "acorn"}, {"type": "ETF"})
    ]


def test_the_last_trade_is_the_live_one_or_none(sample_lake: Lake, open_memory: Any) -> None:
    view = open_memory()
    view.put(NO_BARS, prices_of(price("AAPL", version=9)))
    with doors_of(sample_lake, view) as opened:
        found = client(opened).get_last_trade("AAPL")
        told = opened.get("/v2/last/trade/AAPL")
        refused = refusal(opened, "/v2/last/trade/IBM")

    assert ("AAPL", 9.0, (OPEN + 9) * 1000, None) == (
        *(found.ticker, found.price, found.sip_timestamp, found.size),
    )
    TypeAdapter(LastTrade).validate_json(told.content, strict=True)
    assert (404, "NOT_FOUND") == refused[:2]
    assert refused[2].startswith("No trade of 'IBM' is known")
