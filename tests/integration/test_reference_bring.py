"""Splits and dividends from landing into bronze: corrected, withdrawn, and rebuilt the same."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batch_layer import landing
from batch_layer.bronze import dividends, ledger, listings, splits
from batch_layer.fetching.reference_bring import Brought, ReferenceBringer
from batch_layer.fetching.reference_landed import reference_on
from batch_layer.fetching.reference_rebuild import ReferenceRebuilder
from batch_layer.landing import Answer
from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.errors import DamagedObjectError
from lake.parquet import read_frame
from lake.schemas import LISTINGS_HISTORY
from lake.session import EPOCH
from lake.store import ObjectStore
from tests.conftest import NOW
from tests.frames import split

HOUR = dt.timedelta(hours=1)
DAY = dt.date(2020, 8, 31)
A, B = "BBG00000000A", "BBG00000000B"


def told(symbol: str, ratio: float, day: dt.date = DAY) -> dict[str, Any]:
    return {
        "ticker": symbol,
        "execution_date": day.isoformat(),
        "split_from": 1,
        "split_to": ratio,
    }


def paid(symbol: str, amount: float) -> dict[str, Any]:
    row = {"ticker": symbol, "ex_dividend_date": DAY.isoformat(), "cash_amount": amount}
    return {**row, "currency": "USD"}


def listed(symbol: str, listing: str, **other: Any) -> dict[str, Any]:
    return {"ticker": symbol, "composite_figi": listing, "active": True, **other}


def land(lake: Lake, kind: str, unit: str, hours: int, *rows: dict[str, Any]) -> str:
    body = json.dumps({"status": "OK", "results": rows}).encode()
    answer = Answer(f"https://vendor/{kind}", NOW + hours * HOUR, body)
    return landing.land(lake.store, "massive", kind, unit, [answer])


def bring(store: ObjectStore, kind: str) -> list[Brought]:
    bringer = ReferenceBringer(store, store, "massive")
    return [bringer.actions(kind, *each) for each in bringer.pending(kind)]


def ratios(lake: Lake) -> list[tuple[Any, ...]]:
    rows = splits.read(lake.store).sort("symbol")
    return rows.select("symbol", "split_from", "split_to", "known_from").rows()


def test_what_the_vendor_withdrew_is_withdrawn(lake: Lake) -> None:
    land(lake, "splits", "2020", 0, told("AAPL", 4), told("IBM", 2))
    land(lake, "dividends", "2020", 0, paid("AAPL", 0.5), paid("IBM", 1))
    assert [Brought(2, 0, 2)] == bring(lake.store, "splits")
    bring(lake.store, "dividends")
    land(lake, "splits", "2020", 1, told("AAPL", 4))
    land(lake, "dividends", "2020", 1, paid("IBM", 1))

    assert [Brought(1, 0, 1)] == bring(lake.store, "splits")
    assert [Brought(1, 0, 1)] == bring(lake.store, "dividends")
    assert [("AAPL", 1, 4, NOW), ("IBM", 1, 1, NOW + HOUR)] == ratios(lake)
    assert [0.0, 1.0] == dividends.read(lake.store).sort("symbol")["amount"].to_list()
    assert [] == bring(lake.store, "splits")


def test_a_row_that_is_none_now_is_not_withdrawn(lake: Lake) -> None:
    land(lake, "splits", "2020", 0, told("AAPL", 4))
    land(lake, "splits", "2020", 1, told("AAPL", -4))

    assert [Brought(1, 0, 1), Brought(1, 1, 0)] == bring(lake.store, "splits")
    assert [("AAPL", 1, 4, NOW)] == ratios(lake)
    key = keys.reference_rejects("splits", "massive", "2020")
    assert "rejects/splits/massive-2020.csv" == key
    rejected = lake.store.get(key).data.decode()
    assert rejected.startswith("reason,symbol,day,row\nratio is not of positive numbers,AAPL,")
    (entry,) = ledger.read(lake.store, "splits")["massive"].values()
    assert (1, 0, {"ratio is not of positive numbers": 1}) == (
        entry.rows,
        entry.accepted,
        entry.reasons,
    )


def test_bronze_that_is_gone_is_brought_again(lake: Lake) -> None:
    land(lake, "splits", "2020", 0, told("AAPL", 4))
    bring(lake.store, "splits")
    (Path(lake.store.location) / keys.SPLITS).unlink()

    assert [Brought(1, 0, 1)] == bring(lake.store, "splits")


def test_a_rebuild_makes_the_same_and_its_history(lake: Lake) -> None:
    for hours, ratio in enumerate((4, 5, 4)):
        land(lake, "splits", "2020", hours, told("AAPL", ratio))
        land(lake, "splits", "2021", hours, told("IBM", 1 + ratio, dt.date(2021, 3, 1)))
        bring(lake.store, "splits")
    tables = (keys.SPLITS, keys.SPLITS_HISTORY)
    expected = [lake.store.get(key).data for key in tables]
    for key in tables:
        (Path(lake.store.location) / key).unlink()

    report = ReferenceRebuilder(lake.store, lake.clock).reference()

    assert (6, 2, 2) == (report.answers, report.splits, report.changed)
    assert expected == [lake.store.get(key).data for key in tables]
    assert 0 == ReferenceRebuilder(lake.store, lake.clock).reference().changed


def test_a_rebuild_leaves_what_a_file_said(lake: Lake) -> None:
    land(lake, "splits", "2020", 0, told("AAPL", 4))
    bring(lake.store, "splits")
    later = SetClock(NOW + 9 * HOUR)
    splits.commit(lake.store, split("AAPL", DAY, 5), clock=later)
    splits.commit(lake.store, split("XYZ", DAY, 3), clock=later)
    expected = ratios(lake)

    assert 0 == ReferenceRebuilder(lake.store, lake.clock).reference().changed
    assert expected == ratios(lake)


def test_a_landed_answer_that_is_damaged_is_told(lake: Lake) -> None:
    key = land(lake, "splits", "2020", 0, told("AAPL", 4))
    path = Path(lake.store.location) / key
    path.write_bytes(path.read_bytes()[:-9])

    with pytest.raises(DamagedObjectError, match="is damaged"):
        bring(lake.store, "splits")


def names(lake: Lake) -> list[tuple[Any, ...]]:
    rows = listings.read(lake.store)
    return rows.select("listing", "symbol", "first", "last", "known_from").rows()


def tell(lake: Lake, hours: int, *rows: dict[str, Any]) -> int:
    """Land a day's tickers, bring the listings, and return how many rows changed."""
    day = (NOW + hours * HOUR).date()
    for state, is_active in (("active", True), ("delisted", False)):
        of_state = [row for row in rows if row["active"] is is_active]
        land(lake, "tickers", f"{state}/{day}", hours, *of_state)
    reference = reference_on(lake.store, "massive")
    return ReferenceBringer(lake.store, lake.store, "massive").listings(reference, ()).changed


