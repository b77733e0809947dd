"""Lambda's handlers, against a local vendor: once, twice, at once, and out of time."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from batch_layer import handlers
from batch_layer.local_vendor import LocalVendor
from fiblake import Lake
from lake import keys
from lake.errors import MisuseError, VendorError, VendorKeyError
from tests.emf import emf_values
from tests.fetching import Fetching, asked, bars_of, sold
from tests.selling import minutes_in, minutes_sold

START = dt.date(2012, 12, 3)
END = dt.date(2013, 1, 31)
EVENT = {"start": "2012-12-03", "end": "2013-01-31"}
SESSIONS = 41


class Minutes:
    """Lambda's context: so many minutes are left, less each time it is asked."""

    def __init__(self, left: float = 15, cost: float = 0) -> None:
        self._left_ms = 60_000 * left
        self._cost_ms = 60_000 * cost

    def get_remaining_time_in_millis(self) -> int:
        self._left_ms -= self._cost_ms
        return int(self._left_ms)


class UntilAsked:
    """Lambda's context: time is left until the vendor was asked for so many more sessions."""

    def __init__(self, vendor: LocalVendor, sessions: int) -> None:
        self._vendor = vendor
        self._last = len(asked(vendor)) + sessions

    def get_remaining_time_in_millis(self) -> int:
        return 900_000 if len(asked(self._vendor)) < self._last else 0


@pytest.fixture
def on_lake(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """An empty lake that the handlers are told of by the environment."""
    lake = fetching()
    monkeypatch.setenv("FIBLAKE_LAKE", lake.store.location)
    return lake


def ran(summary: Mapping[str, Any]) -> dict[str, Any]:
    """A summary as Lambda hands it on: as JSON."""
    answer: dict[str, Any] = json.loads(json.dumps(summary))
    return answer


def test_a_backfill_fetches_what_is_missing(on_lake: Lake, vendor_lake_folder: Path) -> None:
    summary = ran(handlers.backfill(EVENT, Minutes()))

    assert ("done", SESSIONS, None) == tuple(summary[name] for name in ("state", "fetched", "next"))
    assert sold(vendor_lake_folder, START, END).equals(bars_of(on_lake.store, START, END))


def test_an_event_that_comes_again_asks_nothing(on_lake: Lake, vendor: LocalVendor) -> None:
    event = {"version": "0", "source": "aws.events", "detail": EVENT}
    handlers.daily(event, Minutes())
    vendor.forget()

    summary = ran(handlers.daily(event, Minutes()))

    assert ("done", 0, SESSIONS) == tuple(
        summary[name] for name in ("state", "fetched", "already_there")
    )
    assert [] == vendor.requests
    assert on_lake.status().bronze.sessions == SESSIONS


def test_of_two_at_once_one_fetches(on_lake: Lake, vendor: LocalVendor) -> None:
    ready = threading.Barrier(2)

    def invoke() -> str:
        ready.wait()
        return str(handlers.backfill(EVENT, Minutes())["state"])

    with ThreadPoolExecutor(2) as lambdas:
        states = sorted(each.result() for each in [lambdas.submit(invoke) for _ in range(2)])

    # One that began when the other was done found everything there.
    assert states in (["busy", "done"], ["done", "done"])
    assert len(asked(vendor)) == len(set(asked(vendor))) == SESSIONS
    assert on_lake.status().bronze.sessions == SESSIONS


def test_a_backfill_goes_on_where_time_ran_out(
    on_lake: Lake, vendor: LocalVendor, vendor_lake_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIBLAKE_FETCH_WORKERS", "1")
    event: dict[str, Any] | None = EVENT
    slices = 0
    while event is not None:
        summary = ran(handlers.backfill(event, Minutes(left=15, cost=0.8)))
        assert ("continue" if summary["next"] else "done") == summary["state"]
        event = summary["next"]
        slices += 1

    assert 2 < slices < SESSIONS
    assert len(asked(vendor)) == len(set(asked(vendor))) == SESSIONS
    assert sold(vendor_lake_folder, START, END).equals(bars_of(on_lake.store, START, END))


def test_a_function_with_too_little_time_does_not_go_on_for_ever(on_lake: Lake) -> None:
    with pytest.raises(VendorError, match=r"None of 41 sessions could be had before the time"):
        handlers.backfill(EVENT, Minutes(left=0.1, cost=0.09))

    assert {} == on_lake.store.fingerprints("bronze/")


def test_the_daily_handler_looks_at_the_last_week(on_lake: Lake, vendor: LocalVendor) -> None:
    summary = ran(handlers.daily({}, Minutes()))

    # The vendor sells nothing of this year: not yet.
    assert summary["state"] == "done"
    assert 0 < len(summary["not_yet"]) == summary["sessions"] <= 6
    assert {session[:4] for session in summary["not_yet"]} == {
        str(day.year) for day in asked(vendor)
    }
    assert {} == on_lake.store.fingerprints("bronze/")


def test_a_session_that_failed_fails_the_invocation(on_lake: Lake, vendor: LocalVendor) -> None:
    vendor.fail("wrong_count", session=dt.date(2013, 1, 15), times=None)

    with pytest.raises(VendorError, match="1 sessions failed, the first 2013-01-15"):
        handlers.backfill(EVENT, Minutes())

    assert on_lake.status().bronze.sessions == SESSIONS - 1


@pytest.mark.usefixtures("on_lake")
@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"form": "2012-12-03"}, "The event has form. Allowed: source, start, end."),
        (
            {"detail": None},
            "The event's detail is None. Allowed: an object with some of its fields.",
        ),
        ({"start": "soon"}, "The event's start is 'soon'. Allowed: a date, as 2025-10-03."),
        ({"end": 20251003}, "The event's end is 20251003. Allowed: a date, as 2025-10-03."),
        ({"source": "nobody"}, "'nobody' is no source of daily bars. Allowed: massive, flatfiles."),
    ],
)
def test_an_event_that_is_none_is_refused(event: dict[str, Any], message: str) -> None:
    with pytest.raises(MisuseError, match=message):
        handlers.backfill(event, Minutes())


