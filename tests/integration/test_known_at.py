"""What the lake knew, asked for later, against what it answered then.

time    |---- import ---- withdraw ---- split ---- correct ---->
answers      ^ recorded   ^ recorded    ^ ...
later   known_at = each of those instants: the same answers, bar by bar, field by field
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch_layer.bronze import daily, dividends, splits
from fiblake import Lake
from lake import keys
from lake.errors import EmptyLakeError, InvalidRangeError, UnknownSymbolError
from lake.interval import FIBONACCI
from lake.session import SessionTable
from tests.conftest import NOW
from tests.frames import assert_bars_close, commit, dividend, set_clock, split
from tests.integration.test_adjustment import DAYS, RATIOS
from tests.integration.test_resample import FIRST, LAST, new_lake, plain_bars
from tests.strategies import daily_bars

FEW = settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = ("AA", "B", "C.D")
Rows = list[dict[str, Any]]
Change = Callable[[Lake], object]


def answer(lake: Lake, names: Iterable[str], **asked: Any) -> Rows:
    return lake.bars(names, **asked).to_dicts() if names else []


def known_now(lake: Lake) -> list[str]:
    return lake.symbols()["symbol"].to_list()


@st.composite
def changes(draw: st.DrawFn, table: SessionTable) -> Change:
    """An import, a withdrawal, a split or a dividend, new or corrected."""
    kind = draw(st.sampled_from(["import", "import", "withdraw", "split", "dividend"]))
    if kind == "split":
        # Few days: so that a split is corrected now and then.
        day = draw(st.sampled_from([dt.date(2003, 12, 12), dt.date(2004, 1, 9), LAST]))
        rows = split(draw(st.sampled_from(NAMES)), day, *draw(RATIOS))
        return lambda lake: splits.commit(lake.store, rows, clock=lake.clock)
    if kind == "dividend":
        day = draw(st.sampled_from([dt.date(2003, 12, 15), dt.date(2004, 1, 9)]))
        paid = dividend(draw(st.sampled_from(NAMES)), day, draw(st.sampled_from([0, 0.25, 9])))
        return lambda lake: dividends.commit(lake.store, paid, clock=lake.clock)
    bars = draw(daily_bars(table, first=FIRST, last=LAST, symbols=NAMES))
    if kind == "withdraw":
        gone = bars.select("symbol", "session")
        return lambda lake: daily.withdraw(lake.store, gone, clock=lake.clock)
    return lambda lake: commit(lake, bars)


@FEW
@given(data=st.data())
def test_what_was_known_is_what_was_answered_then(
    blank_lake: Path, sessions: SessionTable, data: st.DataObject
) -> None:
    lake = new_lake(blank_lake)
    intervals = ("1d", str(data.draw(st.sampled_from(FIBONACCI))))
    as_of = data.draw(st.none() | DAYS)
    asked: list[dict[str, Any]] = [
        {"interval": interval, "adjustment": adjustment, "as_of": as_of}
        for interval in intervals
        for adjustment in ("raw", "split", "all")
    ]
    commit(lake, data.draw(daily_bars(sessions, first=FIRST, last=LAST, symbols=NAMES)))
    recorded: list[tuple[dt.datetime, list[Rows]]] = []
    ever: set[str] = set()

    def record() -> None:
        lake.resample()
        names = known_now(lake)
        ever.update(names)
        recorded.append((lake.clock.now(), [answer(lake, names, **each) for each in asked]))

    instant = NOW
    for change in data.draw(st.lists(changes(sessions), min_size=1, max_size=5)):
        record()
        # Some within a second, some years later: by then a day is today.
        instant += data.draw(st.sampled_from([dt.timedelta(milliseconds=1), dt.timedelta(400)]))
        set_clock(lake, instant)
        change(lake)
    record()

    set_clock(lake, instant + dt.timedelta(1000))
    for then, answers in recorded:
        for each, expected in zip(asked, answers, strict=True):
            assert_bars_close(expected, answer(lake, sorted(ever), **each, known_at=then))


DAY = dt.date(2012, 5, 18)
HOUR = dt.timedelta(hours=1)


def revised(lake: Lake) -> Lake:
    """FB's bar of one day: known from NOW, corrected after an hour, withdrawn after two."""
    commit(lake, plain_bars("FB", [DAY]))
    commit(lake, plain_bars("IBM", [DAY]))
    set_clock(lake, NOW + HOUR)
    commit(lake, plain_bars("FB", [DAY], close=11.0))
    set_clock(lake, NOW + 2 * HOUR)
    gone = pl.DataFrame({"symbol": ["FB"], "session": [DAY]})
    daily.withdraw(lake.store, gone, clock=lake.clock)
    return lake


