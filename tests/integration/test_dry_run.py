"""Dry runs on lakes: held to a plain loop over their bars, with no look ahead."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from lake.alerts.rule import parse_rule
from lake.interval import Interval
from lake.session import SessionTable
from serving_layer.alerts.dry_run import DryRun, DryRuns, Resolution
from tests.alert_oracle import (
    Complete,
    Told,
    intraday_bars,
    merged,
    path_of,
    session_bars,
    told_of_bars,
    told_of_prices,
)
from tests.dry_runs import (
    DAYS,
    FIRST,
    INTRADAY,
    LAST,
    MINUTES,
    SYMBOLS,
    Market,
    bar_conditions,
    changed_after,
    conditions,
    filled,
    made_up,
    price_conditions,
    rule_of,
    runs_of,
)
from tests.minutes import at

EXAMPLES = 40
MID = dt.date(2012, 6, 1)
CUTS = (
    at(dt.date(2012, 5, 8), "16:00"),
    at(MINUTES[0], "12:07"),
    at(MINUTES[2], "15:30"),
)


@pytest.fixture(scope="module")
def market(sessions: SessionTable) -> Market:
    return made_up(sessions, 1)


@pytest.fixture(scope="module")
def fill(blank_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Market], DryRuns]:
    def fill_(market: Market) -> DryRuns:
        folder = tmp_path_factory.mktemp("dry") / "lake"
        shutil.copytree(blank_lake, folder)
        return runs_of(filled(folder, market))

    return fill_


@pytest.fixture(scope="module")
def runs(fill: Callable[[Market], DryRuns], market: Market) -> DryRuns:
    return fill(market)


@pytest.fixture(scope="module")
def otherwise(
    fill: Callable[[Market], DryRuns], market: Market, sessions: SessionTable
) -> dict[dt.datetime, DryRuns]:
    """By an instant the same lake, but for what came from then on."""
    other = made_up(sessions, 2)
    return {cut: fill(changed_after(market, other, cut, sessions)) for cut in CUTS}


def run(
    runs: DryRuns,
    rule: dict[str, Any],
    start: dt.date | None = None,
    end: dt.date | None = None,
    resolution: Resolution = "1d",
) -> DryRun:
    return runs.run(parse_rule(rule), start, end, resolution)


def told(found: DryRun) -> Told:
    return [(firing.time, firing.price) for firing in found.firings]


starts = st.sampled_from([FIRST, dt.date(2012, 3, 14), MID])
symbols = st.sampled_from(SYMBOLS)


@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(condition=price_conditions(), symbol=symbols, start=starts)
def test_daily_prices_fire_as_a_plain_loop_over_paths_does(
    runs: DryRuns,
    market: Market,
    sessions: SessionTable,
    condition: dict[str, Any],
    symbol: str,
    start: dt.date,
) -> None:
    path: Told = []
    for row in market.days[symbol]:
        ordinal = sessions.ordinal(row["session"])
        assert ordinal is not None
        if row["session"] >= start:
            path += path_of(sessions.opens[ordinal], sessions.closes[ordinal], row)

    found = run(runs, rule_of(condition, symbol), start)

    assert told_of_prices(path, condition) == told(found)
    assert (len(path), len(told(found))) == (found.seen, found.fired)


@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(condition=bar_conditions(DAYS), symbol=symbols, start=starts)
def test_bars_of_sessions_fire_as_a_plain_loop_over_them_does(
    runs: DryRuns,
    market: Market,
    sessions: SessionTable,
    condition: dict[str, Any],
    symbol: str,
    start: dt.date,
) -> None:
    n, is_forming = Interval.parse(condition["interval"]).sessions, condition["state"] == "forming"
    bars = session_bars(market.days[symbol], n, sessions, LAST, forming=is_forming)

    found = run(runs, rule_of(condition, symbol), start)

    assert told_of_bars(bars, at(start, "00:00"), condition) == told(found)


@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(condition=price_conditions())
def test_minute_prices_fire_as_a_plain_loop_over_paths_does(
    runs: DryRuns, market: Market, condition: dict[str, Any]
) -> None:
    path: Told = []
    for row in market.minutes:
        path += path_of(row["start"], row["start"] + dt.timedelta(minutes=1), row)

    found = run(runs, rule_of(condition), resolution="1m")

    assert told_of_prices(path, condition) == told(found)
    assert (MINUTES[0], MINUTES[-1], 3, 0) == (
        found.start,
        found.end,
        found.sessions,
        found.untold,
    )


@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(
    condition=bar_conditions(INTRADAY),
    start=st.sampled_from(MINUTES[:2]),
    resolution=st.sampled_from(["1m", "1d"]),
)
def test_bars_of_minutes_fire_as_a_plain_loop_over_them_does(
    runs: DryRuns,
    market: Market,
    sessions: SessionTable,
    condition: dict[str, Any],
    start: dt.date,
    resolution: Resolution,
) -> None:
    # Daily bars do not tell how a bar of minutes formed.
    is_forming = condition["state"] == "forming" and resolution == "1m"
    interval, hours = Interval.parse(condition["interval"]), condition["hours"]
    bars = intraday_bars(market.minutes, interval, hours, sessions, forming=is_forming)

    found = run(runs, rule_of(condition), start, resolution=resolution)

    assert told_of_bars(bars, at(start, "00:00"), condition) == told(found)


@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(condition=bar_conditions(DAYS))
def test_bars_of_sessions_form_by_the_minute(
    runs: DryRuns, market: Market, sessions: SessionTable, condition: dict[str, Any]
) -> None:
    n, is_forming = Interval.parse(condition["interval"]).sessions, condition["state"] == "forming"
    bars = session_bars(market.days["PLAIN"], n, sessions, LAST, forming=is_forming)
    if is_forming:
        bars = [*bars, *formed_by_minutes(market, n, sessions)]
        bars.sort(key=lambda bar: bar.time)

    found = run(runs, rule_of(condition), resolution="1m")

    within = [bar for bar in bars if bar.time <= at(MINUTES[-1], "16:00")]
    assert told_of_bars(within, at(MINUTES[0], "00:00"), condition) == told(found)


def formed_by_minutes(market: Market, n: int, sessions: SessionTable) -> list[Complete]:
    """Return the bars of n sessions as minutes form them: with regular prices, and all volume."""
    found: list[Complete] = []
    for session in MINUTES:
        ordinal = sessions.ordinal(session)
        assert ordinal is not None
        opens, closes = sessions.opens[ordinal], sessions.closes[ordinal]
        first = sessions[ordinal - ordinal % n]
        before = [row for row in market.days["PLAIN"] if first <= row["session"] < session]
        today = [row for row in market.minutes if at(session, "04:00") <= row["start"] < closes]
        early = sum(row["volume"] for row in today if row["start"] < opens)
        regular = [row for row in today if row["start"] >= opens]
        for place, row in enumerate(regular):
            time = row["start"] + dt.timedelta(minutes=1)
            bar = merged(time, first, [*before, *regular[: place + 1]], formed=True)
            if time < closes:
                found.append(Complete(**{**vars(bar), "volume": bar.volume + early}))
    return found


@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(
    condition=conditions(DAYS),
    symbol=symbols,
    cut=st.sampled_from(CUTS),
    cooldown=st.sampled_from([0, 3 * 86_400]),
)
def test_what_came_later_changes_nothing_that_fired_before(
    runs: DryRuns,
    otherwise: dict[dt.datetime, DryRuns],
    sessions: SessionTable,
    condition: dict[str, Any],
    symbol: str,
    cut: dt.datetime,
    cooldown: int,
) -> None:
    rule = rule_of(condition, symbol, cooldown_seconds=cooldown)
    end = sessions.last_closed(cut)

    whole = run(runs, rule)

    by_then = [firing for firing in told(whole) if firing[0] <= at_close(end, sessions)]
    assert by_then == told(run(runs, rule, end=end))
    other = told(run(otherwise[cut], rule))
    assert by_then == [firing for firing in other if firing[0] <= at_close(end, sessions)]


@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(condition=conditions((*INTRADAY, *DAYS)), cut=st.sampled_from(CUTS[1:]))
def test_later_minutes_change_nothing_that_fired_before(
    runs: DryRuns,
    otherwise: dict[dt.datetime, DryRuns],
    condition: dict[str, Any],
    cut: dt.datetime,
) -> None:
    rule = rule_of(condition)

    whole, other = (told(run(each, rule, resolution="1m")) for each in (runs, otherwise[cut]))

    assert until(whole, cut) == until(other, cut)


def until(fired: Told, instant: dt.datetime) -> Told:
    return [firing for firing in fired if firing[0] < instant]


def at_close(session: dt.date | None, sessions: SessionTable) -> dt.datetime:
    ordinal = sessions.ordinal(session) if session else None
    assert ordinal is not None
    return sessions.closes[ordinal]
