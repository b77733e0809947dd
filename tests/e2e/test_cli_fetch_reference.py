"""`fiblake fetch reference` as a user types it."""

from __future__ import annotations

import json
import re

import pytest

from batch_layer.generating.trading import record
from batch_layer.local_vendor import LocalVendor
from fiblake import Lake
from tests.command_line import Run
from tests.days import SESSION
from tests.fetching import FAST
from tests.trading import frame, trade

SPAN = ("--start", "2012-01-01", "--end", "2013-12-31")
TABLE = """\

                asked  there  pages  rows  rejected  new or changed  failed
──────────────  ─────  ─────  ─────  ────  ────────  ──────────────  ──────
tickers             2      0      2   200         0               0       0
ticker details      0      0      0     0         0               0       0
ticker events       0      0      0     0         0               0       0
listings            0      0      0   200         0             200       0
splits              2      0      2     5         0               5       0
dividends           2      0      2   130         0             130       0
conditions          1      0      1    31         0              31       0
"""


@pytest.fixture
def in_vendor(in_lake: Run, vendor: LocalVendor, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in {**vendor.settings, **FAST}.items():
        monkeypatch.setenv(name, value)
    return in_lake


def test_a_fetch_ends_with_a_table(in_vendor: Run) -> None:
    ran = in_vendor("fetch", "reference", *SPAN)
    first, _, rest = ran.out.partition("\n")

    assert (0, "silver is stale now: fiblake resample\n") == (ran.code, ran.err)
    assert re.fullmatch(r"reference data from massive \(\d+\.\d\d s\)", first)
    assert TABLE == rest


def test_a_second_fetch_has_nothing_to_ask(in_vendor: Run, vendor: LocalVendor) -> None:
    in_vendor("fetch", "reference", *SPAN)
    vendor.forget()
    ran = in_vendor("fetch", "reference", *SPAN)

    assert (0, "", []) == (ran.code, ran.err, vendor.requests)
    assert "tickers             0      2      0     0         0               0       0" in ran.out


def test_a_failure_is_told_with_its_reason_and_is_one(in_vendor: Run, vendor: LocalVendor) -> None:
    vendor.fail("not_in_plan", path="splits.*2012", times=None)
    ran = in_vendor("fetch", "reference", *SPAN)

    assert 1 == ran.code
    assert "failed       why\n───────────  " in ran.out
    assert (
        "splits 2012  Massive refuses /v3/reference/splits: Your plan doesn't include this data "
        "timeframe. Please upgrade your plan at https://massive.com/pricing.\n" in ran.out
    )


def test_a_report_is_json_where_that_is_asked_for(in_vendor: Run) -> None:
    report = json.loads(in_vendor("fetch", "reference", *SPAN, "--json").out)

    assert ["source", "parts", "seconds"] == list(report)
    assert {
        "what": "dividends",
        "asked": 2,
        "there": 0,
        "pages": 2,
        "rows": 130,
        "rejected": 0,
        "changed": 130,
        "failed": [],
    } == report["parts"][-2]


def test_a_pace_that_takes_minutes_is_told_of(
    in_vendor: Run, vendor: LocalVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIBLAKE_MASSIVE_CALLS_PER_MINUTE", "5")
    vendor.fail("unauthorized", times=None)
    ran = in_vendor("fetch", "reference", *SPAN)

    assert (
        "7 calls or more, 5 a minute, take 1 minutes or more; a plan that allows more: "
        "FIBLAKE_MASSIVE_CALLS_PER_MINUTE" == ran.err.splitlines()[0]
    )


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("wrong", "error: Massive refuses the key: Unknown API Key. Hint: set FIBLAKE_MASSIVE_KEY"),
        ("", "error: There is no key for Massive. Hint: set FIBLAKE_MASSIVE_KEY"),
    ],
)
def test_a_wrong_key_is_one_line(
    in_vendor: Run, monkeypatch: pytest.MonkeyPatch, key: str, said: str
) -> None:
    monkeypatch.setenv("FIBLAKE_MASSIVE_KEY", key)
    ran = in_vendor("fetch", "reference", *SPAN)

    assert (1, "", 1) == (ran.code, ran.out, len(ran.err.strip().splitlines()))
    assert ran.err.startswith(said)


@pytest.mark.parametrize(
    "arguments", [("--start", "2013-01-02", "--end", "2013-01-01"), ("--start", "yesterday")]
)
def test_misuse_is_two(in_vendor: Run, arguments: tuple[str, ...]) -> None:
    assert 2 == in_vendor("fetch", "reference", *arguments).code


def test_a_rebuild_tells_of_reference_data(in_vendor: Run) -> None:
    in_vendor("fetch", "reference", *SPAN)
    ran = in_vendor("rebuild", "bronze")

    assert 0 == ran.code
    assert (
        "reference data of 7 answers: 5 splits, 130 dividends, 200 rows of listings, "
        "31 trade conditions, 0 new or changed\n" in ran.out
    )


def test_a_newer_table_of_conditions_makes_recorded_sessions_stale(
    in_vendor: Run, vendor: LocalVendor, lake: Lake
) -> None:
    told = [trade(SESSION, "10:00:30"), trade(SESSION, "10:00:40", 12.0, conditions=(37,))]
    record(lake.store, "test", SESSION, frame(told))
    made = "1 sessions of recorded trades: 2 in force"
    assert made in in_vendor("resample").err
    in_vendor("fetch", "reference", *SPAN)
    assert made not in in_vendor("resample").err
    before = lake.bars("AA", "1d")["high"].to_list()
    for each in vendor.conditions:
        if each["id"] == 37:
            vendor.conditions = [each | {"update_rules": vendor.conditions[0]["update_rules"]}]
    in_vendor("fetch", "reference", *SPAN, "--again")

    assert made in in_vendor("resample").err
    assert made not in in_vendor("resample").err
    assert ([10.0], [12.0]) == (before, lake.bars("AA", "1d")["high"].to_list())