@pytest.fixture
def revised_lake(lake: Lake) -> Lake:
    return revised(lake)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (0 * HOUR, [(10.0, 0)]),
        (HOUR - dt.timedelta(microseconds=1), [(10.0, 0)]),
        (HOUR, [(11.0, 1)]),
        (2 * HOUR, []),
        (99 * HOUR, []),
    ],
)
@pytest.mark.parametrize("interval", ["1d", "13d"])
def test_a_bar_is_known_from_its_import_until_it_is_replaced(
    revised_lake: Lake, interval: str, after: dt.timedelta, expected: list[tuple[float, int]]
) -> None:
    found = revised_lake.bars("FB", interval, known_at=NOW + after)

    assert expected == found.select("close", "revision").rows()


def test_a_withdrawn_session_counts_in_the_revision_as_it_did(
    lake: Lake, sessions: SessionTable
) -> None:
    days = [sessions[ordinal] for ordinal in range(8000, 8003)]
    commit(lake, plain_bars("FB", days))
    set_clock(lake, NOW + HOUR)
    daily.withdraw(
        lake.store, pl.DataFrame({"symbol": ["FB"], "session": days[1:2]}), clock=lake.clock
    )
    lake.resample()

    found = lake.bars("FB", "8d", known_at=NOW + HOUR)

    assert [(2, 3, 1)] == found.select("sessions", "sessions_expected", "revision").rows()
    assert found.equals(lake.bars("FB", "8d"))


def test_through_is_the_last_session_known_then_of_any_listing(
    lake: Lake, sessions: SessionTable
) -> None:
    days = [sessions[ordinal] for ordinal in range(8000, 8008)]
    commit(lake, plain_bars("FB", days[:2]))
    set_clock(lake, NOW + HOUR)
    commit(lake, plain_bars("IBM", days))

    names = ("through", "state", "sessions", "sessions_expected")
    then, now = (
        lake.bars("FB", "8d", known_at=instant).select(names).row(0)
        for instant in (NOW, NOW + HOUR)
    )

    assert (days[1], "forming", 2, 2) == then
    assert (days[7], "final", 2, 8) == now


def test_a_corrected_split_is_known_as_it_was(lake: Lake) -> None:
    commit(lake, plain_bars("FB", [DAY]))
    for number, ratio in enumerate((2, 4, 1)):
        set_clock(lake, NOW + number * HOUR)
        splits.commit(lake.store, split("FB", DAY + dt.timedelta(1), ratio), clock=lake.clock)

    closes = [lake.bars("FB", known_at=NOW + n * HOUR)["close"][0] for n in range(3)]

    assert [5.0, 2.5, 10.0] == closes


def test_without_as_of_the_basis_is_that_of_the_day_then(lake: Lake) -> None:
    # Announced for the tenth of January; it is the fifth.
    commit(lake, plain_bars("FB", [DAY]))
    splits.commit(lake.store, split("FB", dt.date(2026, 1, 10), 2), clock=lake.clock)
    set_clock(lake, dt.datetime(2026, 2, 1, tzinfo=dt.UTC))

    assert [10.0] == lake.bars("FB", known_at=NOW)["close"].to_list()
    assert [5.0] == lake.bars("FB", known_at=NOW, as_of="2026-01-10")["close"].to_list()
    assert [5.0] == lake.bars("FB")["close"].to_list()


