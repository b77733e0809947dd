"""Dry runs on recorded events: under the names of the present, on its basis, with live bars."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from batch_layer.generating.trading.recording import record
from fiblake import Lake
from fiblake.alerts.dry_run import dry_runs
from fiblake.alerts.recorded_events import RecordedEvents
from lake.clock import SetClock
from lake.errors import InvalidRangeError, UnknownSymbolError
from lake.event import Event
from serving_layer.alerts.dry_run import DryRuns
from serving_layer.alerts.span import Limits
from serving_layer.merged import MergedReader
from tests.alert_oracle import Told, told_of_prices
from tests.dry_runs import FIRST, MINUTES, RENAMED, SPLIT
from tests.frames import KNOWN
from tests.minutes import at
from tests.past_lake import FIVE, HIGH, UP, run
from tests.trading import frame, trade

DAY = dt.timedelta(days=1)


def recorded(past_lake: Lake, tmp_path: Path, events: Sequence[Event]) -> Lake:
    """Return a copy of a lake in which events are recorded."""
    shutil.copytree(past_lake.store.location, tmp_path / "lake", copy_function=shutil.copy2)
    lake = Lake(tmp_path / "lake", clock=SetClock(KNOWN))
    by_session: dict[dt.date, list[Event]] = {}
    for event in events:
        by_session.setdefault(_session(event), []).append(event)
    for session, told in by_session.items():
        record(lake.store, "test", session, frame(told))
    return lake


def _session(event: Event) -> dt.date:
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=event.time)).date()


def times(first: str, count: int, seconds: int) -> list[str]:
    begin = dt.datetime.combine(FIRST, dt.time.fromisoformat(first))
    return [
        (begin + each * dt.timedelta(seconds=seconds)).time().isoformat() for each in range(count)
    ]


def test_recorded_prices_are_seen_under_the_name_and_on_the_basis_of_the_present(
    past_lake: Lake, tmp_path: Path
) -> None:
    eve = SPLIT - DAY
    prices = [48.0, 51.0, 49.5, 52.0, 50.0, 50.5]
    told = list(zip(times("10:00:00", 6, 700), prices, strict=True))
    events = [trade(RENAMED - DAY, time, price, symbol="OLD") for time, price in told]
    events += [trade(RENAMED, time, price, symbol="NEW") for time, price in told]
    # Another one's old name, and others: they are not of the rule's symbol.
    events += [trade(RENAMED, time, 99.0, symbol="OLD") for time, _ in told]
    events += [trade(eve, time, 2 * price, symbol="SPLIT") for time, price in told]
    events += [trade(SPLIT, time, price, symbol="SPLIT") for time, price in told]
    runs = dry_runs(recorded(past_lake, tmp_path, sorted(events, key=lambda each: each.time)))

    renamed, divided = (
        run(runs, UP, first, last, "ticks", symbol=symbol)
        for symbol, first, last in (("NEW", RENAMED - DAY, RENAMED), ("SPLIT", eve, SPLIT))
    )

    for found, days in ((renamed, (RENAMED - DAY, RENAMED)), (divided, (eve, SPLIT))):
        path: Told = [(at(day, time), price) for day in days for time, price in told]
        expected = told_of_prices(path, UP)
        assert expected == [(each.time, each.price) for each in found.firings]
        assert (6, 0, 2) == (found.fired, found.untold, found.sessions)


def test_recorded_events_make_bars_as_they_do_live(past_lake: Lake, tmp_path: Path) -> None:
    session = MINUTES[0]
    lows, highs = ([48.0] * 3, [52.0] * 3)
    prices = [*lows, *highs, *lows, *highs]
    told = list(zip(times("10:00:10", 12, 100), prices, strict=True))
    events = [trade(session, time, price, symbol="PLAIN") for time, price in told]
    # Of others: it tells that time goes by.
    events += [trade(session, "15:00:00", 9.0, symbol="OTHER")]
    runs = dry_runs(recorded(past_lake, tmp_path, events))

    five = run(runs, FIVE, session, session, "ticks")
    with pytest.raises(UnknownSymbolError, match=r"NOPE: no such symbol in the lake, nor in what"):
        run(runs, UP, None, None, "ticks", symbol="NOPE")
    other = run(runs, {**UP, "level": 8.0}, None, None, "ticks", symbol="OTHER")
    high = run(runs, {**HIGH, "interval": "1d"}, None, None, "ticks")
    by_days = run(runs, {**HIGH, "interval": "1d"}, session, session)

    grace = dt.timedelta(seconds=5)
    assert [at(session, "10:10") + grace, at(session, "10:20") + grace] == [
        each.time for each in five.firings
    ]
    assert {52.0} == {each.price for each in five.firings}
    assert (session, session) == (high.start, high.end)
    assert by_days.firings == high.firings
    assert [(at(session, "15:00"), 9.0, {None})] == [
        (each.time, each.price, {outcome.close for outcome in each.outcomes})
        for each in other.firings
    ]


def test_events_of_several_sources_are_told_in_order_and_counted(
    past_lake: Lake, tmp_path: Path
) -> None:
    session = MINUTES[0]
    prices = [48.0, 52.0, 49.0, 51.0, 47.0, 53.0, 48.5, 51.5]
    told = list(zip(times("10:00:00", 8, 90), prices, strict=True))
    events = [trade(session, time, price, symbol="PLAIN") for time, price in told]
    lake = recorded(past_lake, tmp_path, events[::2])
    record(lake.store, "other", session, frame(events[1::2]), each=2)
    found = run(dry_runs(lake), UP, None, None, "ticks")
    reader = lake.reader
    events_of = RecordedEvents(lake.store, lake.settings)
    merged = MergedReader(reader)
    few, enough = (DryRuns(reader, merged, events_of, Limits(events=most)) for most in (7, 8))

    path: Told = [(at(session, time), price) for time, price in told]
    assert told_of_prices(path, UP) == [(each.time, each.price) for each in found.firings]
    assert 4 == found.fired == run(enough, UP, None, None, "ticks").fired
    with pytest.raises(InvalidRangeError, match=r"From 2012-07-02 to .* more than 7 events are"):
        run(few, UP, None, None, "ticks")
