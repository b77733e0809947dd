"""What is asked of dry runs: spans, outcomes, how much at a time; what is refused."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest

from fiblake import Lake
from fiblake.alerts.dry_run import dry_runs
from lake.errors import (
    EmptyLakeError,
    FiblakeError,
    InvalidRangeError,
    MisuseError,
    NoFeedError,
    NotFoundError,
    UnknownSymbolError,
)
from lake.session import SessionTable
from serving_layer.alerts import dry_run
from serving_layer.alerts.dry_run import DryRuns, parse_resolution
from serving_layer.alerts.outcomes import HORIZONS, Outcome, Summary, summaries
from serving_layer.alerts.span import Limits
from serving_layer.merged import MergedReader
from tests.dry_runs import FIRST, LAST, MINUTES, Market, runs_of
from tests.minutes import ZONE, at
from tests.past_lake import FIVE, HIGH, UP, run

DAY = dt.timedelta(days=1)
QUICK = {"kind": "move", "percent": 1, "window": "15m"}


def test_a_run_is_of_all_there_is_or_of_the_sessions_asked_for(past_runs: DryRuns) -> None:
    spans = [
        run(past_runs, UP),
        run(past_runs, UP, dt.date(2012, 6, 2), dt.date(2012, 6, 10)),
        run(past_runs, UP, dt.date(2012, 9, 1), dt.date(2030, 1, 1)),
        run(past_runs, UP, None, None, "1m"),
    ]

    assert [
        (FIRST, LAST, 148),
        (dt.date(2012, 6, 4), dt.date(2012, 6, 8), 5),
        (dt.date(2012, 9, 4), LAST, 19),
        (MINUTES[0], MINUTES[-1], 3),
    ] == [(each.start, each.end, each.sessions) for each in spans]


def test_sessions_without_prices_are_counted(past_runs: DryRuns, past_market: Market) -> None:
    found = run(past_runs, HIGH)

    assert 148 - len(past_market.days["PLAIN"]) == found.untold > 0


def test_a_rule_that_fires_once_ends_the_run(past_runs: DryRuns) -> None:
    once, all_ = (run(past_runs, UP, repeat=repeat) for repeat in (False, True))

    assert 1 == once.fired < all_.fired
    assert all_.firings[:1] == once.firings
    assert once.seen < all_.seen


def test_cooldown_and_hours_of_the_day_hold_as_they_do_live(past_runs: DryRuns) -> None:
    free = run(past_runs, UP)
    rare = run(past_runs, UP, cooldown_seconds=10 * 86_400)
    morning = run(past_runs, UP, active={"start": "09:30", "end": "10:00"})

    times = [each.time for each in rare.firings]
    assert 1 < len(times) < free.fired
    assert all(later - time >= 10 * DAY for time, later in itertools.pairwise(times))
    assert morning.fired
    assert {dt.time(9, 30)} == {each.time.astimezone(ZONE).time() for each in morning.firings}


def test_outcomes_are_the_closes_so_many_sessions_later(
    past_runs: DryRuns, past_market: Market, sessions: SessionTable
) -> None:
    found = run(past_runs, UP)

    closes = {row["session"]: row["close"] for row in past_market.days["PLAIN"]}
    last = max(closes)
    assert found.firings
    for firing in found.firings:
        ordinal = sessions.ordinal(firing.time.date())
        assert ordinal is not None
        for outcome, ahead in zip(firing.outcomes, (1, 3, 5, 8, 13), strict=True):
            session = sessions[ordinal + ahead]
            if session > last:
                assert Outcome(ahead, None, None, None) == outcome
                continue
            close = closes[max(day for day in closes if day <= session)]
            percent = pytest.approx(100 * (close - firing.price) / firing.price)
            assert (ahead, session, close) == (outcome.sessions, outcome.session, outcome.close)
            assert percent == outcome.change_percent
    assert None in {each.close for each in found.firings[-1].outcomes}


def test_a_summary_is_of_the_outcomes_that_are_known() -> None:
    def outcomes(*changes: float | None) -> list[Outcome]:
        return [
            Outcome(ahead, FIRST, 1.0, change)
            for ahead, change in zip(HORIZONS, changes, strict=True)
        ]

    found = summaries([outcomes(1, -1, None, 2, None), outcomes(2, -2, 4, 2, None)])
    found += summaries([])

    none = [Summary(ahead, 0, None, None, None) for ahead in HORIZONS]
    assert [
        Summary(1, 2, 1.5, 1.5, 1.0),
        Summary(3, 2, -1.5, -1.5, 0.0),
        Summary(5, 1, 4, 4, 1.0),
        Summary(8, 2, 2, 2, 1.0),
        *none[4:],
        *none,
    ] == found


def test_only_the_first_firings_are_listed_and_all_are_counted(
    past_runs: DryRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(past_runs, UP)
    monkeypatch.setattr(dry_run, "MOST_LISTED", 3)

    found = run(past_runs, UP)

    assert whole.fired == found.fired > 3
    assert whole.firings[:3] == found.firings
    assert whole.outcomes == found.outcomes


REFUSED: list[tuple[dict[str, Any], tuple[Any, ...], type[FiblakeError], str]] = [
    (UP, (LAST, FIRST), InvalidRangeError, "The start 2012-09-28 is after the end 2012-03-01"),
    (UP, (dt.date(1999, 1, 4),), InvalidRangeError, "has daily bars from 2012-03-01 on"),
    (UP, (dt.date(2020, 1, 2),), InvalidRangeError, "has daily bars until 2012-09-28"),
    (UP, (dt.date(2012, 6, 2), dt.date(2012, 6, 3)), InvalidRangeError, "ask for more days"),
    (UP, (FIRST, None, "1m"), InvalidRangeError, "has 1m bars from 2012-07-02 on"),
    (FIVE, (FIRST,), InvalidRangeError, "has 5m bars from 2012-07-02 on, and the start is 2012-03"),
    (QUICK, (), MisuseError, "A move over 15m is not to be seen in daily bars. Hint: ask for"),
    (UP, (None, None, "ticks"), NoFeedError, "What was recorded of the live flow is not told here"),
]


@pytest.mark.parametrize(("condition", "asked", "kind", "told"), REFUSED)
def test_what_cannot_be_is_refused(
    past_runs: DryRuns, condition: Any, asked: Any, kind: type[FiblakeError], told: str
) -> None:
    with pytest.raises(kind, match=told):
        run(past_runs, condition, *asked)


def test_what_the_lake_has_not_is_told(sample_lake: Lake, past_lake: Lake, lake: Lake) -> None:
    sample = runs_of(sample_lake)

    with pytest.raises(UnknownSymbolError, match="NOPE: no such symbol in the lake"):
        run(sample, UP, symbol="NOPE")
    with pytest.raises(EmptyLakeError, match=r"holds no 1m bars yet. Hint: fiblake fetch minutes"):
        run(sample, UP, None, None, "1m", symbol="AAPL")
    with pytest.raises(EmptyLakeError, match="holds no 5m bars yet"):
        run(sample, FIVE, symbol="AAPL")
    with pytest.raises(NotFoundError, match="No events are recorded in"):
        run(dry_runs(past_lake), UP, None, None, "ticks")
    with pytest.raises(EmptyLakeError, match=r"is empty|holds no 1d bars"):
        run(runs_of(lake), UP)
    with pytest.raises(MisuseError, match=r"'1h' is not a resolution. Allowed: 1d, 1m, ticks"):
        parse_resolution("1h")


def test_who_asks_over_http_may_ask_for_so_much(past_lake: Lake) -> None:
    reader = past_lake.reader
    few = DryRuns(reader, MergedReader(reader), limits=Limits(looks=2 * 2 * 960))
    forming = {**FIVE, "state": "forming"}
    several = {"kind": "all", "of": [FIVE, forming, {**FIVE, "hours": "extended"}]}

    with pytest.raises(InvalidRangeError, match=r"3 sessions of 1m bars are too many at a time"):
        run(few, UP, MINUTES[0], None, "1m")

    assert 3 == run(few, FIVE, *MINUTES[::2]).sessions
    assert 2 == run(few, UP, *MINUTES[:2], "1m").sessions
    # Each condition counts, and what forms with each minute; without a start the last ones are run.
    latest = [run(few, each, None, None, "1m") for each in (UP, FIVE, several)]
    assert [(MINUTES[1], 2), (MINUTES[0], 3), (MINUTES[2], 1)] == [
        (each.start, each.sessions) for each in latest
    ]


def test_a_session_that_is_told_again_is_still_to_come(past_lake: Lake) -> None:
    reader = past_lake.reader
    again = DryRuns(reader, MergedReader(reader, told_again=MINUTES[1]))

    for resolution in ("1d", "1m"):
        found = run(again, UP, None, LAST, resolution)

        whole = run(runs_of(past_lake), UP, None, MINUTES[0], resolution)
        assert MINUTES[0] == found.end
        assert [(each.time, each.text) for each in whole.firings] == [
            (each.time, each.text) for each in found.firings
        ]
        known = [each.session for firing in found.firings for each in firing.outcomes]
        assert found.firings
        assert all(each <= MINUTES[0] for each in known if each)


def test_as_many_bars_before_the_start_are_found_as_a_rule_looks_at(
    past_lake: Lake, past_market: Market
) -> None:
    any_volume = {"kind": "volume", "interval": "5m", "times": 0.001, "average": 40}

    found = run(runs_of(past_lake), any_volume, MINUTES[2], None, "1m")
    none = run(runs_of(past_lake), {**any_volume, "average": 240}, MINUTES[2], None, "1m")

    opens = at(MINUTES[2], "09:30")
    first = min(row["start"] for row in past_market.minutes if row["start"] >= opens)
    assert first < opens + dt.timedelta(minutes=5)
    assert [opens + dt.timedelta(minutes=5)] == [each.time for each in found.firings]
    assert 0 == none.fired


def test_a_rule_that_is_over_is_told_to_be(past_runs: DryRuns) -> None:
    over, later = "2012-03-05T00:00:00Z", "2013-01-01T00:00:00Z"

    found = [run(past_runs, UP, repeat=True, **said) for said in ({}, {"expires": over})]
    lasting = run(past_runs, UP, expires=later)

    assert (None, None) == (found[0].expired, lasting.expired)
    assert dt.datetime(2012, 3, 5, tzinfo=dt.UTC) == found[1].expired
    assert found[1].fired < found[0].fired == lasting.fired
    assert lasting.fired == found[0].fired
