"""What becomes of a fetch where the vendor, the plan, the keys or the lake fail."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batch_layer import landing
from batch_layer.fetching.daily_kind import DAILY
from batch_layer.fetching.session_fetch import Order
from batch_layer.local_vendor import LocalVendor
from lake import keys
from lake.errors import (
    InvalidRangeError,
    MisuseError,
    StoreError,
    VendorError,
    VendorKeyError,
    VendorRefusedError,
    VendorUnavailableError,
    VendorUnreachableError,
)
from lake.store import LocalStore
from tests.fetching import Fetching, asked, counts
from tests.parts import free_port
from tests.vendor import FIRST

START = dt.date(2012, 12, 3)
END = dt.date(2013, 1, 31)
SESSIONS = 41
DAY = dt.date(2013, 1, 15)
OLD = r"stocks/2012-(0|10|11)"


def test_what_the_plan_leaves_out_is_told_once_and_hardly_asked_for(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    vendor.fail("not_in_plan", path=OLD, times=None)
    report = fetching().fetch_daily(start=FIRST, end=END)

    assert {"fetched": SESSIONS, "failed": 230} == counts(report)
    assert 1 == len({failure.why.partition("stocks/")[0] for failure in report.failed})
    assert len(asked(vendor)) < SESSIONS + 40


def test_without_a_start_the_plan_s_first_session_is_where_the_bars_begin(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    vendor.fail("not_in_plan", path=OLD, times=None)
    lake = fetching()
    report = lake.fetch_daily(end=END)

    assert {"fetched": SESSIONS} == counts(report)
    assert START == report.start
    assert {"there": SESSIONS} == counts(lake.fetch_daily(end=END))


def test_a_plan_that_has_nothing_of_it_is_an_error(fetching: Fetching, vendor: LocalVendor) -> None:
    vendor.fail("not_in_plan", times=None)

    with pytest.raises(VendorRefusedError, match="plan"):
        fetching().fetch_daily(start=START, end=END)


def test_a_session_that_fails_does_not_hold_up_the_rest(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    vendor.fail("error", session=DAY, times=None, status=500)
    vendor.fail("cut", session=dt.date(2013, 1, 8), times=None)
    lake = fetching()
    report = lake.fetch_daily(start=START, end=END)

    assert {"fetched": SESSIONS - 2, "failed": 2} == counts(report)
    assert [DAY, dt.date(2013, 1, 8)] == [failure.session for failure in report.failed]
    assert "answers 500" in report.failed[0].why
    assert "is no JSON" in report.failed[1].why
    vendor.heal()
    assert {"there": SESSIONS - 2, "fetched": 2} == counts(lake.fetch_daily(start=START, end=END))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("unauthorized", VendorKeyError),
        ("html", VendorUnreachableError),
        ("error", VendorUnavailableError),
        ("throttled", VendorUnavailableError),
    ],
)
def test_a_vendor_that_fails_for_good_ends_it_with_one_error(
    fetching: Fetching, vendor: LocalVendor, kind: Any, error: type[VendorError]
) -> None:
    vendor.fail(kind, times=None)
    lake = fetching()
    with pytest.raises(error):
        lake.fetch_daily(start=START, end=END)

    assert {} == lake.store.fingerprints(keys.LANDING)
    assert {} == lake.store.fingerprints("bronze/")
    assert len(vendor.requests) < 100


def test_what_had_landed_when_the_vendor_failed_stays(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    vendor.fail("unauthorized", session=DAY)
    lake = fetching()
    with pytest.raises(VendorKeyError):
        lake.fetch_daily(start=START, end=END)
    had_landed = len(landing.landed(lake.store, "massive", "daily"))
    vendor.forget()
    report = lake.fetch_daily(start=START, end=END)

    assert 0 < had_landed == SESSIONS - len(asked(vendor))
    assert SESSIONS == report.fetched + report.already_there + report.from_landing


def test_no_vendor_at_all_is_one_error(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIBLAKE_MASSIVE_URL", f"http://127.0.0.1:{free_port()}")
    lake = fetching()
    with pytest.raises(VendorUnreachableError, match="Connection refused"):
        lake.fetch_daily(start=START, end=END)

    assert {} == lake.store.fingerprints(keys.LANDING)


def test_without_a_key_what_is_there_is_there(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching().fetch_daily(start=START, end=END)
    monkeypatch.delenv("FIBLAKE_MASSIVE_KEY")

    assert {"there": SESSIONS} == counts(fetching().fetch_daily(start=START, end=END))
    with pytest.raises(VendorKeyError, match="There is no key for Massive"):
        fetching().fetch_daily(start=START, end="2013-02-01")


def test_what_cannot_be_is_refused(fetching: Fetching) -> None:
    with pytest.raises(InvalidRangeError, match="2013-01-02 is after the end 2013-01-01"):
        fetching().fetch_daily(start="2013-01-02", end="2013-01-01")
    with pytest.raises(MisuseError, match=r"'yahoo' is no source .* Allowed: massive, flatfiles"):
        fetching().fetch_daily("yahoo")


@pytest.mark.parametrize(
    ("name", "value"),
    [("SECRET_ACCESS_KEY", "wrong-secret"), ("ACCESS_KEY_ID", "wrong-id")],
)
def test_wrong_keys_of_flat_files_are_one_error(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"FIBLAKE_FLATFILES_{name}", value)

    with pytest.raises(VendorKeyError, match="flat files refuse the keys") as caught:
        fetching().fetch_daily("flatfiles", start=START, end=END)
    assert "wrong-secret" not in str(caught.value)


def test_flat_files_without_keys_do_not_take_those_of_aws(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIBLAKE_FLATFILES_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local-secret")

    with pytest.raises(VendorKeyError, match="There are no keys for Massive's flat files"):
        fetching().fetch_daily("flatfiles", start=START, end=END)


@pytest.mark.parametrize("kind", ["truncated", "reset", "error", "throttled"])
def test_a_flat_file_that_breaks_off_is_fetched_anew(
    fetching: Fetching, vendor: LocalVendor, kind: Any
) -> None:
    vendor.fail(kind, path=str(DAY), times=2)
    report = fetching().fetch_daily("flatfiles", start=START, end=END)

    assert {"fetched": SESSIONS} == counts(report)


@pytest.mark.parametrize("kind", ["truncated", "cut"])
def test_a_flat_file_that_is_never_whole_does_not_land(
    fetching: Fetching, vendor: LocalVendor, kind: Any
) -> None:
    vendor.fail(kind, path=str(DAY), times=None)
    lake = fetching()
    report = lake.fetch_daily("flatfiles", start=START, end=END)

    assert {"fetched": SESSIONS - 1, "failed": 1} == counts(report)
    assert "(asked 3 times)" in report.failed[0].why
    assert str(DAY) not in landing.landed(lake.store, "flatfiles", "daily")


def test_a_damaged_answer_is_told_of_and_can_be_fetched_again(fetching: Fetching) -> None:
    lake = fetching()
    lake.fetch_daily(start=START, end=END)
    (key,) = landing.landed(lake.store, "massive", "daily")[str(DAY)]
    lake.store.put(key, lake.store.get(key).data[:-20])
    store = LocalStore(Path(lake.store.location))
    for each in store.fingerprints("meta/ledger/"):
        store.put(each, b"{}")
    report = lake.fetch_daily(start=START, end=END)

    assert {"from landing": SESSIONS - 1, "failed": 1} == counts(report)
    assert f"{key} in {lake.store.location} is damaged" in report.failed[0].why


def test_who_waits_for_the_vendor_when_time_is_over_gives_up(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    vendor.fail("throttled", retry_after=600, times=None)
    fetcher = replace(fetching().fetcher(), is_over=lambda: len(vendor.requests) >= 1)
    report = fetcher.fetch(Order("massive", START, END))

    assert (0, SESSIONS) == (report.fetched, report.not_asked)


def test_a_lake_that_cannot_be_written_ends_those_who_wait_to_ask(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    # Who asked for this would wait for ten minutes.
    vendor.fail("throttled", session=dt.date(2013, 1, 30), retry_after=600)
    lake = fetching()
    lake.store.put("bronze/daily/year=2013", b"where a folder should be")
    fetcher = replace(lake.fetcher(), kind=replace(DAILY, chunk=1))

    with pytest.raises(StoreError, match="Could not"):
        fetcher.fetch(Order("massive", START, END))
    assert str(END) in landing.landed(lake.store, "massive", "daily")