def test_a_symbol_not_known_yet_has_no_bars_and_one_never_known_is_an_error(lake: Lake) -> None:
    commit(lake, plain_bars("FB", [DAY]))
    set_clock(lake, NOW + HOUR)
    commit(lake, plain_bars("IBM", [DAY]))

    assert lake.bars("IBM", known_at=NOW).is_empty()
    with pytest.raises(UnknownSymbolError):
        lake.bars("NOPE", known_at=NOW)


@pytest.mark.parametrize("asked", [{"known_at": NOW}, {"adjustment": "all"}])
@pytest.mark.parametrize("interval", ["1d", "13d"])
def test_a_range_without_bars_is_empty(
    revised_lake: Lake, interval: str, asked: dict[str, Any]
) -> None:
    for start, end in (("2020-01-01", None), (None, "1999-12-31"), ("1950-01-01", "1950-12-31")):
        assert revised_lake.bars("IBM", interval, start=start, end=end, **asked).is_empty()


def test_before_anything_was_known_the_lake_says_since_when_it_knows(revised_lake: Lake) -> None:
    with pytest.raises(EmptyLakeError) as refused:
        revised_lake.bars("FB", known_at="2012-05-18T21:00:00Z")

    assert (
        f"The lake {revised_lake.store.location} knew no bars at 2012-05-18T21:00:00Z: the first "
        "came at 2026-01-05T12:00:00Z. Hint: known_at is when the lake learnt of bars; start and "
        "end are when they traded."
    ) == str(refused.value)


def test_an_instant_still_to_come_is_as_good_as_now(sample_lake: Lake) -> None:
    found = sample_lake.bars("AAPL", "21d", known_at="2099-01-01T00:00:00Z", as_of="2026-01-05")

    assert found.equals(sample_lake.bars("AAPL", "21d"))


def test_an_instant_may_be_written_with_an_offset_or_be_a_datetime(revised_lake: Lake) -> None:
    in_new_york = dt.timezone(dt.timedelta(hours=-5))
    for known_at in ("2026-01-05T08:00:00-05:00", (NOW + HOUR).astimezone(in_new_york)):
        assert [11.0] == revised_lake.bars("FB", known_at=known_at)["close"].to_list()


@pytest.mark.parametrize(
    "known_at",
    [NOW.date(), "2026-01-05", "2026-01-05T12:00:00", "2026-02-30T12:00:00Z", "now"],
)
def test_what_is_no_instant_is_refused(revised_lake: Lake, known_at: Any) -> None:
    with pytest.raises(InvalidRangeError, match="is not an instant"):
        revised_lake.bars("FB", known_at=known_at)


@pytest.mark.parametrize(
    "known_at", ["0001-01-01T00:00+14:00", dt.datetime(1, 1, 1, 23, tzinfo=dt.UTC)]
)
def test_an_instant_without_a_date_everywhere_is_refused(revised_lake: Lake, known_at: Any) -> None:
    with pytest.raises(InvalidRangeError, match="is out of range"):
        revised_lake.bars("A", known_at=known_at)


def test_a_datetime_without_a_time_zone_is_refused(revised_lake: Lake) -> None:
    with pytest.raises(InvalidRangeError, match="2026-01-05T12:00:00 has no time zone"):
        revised_lake.bars("FB", known_at=NOW.replace(tzinfo=None))


def test_history_that_an_import_left_before_it_was_killed_is_no_knowledge(lake: Lake) -> None:
    # A commit writes history, then bars: killed in between, the old bar stands in both.
    commit(lake, plain_bars("FB", [DAY]))
    splits.commit(lake.store, split("FB", DAY + dt.timedelta(1), 2), clock=lake.clock)
    before = {key: lake.store.get(key).data for key in (keys.daily(2012), keys.SPLITS)}
    set_clock(lake, NOW + HOUR)
    commit(lake, plain_bars("FB", [DAY], close=11.0))
    splits.commit(lake.store, split("FB", DAY + dt.timedelta(1), 4), clock=lake.clock)
    for key, data in before.items():
        lake.store.put(key, data)

    for instant in (NOW, NOW + HOUR, NOW + 2 * HOUR):
        found = lake.bars("FB", known_at=instant)
        assert [(5.0, 0)] == found.select("close", "revision").rows()
