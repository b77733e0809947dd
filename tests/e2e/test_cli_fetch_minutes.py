"""`fiblake fetch minutes` as a user types it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from batch_layer.local_vendor import LocalVendor
from tests.command_line import Run
from tests.fetching import FAST
from tests.selling import minutes_sold

SPAN = ("--start", "2013-01-14", "--end", "2013-01-16")


@pytest.fixture
def in_vendor(in_lake: Run, vendor: LocalVendor, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in {**vendor.settings, **FAST}.items():
        monkeypatch.setenv(name, value)
    return in_lake


def test_the_market_s_minutes_are_fetched_resampled_and_read(in_vendor: Run) -> None:
    ran = in_vendor("fetch", "minutes", *SPAN)

    assert (0, "silver is stale now: fiblake resample") == (ran.code, ran.err.strip())
    assert "minute bars from flatfiles: 3 sessions, 2013-01-14 to 2013-01-16" in ran.out
    assert 0 == in_vendor("resample").code
    again = json.loads(in_vendor("fetch", "minutes", *SPAN, "--json").out)
    assert (3, 0) == (again["already_there"], again["fetched"])


def test_some_symbols_minutes_are_fetched_from_massive(
    in_vendor: Run, vendor: LocalVendor, vendor_lake_folder: Path
) -> None:
    first, last = dt.date(2013, 1, 14), dt.date(2013, 1, 16)
    every = minutes_sold(vendor_lake_folder, first, last)
    names = every["symbol"].value_counts(sort=True)["symbol"].head(2).to_list()
    ran = in_vendor("fetch", "minutes", *names, *SPAN, "--json")
    report = json.loads(ran.out)

    assert ("minute", "massive", 6) == (report["kind"], report["source"], report["fetched"])
    assert 2 == len(vendor.requests)
    assert 0 == in_vendor("resample").code
    assert in_vendor("bars", names[0], "--interval", "5m", "--format", "csv").out.count("\n") > 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--source", "massive"), "name symbols, or take --source flatfiles: the whole market."),
        (("AAPL", "--source", "flatfiles"), "name none, or take --source massive."),
        (("--source", "yahoo"), "Allowed: flatfiles, massive."),
        (("A/B/C",), "'A/B/C' is no symbol."),
        (("--start", "2013-01-02", "--end", "2013-01-01"), "is after the end"),
    ],
)
def test_misuse_is_two(in_vendor: Run, arguments: tuple[str, ...], said: str) -> None:
    ran = in_vendor("fetch", "minutes", *arguments)

    assert (2, "") == (ran.code, ran.out)
    assert said in ran.err


def test_what_failed_is_told_of_and_is_one(in_vendor: Run) -> None:
    ran = in_vendor("fetch", "minutes", "NONESUCH", *SPAN)

    assert 1 == ran.code
    assert "2013-01-14 to 2013-01-16 (3)  NONESUCH: Massive has no minutes of it" in ran.out


def test_bronze_is_rebuilt_from_landing(in_vendor: Run) -> None:
    in_vendor("fetch", "minutes", *SPAN)
    ran = in_vendor("rebuild", "bronze")

    assert 0 == ran.code
    assert "minute bars: " in ran.out
    assert "as they should be" in ran.out
