"""Massive's splits and dividends: what rows say, and which are none."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from batch_layer.vendors.massive_actions import dividends_of, splits_of

DAY = dt.date(2020, 8, 31)


def page(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"status": "OK", "results": rows}).encode()


def split(**other: Any) -> dict[str, Any]:
    row = {"ticker": "AAPL", "execution_date": "2020-08-31", "split_from": 1, "split_to": 4}
    return {**row, **other}


def dividend(**other: Any) -> dict[str, Any]:
    row = {"ticker": "AAPL", "ex_dividend_date": "2020-08-31", "cash_amount": 0.5}
    return {**row, "currency": "USD", "dividend_type": "CD", **other}


def test_a_split_is_read() -> None:
    told = splits_of([page(split(id="E1"), split(ticker="BACpL", id="E2"))])

    assert [("AAPL", DAY, 1.0, 4.0), ("BAC.PRL", DAY, 1.0, 4.0)] == told.good.rows()
    assert (2, {}) == (told.rows, told.reasons)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (split(ticker=""), "not a symbol"),
        (split(ticker="AAPLx"), "not a symbol"),
        (split(ticker=None), "not a symbol"),
        (split(execution_date="31.8.2020"), "not a date"),
        (split(split_to=None), "not a ratio"),
        (split(split_to=True), "not a ratio"),
        (split(split_to="NaN"), "not a ratio"),
        (split(split_to=1e999), "not a ratio"),
        (split(split_to=0), "ratio is not of positive numbers"),
        (split(split_from=-1), "ratio is not of positive numbers"),
    ],
)
def test_what_is_no_split_is_rejected(row: dict[str, Any], reason: str) -> None:
    told = splits_of([page(row)])

    assert (1, {reason: 1}) == (told.rows, told.reasons)
    assert told.good.is_empty()
    assert json.loads(told.rejected["row"][0]) == json.loads(json.dumps(row))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (dividend(currency="CAD"), "paid in CAD, not in USD"),
        (dividend(currency=None), "currency is not told"),
        (dividend(cash_amount="much"), "not an amount"),
        (dividend(cash_amount=0), "amount is not positive"),
        (dividend(ex_dividend_date=None), "not a date"),
    ],
)
def test_what_is_no_dividend_is_rejected(row: dict[str, Any], reason: str) -> None:
    assert {reason: 1} == dividends_of([page(row)]).reasons


def test_dividends_of_one_day_are_one_amount() -> None:
    special = dividend(cash_amount=1.25, dividend_type="SC", id="D2")
    foreign = dividend(cash_amount=7, currency="CAD", id="D3")
    told = dividends_of([page(dividend(id="D1"), special), page(foreign)])

    assert [("AAPL", DAY, 1.75)] == told.good.rows()
    assert (3, 1) == (told.rows, told.rejected.height)


def test_a_row_that_comes_twice_counts_once() -> None:
    told = dividends_of([page(dividend(id="D1")), page(dividend(id="D1"), dividend(id="D9"))])

    assert [("AAPL", DAY, 0.5)] == told.good.rows()
    assert 1 == told.rows


def test_two_ratios_for_one_day_are_none() -> None:
    told = splits_of([page(split(split_to=4), split(split_to=7), split(ticker="IBM"))])

    assert [("IBM", DAY, 1.0, 4.0)] == told.good.rows()
    assert {"several ratios for one day": 2} == told.reasons
    assert {("AAPL", DAY), ("IBM", DAY)} == told.mentioned


def test_the_same_ratio_in_other_numbers_is_one() -> None:
    told = splits_of([page(split(split_from=2, split_to=8), split())])

    assert 1 == told.good.height
