"""The table of trade conditions from a local vendor: as it tells it, or as it was before."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batch_layer import landing
from batch_layer.fetching.reference_report import Missed, Part
from batch_layer.local_vendor import LocalVendor
from fiblake import Lake
from lake import keys
from lake.conditions import bundled, load_conditions
from lake.event import EVERYTHING, HIGH_LOW, OPEN_CLOSE, VOLUME
from tests.fetching import EVENING, Fetching
from tests.reference import DAY

NAMES = {
    "updates_open_close": OPEN_CLOSE,
    "updates_high_low": HIGH_LOW,
    "updates_volume": VOLUME,
}
ODD_LOT = 37


def row(code: Any, moves: int = EVERYTHING, **other: Any) -> dict[str, Any]:
    rules = {name: bool(moves & bit) for name, bit in NAMES.items()}
    told = {"id": code, "name": f"Condition {code}", "update_rules": {"consolidated": rules}}
    return {**told, **other}


def with_odd_lots_that_count(vendor: LocalVendor) -> None:
    kept = [each for each in vendor.conditions if each["id"] != ODD_LOT]
    vendor.conditions = [*kept, row(ODD_LOT)]


def fetched(lake: Lake) -> Part:
    return lake.fetch_reference(start="2013-01-01").parts[-1]


def document(lake: Lake) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(lake.store.get(keys.CONDITIONS).data)
    return told


def rejects(lake: Lake) -> list[tuple[str, pl.DataFrame]]:
    root = Path(lake.store.location)
    found = sorted(lake.store.fingerprints("rejects/conditions/"))
    return [(key, pl.read_csv(root / key)) for key in found]


def test_the_lake_has_the_vendors_table(fetching: Fetching, vendor: LocalVendor) -> None:
    lake = fetching()
    part = fetched(lake)
    count = len(bundled().moves)

    assert Part("conditions", asked=1, pages=1, rows=count, changed=count) == part
    assert bundled().moves == load_conditions(lake.store).moves
    assert "2013-03-28" == load_conditions(lake.store).as_of
    told = document(lake)
    assert ["source", "as_of", "conditions"] == list(told)
    assert {"id", "name", *NAMES} == set(told["conditions"][0])
    (request,) = (each for each in vendor.requests if "conditions" in each.path)
    assert "asset_class=stocks&data_type=trade" in request.query


def test_all_pages_count(fetching: Fetching, vendor: LocalVendor) -> None:
    vendor.conditions = [row(code) for code in range(1_500)]
    lake = fetching()
    part = fetched(lake)

    assert (2, 1_500, 1_500) == (part.pages, part.rows, part.changed)
    assert 1_500 == len(load_conditions(lake.store).moves)


def test_only_the_rules_of_the_consolidated_tapes_count(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    elsewhere = {"market_center": dict.fromkeys(NAMES, False)}
    vendor.conditions = [
        row(1, VOLUME),
        row(2, update_rules=elsewhere),
        row(3, update_rules=None),
        row(4, update_rules={**elsewhere, "consolidated": dict.fromkeys(NAMES, True)}),
        {"id": 5, "name": "Condition 5"},
        # Another kind of condition of the same number, without rules.
        {"id": 1, "name": "Halted"},
    ]
    lake = fetching()
    fetched(lake)
    known = load_conditions(lake.store)

    assert {1: VOLUME, 4: EVERYTHING} == known.moves
    assert EVERYTHING == known.allowed([2, 3, 5], regular=True)


def test_a_table_that_tells_the_same_changes_nothing(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    fetched(fetching())
    before = fetching().store.get(keys.CONDITIONS)
    vendor.conditions = vendor.conditions[::-1]
    lake = fetching(EVENING + DAY)
    part = fetched(lake)

    assert (1, 0) == (part.asked, part.changed)
    assert before == lake.store.get(keys.CONDITIONS)


def test_a_table_that_differs_replaces(fetching: Fetching, vendor: LocalVendor) -> None:
    fetched(fetching())
    with_odd_lots_that_count(vendor)
    vendor.conditions = [*vendor.conditions[1:], row(99, 0)]
    lake = fetching(EVENING + DAY)
    part = fetched(lake)
    known = load_conditions(lake.store)

    # One is different, one new, and the first is gone.
    assert 3 == part.changed
    assert (EVERYTHING, 0, "2013-03-29") == (known.moves[ODD_LOT], known.moves[99], known.as_of)
    assert 0 not in known.moves


BROKEN = {
    "no conditions": ([], "Massive's answer is no table of conditions: no condition has rules."),
    "no rules": ([{"id": 1}], "no table of conditions: no condition has rules."),
    "no code": ([row("1")], "no table of conditions: '1' is no code."),
    "no dictionary": (
        [row(7, update_rules="none")],
        "no table of conditions: update_rules of code 7 is 'none', not rules.",
    ),
    "a rule less": (
        [row(7, update_rules={"consolidated": dict.fromkeys(list(NAMES)[:2], True)})],
        "updates_volume of code 7 is None, neither true nor false.",
    ),
    "told twice": (
        [row(7), row(7, HIGH_LOW | VOLUME)],
        "no table of conditions: code 7 has two sets of rules.",
    ),
    "an impossible bar": (
        [row(6), row(7, OPEN_CLOSE | VOLUME)],
        (
            "Massive's table of conditions lets code 7 move open and close, but not high and low: "
            "bars could close outside their range."
        ),
    ),
}


@pytest.mark.parametrize(("rows", "why"), BROKEN.values(), ids=BROKEN)
def test_what_can_be_no_table_is_refused_and_the_old_one_stays(
    fetching: Fetching, vendor: LocalVendor, rows: list[dict[str, Any]], why: str
) -> None:
    fetched(fetching())
    before = fetching().store.get(keys.CONDITIONS)
    vendor.conditions = rows
    lake = fetching(EVENING + DAY)
    part = fetched(lake)

    assert before == lake.store.get(keys.CONDITIONS)
    (missed,) = part.failed
    assert ("trade", True) == (missed.unit, missed.why.endswith(why))
    assert (len(rows), 0) == (part.rejected, part.changed)
    ((key, kept),) = rejects(lake)
    assert "rejects/conditions/massive-20130329T220000Z.csv" == key
    assert [missed.why] == kept["reason"].to_list()
    assert rows == json.loads(kept["page"][0])["results"]


def test_a_lake_without_a_table_keeps_fiblakes_where_the_vendors_is_refused(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    vendor.conditions = [row(7, OPEN_CLOSE | VOLUME)]
    lake = fetching()
    fetched(lake)

    assert keys.CONDITIONS not in lake.store.fingerprints("bronze/")
    assert bundled() == load_conditions(lake.store)


def test_a_refused_table_is_told_until_another_comes(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    vendor.conditions = [row(7, OPEN_CLOSE | VOLUME)]
    first = fetched(fetching())
    vendor.forget()
    again = fetched(fetching())
    vendor.conditions = [row(7, VOLUME)]
    later = fetched(fetching(EVENING + DAY))

    assert first.failed == again.failed
    assert [1, 0, 1] == [each.asked for each in (first, again, later)]
    assert ((), 1) == (later.failed, later.changed)


def test_a_table_that_the_vendor_does_not_tell_is_one_failure(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    vendor.fail("not_in_plan", path="conditions", times=None)
    lake = fetching()
    report = lake.fetch_reference(start="2013-01-01")

    assert 1 == report.failed
    assert [Missed] == [type(each) for each in report.parts[-1].failed]
    assert bundled() == load_conditions(lake.store)


def test_a_damaged_table_is_replaced(fetching: Fetching) -> None:
    lake = fetching()
    fetched(lake)
    expected = document(lake)
    for damage in (b"{", b'{"conditions": 1, "as_of": "2013-01-01"}', b"[]"):
        lake.store.put(keys.CONDITIONS, damage)
        fetched(lake)
        assert expected == document(lake)


def test_a_table_is_rebuilt_from_landing_alone(fetching: Fetching, vendor: LocalVendor) -> None:
    fetched(fetching())
    with_odd_lots_that_count(vendor)
    fetched(fetching(EVENING + DAY))
    fetched(fetching(EVENING + 2 * DAY))
    vendor.conditions = [row(7, OPEN_CLOSE | VOLUME)]
    lake = fetching(EVENING + 3 * DAY)
    fetched(lake)
    before, refused = lake.store.get(keys.CONDITIONS).data, rejects(lake)
    root = Path(lake.store.location)
    (root / keys.CONDITIONS).unlink()
    (root / refused[0][0]).unlink()
    vendor.forget()
    report = lake.rebuild_bronze().reference

    assert [] == vendor.requests
    assert 4 == len(landing.landed(lake.store, "massive", "conditions")["trade"])
    assert (len(bundled().moves), report.conditions) == (report.conditions, report.changed)
    assert before == lake.store.get(keys.CONDITIONS).data
    assert b'"2013-03-29"' in before
    assert [key for key, _ in refused] == [key for key, _ in rejects(lake)]
    assert 0 == lake.rebuild_bronze().reference.changed


def test_a_table_that_no_answer_told_survives_a_rebuild(fetching: Fetching) -> None:
    lake = fetching()
    told = {"as_of": "2012-01-01", "conditions": [{"id": 1, **dict.fromkeys(NAMES, True)}]}
    lake.store.put(keys.CONDITIONS, json.dumps(told).encode())
    report = lake.rebuild_bronze().reference

    assert told == document(lake)
    assert (0, 1, 0) == (report.answers, report.conditions, report.changed)


def test_no_condition_allows_open_and_close_without_high_and_low() -> None:
    moves = bundled().moves.values()

    assert [] == [each for each in moves if each & OPEN_CLOSE and not each & HIGH_LOW]


def test_the_day_of_a_table_is_that_of_the_exchange(fetching: Fetching) -> None:
    lake = fetching(dt.datetime(2013, 3, 29, 2, tzinfo=dt.UTC))
    fetched(lake)

    assert "2013-03-28" == load_conditions(lake.store).as_of