def test_without_a_key_nothing_is_done(on_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIBLAKE_MASSIVE_KEY")

    with pytest.raises(VendorKeyError, match="There is no key for Massive"):
        handlers.backfill(EVENT, Minutes())

    assert {} == on_lake.store.fingerprints("bronze/")


def test_the_minutes_handler_fetches_the_market_s_minutes(
    on_lake: Lake, vendor: LocalVendor, vendor_lake_folder: Path
) -> None:
    event = {"start": "2013-01-14", "end": "2013-01-16"}
    summary = ran(handlers.minutes(event, Minutes()))
    days = dt.date(2013, 1, 14), dt.date(2013, 1, 16)

    assert ("done", "flatfiles", 3) == tuple(
        summary[name] for name in ("state", "source", "fetched")
    )
    assert (
        minutes_sold(vendor_lake_folder, *days)
        .drop("vwap")
        .equals(minutes_in(on_lake.store).drop("vwap"))
    )
    vendor.forget()
    assert 3 == ran(handlers.minutes({"detail": event}, Minutes()))["already_there"]
    assert [] == asked(vendor)


def test_the_minutes_handler_goes_on_where_time_ran_out(
    on_lake: Lake, vendor: LocalVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIBLAKE_FETCH_WORKERS", "1")
    event: dict[str, Any] | None = {"start": "2013-01-14", "end": "2013-01-18"}
    slices = 0
    while event is not None:
        summary = ran(handlers.minutes(event, UntilAsked(vendor, 2)))
        event = summary["next"]
        slices += 1

    assert slices > 1
    assert 5 == len(asked(vendor)) == len(set(asked(vendor)))
    assert 5 == len(keys.by_session(on_lake.store.fingerprints(keys.MINUTE)))


@pytest.mark.usefixtures("on_lake")
def test_the_minutes_handler_looks_at_the_last_week_of_flat_files() -> None:
    summary = ran(handlers.minutes({}, Minutes()))

    assert "done" == summary["state"]
    assert 0 < len(summary["not_yet"]) == summary["sessions"] <= 6
    with pytest.raises(MisuseError, match="'massive' is no source of minute bars"):
        handlers.minutes({"source": "massive"}, Minutes())


def test_reference_data_are_fetched_and_what_landed_is_there(
    on_lake: Lake, vendor: LocalVendor
) -> None:
    handlers.backfill(EVENT, Minutes())

    summary = ran(handlers.reference(EVENT, Minutes()))
    vendor.forget()
    again = ran(handlers.reference(EVENT, Minutes()))

    assert ("done", 2) == (summary["state"], summary["splits"]["asked"])
    assert summary["changed"] > 0
    assert ("done", 0, 0) == (again["state"], again["changed"], again["splits"]["asked"])
    assert [] == vendor.requests
    assert on_lake.status().bronze.splits == summary["splits"]["changed"]


@pytest.mark.usefixtures("on_lake")
def test_reference_data_come_from_one_source() -> None:
    with pytest.raises(MisuseError, match="'flatfiles' is no source of reference data"):
        handlers.reference({"source": "flatfiles"}, Minutes())


def test_reference_data_that_failed_fail_the_invocation(on_lake: Lake, vendor: LocalVendor) -> None:
    vendor.fail("wrong_count", path="/v3/reference/splits", times=None)

    with pytest.raises(VendorError, match=r"units failed, the first splits 201\d"):
        handlers.reference(EVENT, Minutes())

    assert on_lake.store.fingerprints("landing/massive/tickers/")


def test_an_invocation_tells_cloudwatch_what_it_did_and_one_that_fails_as_well(
    on_lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIBLAKE_EMF", "true")
    handlers.backfill(EVENT, Minutes())
    done = emf_values(capsys.readouterr().err)
    with pytest.raises(VendorError):
        handlers.backfill({"start": "2000-01-03"}, Minutes(left=0.1, cost=0.09))
    failed = emf_values(capsys.readouterr().err)

    assert on_lake.store.fingerprints("bronze/")
    assert (SESSIONS, 0, 0, 1) == (
        done["fiblake_fetched_total", "fetch", "daily", "fetched"],
        done["fiblake_fetched_total", "fetch", "daily", "failed"],
        done["fiblake_rows_total", "fetch", "daily", "rejected"],
        done["fiblake_jobs_total", "fetch", "daily", "done"],
    )
    assert done["fiblake_rows_total", "fetch", "daily", "accepted"] > 0
    assert done["fiblake_job_seconds", "fetch", "daily"] > 0
    assert (0, 1) == (
        failed["fiblake_jobs_total", "fetch", "daily", "done"],
        failed["fiblake_jobs_total", "fetch", "daily", "failed"],
    )