def test_listings_change_only_where_what_is_said_changes(lake: Lake) -> None:
    assert 2 == tell(lake, 0, listed("AAPL", A), listed("IBM", B))
    assert 0 == tell(lake, 24, listed("AAPL", A), listed("IBM", B))
    assert 1 == tell(lake, 48, listed("AAPL", A, name="Apple"), listed("IBM", B))

    assert [
        (A, "AAPL", EPOCH, None, NOW + 48 * HOUR),
        (B, "IBM", EPOCH, None, NOW),
    ] == names(lake)


def test_a_listing_that_the_vendor_knows_no_more_is_said_no_more(lake: Lake) -> None:
    tell(lake, 0, listed("S", A))

    assert 2 == tell(lake, 24, listed("S", B))
    assert [(B, "S", EPOCH, None, NOW + 24 * HOUR)] == names(lake)
    history = read_frame(lake.store, keys.LISTINGS_HISTORY, LISTINGS_HISTORY)[0]
    assert [A] == history["listing"].to_list()


def test_half_a_snapshot_says_nothing_of_listings(lake: Lake) -> None:
    land(lake, "tickers", "active/2026-01-05", 0, listed("S", A))
    bringer = ReferenceBringer(lake.store, lake.store, "massive")

    assert Brought() == bringer.listings(reference_on(lake.store, "massive"), ())


def test_what_contradicts_is_kept_with_its_reason(lake: Lake) -> None:
    tell(lake, 0, listed("S", A), listed("S", B))

    key = keys.reference_rejects("listings", "massive", "2026-01-05")
    assert f"reason,listing,symbol\n{A} holds it now,{B},S\n" == lake.store.get(key).data.decode()


def test_a_rebuild_of_listings_leaves_those_of_files(lake: Lake) -> None:
    mine = pl.DataFrame(
        [("L1", "IBM", EPOCH, None, None, None, None)],
        {name: kind for name, kind in listings.read(lake.store).schema.items() if name in SAID},
        orient="row",
    )
    listings.commit(lake.store, mine, clock=SetClock(NOW - HOUR))
    tell(lake, 0, listed("AAPL", A), listed("IBM", B))
    tell(lake, 24, listed("AAPL", A, name="Apple"), listed("IBM", B))
    tables = (keys.LISTINGS, keys.LISTINGS_HISTORY)
    expected = [lake.store.get(key).data for key in tables]

    assert {"L1", A} == {row[0] for row in names(lake)}
    assert 0 == ReferenceRebuilder(lake.store, lake.clock).reference().changed
    assert expected == [lake.store.get(key).data for key in tables]


SAID = ("listing", "symbol", "first", "last", "name", "exchange", "kind")
