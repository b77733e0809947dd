"""The routes of reference data, against what was put into the lake."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from batch_layer.bronze import daily, dividends, listings, splits
from fiblake import Lake
from lake import keys
from lake.parquet import encode_frame
from lake.schemas import DIFFERENCES
from tests.api import Api, problem
from tests.conftest import NOW
from tests.frames import dividend, set_clock, split

DAY = dt.date(2012, 6, 4)


@pytest.fixture
def api(lake: Lake, bars_file: Path) -> Api:
    """A lake of two symbols, of which A was C before."""
    lake.import_files(bars_file)
    kinds = {"name": "Acorn", "exchange": "XNYS", "kind": "CS"}
    spans = [("L1", "C", dt.date(2012, 3, 1), dt.date(2012, 3, 2))]
    spans += [("L1", "A", dt.date(2012, 3, 3), None)]  # type: ignore[list-item]
    columns = {"listing": pl.String(), "symbol": pl.String(), "first": pl.Date(), "last": pl.Date()}
    told = pl.DataFrame(spans, columns, orient="row")
    told = told.with_columns(pl.lit(value).alias(name) for name, value in kinds.items())
    listings.commit(lake.store, told, clock=lake.clock)
    return Api(lake)


def test_sessions_have_their_hours_and_early_closes(api: Api) -> None:
    asked = {"start": "2012-07-03", "end": "2012-07-05"}
    found = api.get("/v1/sessions", **asked).json()["sessions"]

    assert [("2012-07-03", True), ("2012-07-05", False)] == [
        (each["session"], each["is_early_close"]) for each in found
    ]
    assert ("2012-07-03T13:30:00Z", "2012-07-03T17:00:00Z") == (found[0]["open"], found[0]["close"])
    assert found[0]["ordinal"] + 1 == found[1]["ordinal"]


def test_closes_of_their_time_are_not_early(api: Api) -> None:
    def early(year: int) -> int:
        asked = {"start": f"{year}-01-01", "end": f"{year}-12-31"}
        found = api.get("/v1/sessions", **asked).json()["sessions"]
        return sum(each["is_early_close"] for each in found)

    assert (0, 3) == (early(1965), early(2024))


def test_symbols_have_what_reference_data_tell(api: Api) -> None:
    found = api.get("/v1/symbols").json()["symbols"]
    assert [("A", "A<2012-03-03", None), ("A", "L1", "Acorn"), ("B", "B", None)] == [
        (each["symbol"], each["listing"], each.get("name")) for each in found
    ]
    on_first = api.get("/v1/symbols", listed_on="2012-03-01").json()["symbols"]
    assert ["A<2012-03-03", "B"] == [each["listing"] for each in on_first]
    assert [] == api.get("/v1/symbols", listed_on="2013-01-02").json()["symbols"]


def test_actions_are_those_in_force_or_known_then(api: Api, lake: Lake) -> None:
    splits.commit(lake.store, split("A", DAY, 2), clock=lake.clock)
    dividends.commit(lake.store, dividend("A", DAY, 0.5), clock=lake.clock)
    set_clock(lake, NOW + dt.timedelta(days=1))
    splits.commit(lake.store, split("A", DAY, 3), clock=lake.clock)
    dividends.commit(lake.store, dividend("A", DAY, 0), clock=lake.clock)

    def told(path: str, field: str, **asked: str) -> list[float]:
        return [each[field] for each in api.get(f"/v1/{path}/a", **asked).json()[path]]

    then = {"known_at": "2026-01-05T12:00:00Z"}
    assert ([3.0], [2.0]) == (told("splits", "split_to"), told("splits", "split_to", **then))
    assert ([], [0.5]) == (told("dividends", "amount"), told("dividends", "amount", **then))
    assert [] == api.get("/v1/splits/B").json()["splits"]


@pytest.mark.parametrize("path", ["splits", "dividends", "reconciliation"])
def test_of_a_symbol_that_is_unknown_nothing_is_told(api: Api, path: str) -> None:
    told = problem(api.get(f"/v1/{path}/NOPE"))

    assert (404, "it has A, B.") == (told["status"], told["hint"])
    assert 200 == api.get(f"/v1/{path}/B").status_code


def test_what_a_symbol_without_bars_has_is_told(api: Api, lake: Lake) -> None:
    splits.commit(lake.store, split("NEW", DAY, 2), clock=lake.clock)

    assert 1 == len(api.get("/v1/splits/NEW").json()["splits"])


def test_quality_counts_what_is_missing_corrected_and_refused(
    api: Api, lake: Lake, tmp_path: Path
) -> None:
    gone = pl.DataFrame({"symbol": ["B"], "session": [DAY]})
    daily.withdraw(lake.store, gone, clock=lake.clock)
    path = tmp_path / "more.csv"
    rows = ["B,2012-06-05,10,12,9,11,200", "b,2012-06-06,10,1,9,11,200", "A,2012-06-06,1,-1,1,1,1"]
    path.write_text("\n".join(["symbol,date,open,high,low,close,volume", *rows]) + "\n", "utf-8")
    lake.import_files(path)

    assert {
        "listing": "B",
        "first": "2012-03-01",
        "last": "2012-06-29",
        "expected": 85,
        "present": 84,
        "missing": ["2012-06-04"],
        "corrections": 1,
        "rejected": 1,
    } == api.get("/v1/quality/B").json()
    assert 404 == problem(api.get("/v1/quality/nope"))["status"]


def test_differences_between_the_layers_are_told_by_symbol(api: Api, lake: Lake) -> None:
    asked = {"start": "2012-06-01", "end": "2012-06-30"}
    assert [] == api.get("/v1/reconciliation/B", **asked).json()["differences"]
    told = dict.fromkeys(DIFFERENCES.names)
    told |= {"interval": "1d", "session": DAY, "hours": "regular", "start": 0}
    told |= {"cause": "late", "fields": "volume", "speed_volume": 1.0, "batch_volume": 2.0}
    kinds = pl.DataFrame(DIFFERENCES.empty_table()).schema
    rows = pl.DataFrame([told | {"symbol": name} for name in ("A", "B")], schema=kinds)
    lake.store.put(keys.differences(DAY), encode_frame(rows, DIFFERENCES))

    (found,) = api.get("/v1/reconciliation/B", **asked).json()["differences"]

    assert ("B", "1d", "2012-06-04", "late") == (
        *(found["symbol"], found["interval"]),
        *(found["start"], found["cause"]),
    )
    assert [] == api.get("/v1/reconciliation/B", end="2012-06-03").json()["differences"]
