"""The rules a vendor's minute bars must keep: what breaks one is rejected with its reason."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from batch_layer.bronze.daily import Changes
from batch_layer.fetching.minutes import FIELDS, ValidatedMinutes, keep_rejected, validate_minutes
from fiblake import Lake
from lake.session import SessionTable
from tests.minutes import Row, at, bar, bronze, commit, frame

DAY = dt.date(2024, 11, 27)
LAST = dt.date(2024, 11, 29)
START = at(DAY, "10:00")
NAN, INFINITE = float("nan"), float("inf")


def judged(table: SessionTable, *rows: Row) -> ValidatedMinutes:
    arrow = frame(*rows).select(FIELDS).to_arrow()
    return validate_minutes(arrow, table=table, last_closed=LAST)


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"symbol": None}, "no symbol"),
    ({"symbol": "  "}, "no symbol"),
    ({"symbol": "A,B"}, "not a symbol"),
    ({"start": None}, "not an instant"),
    ({"start": START + dt.timedelta(seconds=1)}, "not on a whole minute"),
    ({"start": START + dt.timedelta(microseconds=1)}, "not on a whole minute"),
    ({"start": at(DAY, "03:59")}, "outside the hours of every session"),
    ({"start": at(DAY, "20:00")}, "outside the hours of every session"),
    ({"start": at(dt.date(2024, 11, 28), "12:00")}, "outside the hours of every session"),
    ({"start": dt.datetime(1961, 1, 1, tzinfo=dt.UTC)}, "outside the hours of every session"),
    ({"start": at(dt.date(2024, 12, 2), "10:00")}, "session not settled yet"),
    ({"open": None}, "price is not a number"),
    ({"close": NAN}, "price is not finite"),
    ({"high": INFINITE}, "price is not finite"),
    ({"low": 0.0}, "price is not positive"),
    ({"high": 2e9}, "price is too large"),
    ({"low": 10.5}, "low is above open or close"),
    ({"high": 9.5}, "high is below open or close"),
    ({"volume": None}, "volume is not a number"),
    ({"volume": NAN}, "volume is not finite"),
    ({"volume": -1.0}, "volume is negative"),
    ({"volume": 2e15}, "volume is too large"),
    ({"vwap": -1.0}, "vwap is not a positive number"),
    ({"trades": -1}, "trades is not a count"),
]


@pytest.mark.parametrize(("values", "reason"), FAULTS)
def test_a_row_that_breaks_a_rule_is_rejected_with_its_reason(
    sessions: SessionTable, values: dict[str, Any], reason: str
) -> None:
    broken = bar("AA", START) | values

    found = judged(sessions, broken, bar("B", START))

    assert ["B"] == found.good["symbol"].to_list()
    assert {reason: 1} == found.reasons


@pytest.mark.parametrize("time", ["04:00", "09:30", "15:59", "16:00", "19:59"])
def test_a_minute_of_any_hours_is_good(sessions: SessionTable, time: str) -> None:
    row = bar("AA", at(DAY, time), vwap=None, trades=None, volume=0.5)

    assert [row] == judged(sessions, row).good.to_dicts()


def test_equal_rows_count_once_and_contradictions_not_at_all(sessions: SessionTable) -> None:
    twice, other = bar("AA", START), bar("AA", START + dt.timedelta(minutes=1))

    found = judged(sessions, twice, twice, other, {**other, "close": 10.0, "volume": 1.0})

    assert [twice] == found.good.to_dicts()
    assert {"duplicate": 1, "conflicting duplicate": 2} == found.reasons


def test_texts_are_read_as_numbers_are_and_symbols_spelled_in_one_way(
    sessions: SessionTable,
) -> None:
    texts = {name: ["10"] for name in FIELDS} | {
        "symbol": ["brk/b"],
        "start": ["2024-11-27T15:00:00Z"],
        "known_from": ["2026-01-05T12:00:00Z"],
    }

    found = validate_minutes(pa.table(texts), table=sessions, last_closed=LAST)
    wrong = validate_minutes(pa.table(texts | {"close": ["ten"]}), table=sessions, last_closed=LAST)

    expected = bar("BRK.B", START, volume=10.0, trades=10)
    assert [expected] == found.good.to_dicts()
    assert {"price is not a number": 1} == wrong.reasons


def test_what_is_good_can_be_committed_and_what_is_not_is_kept(
    lake: Lake, sessions: SessionTable
) -> None:
    found = judged(sessions, bar("AA", START), bar("B", START, -1.0))

    assert Changes(added=1) == commit(lake, *found.good.to_dicts())
    assert "rejects/minute/vendor-2024-11-27.csv" == (
        keep_rejected(lake.store, "vendor", DAY, found.rejected)
    )
    kept = lake.store.get("rejects/minute/vendor-2024-11-27.csv").data.decode().splitlines()
    assert ["AA"] == [row["symbol"] for row in bronze(lake.store, DAY)]
    assert kept[1].startswith("price is not positive,B,2024-11-27T15:00:00.000000Z,-1.0")
    assert keep_rejected(lake.store, "vendor", DAY, found.rejected.clear()) is None
