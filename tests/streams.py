"""Hypothesis strategies for streams of events: out of order, again, corrected, cancelled, late."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace
from typing import Final

import polars as pl
from hypothesis import strategies as st

from lake.event import EVERYTHING, Event, Kind
from lake.hours import DAY_MINUTES, hours_of
from lake.session import SessionTable
from tests.strategies import prices
from tests.trading import MINUTE_US, frame, micros

DAYS: Final = (
    dt.date(2024, 3, 8),  # the last session of winter time
    dt.date(2024, 3, 11),  # the first of summer time
    dt.date(2024, 11, 29),  # closes at 13:00
)
# Halves and whole shares add up exactly, as quarters of a dollar do.
sizes: Final = st.sampled_from([0.0, 0.5, 1.0, 100.0, 2.0**20])
_MOVES: Final = st.sampled_from([EVERYTHING] * 3 + list(range(EVERYTHING)))
_DELAYS: Final = (0, 0, 0, 1, 2, 13, 14, 15, 16, 40)
_SYMBOLS: Final = ("AA", "B", "C.D")


@st.composite
def streams(
    draw: st.DrawFn, table: SessionTable, *, kind: Kind = "trade", most: int = 60
) -> list[Event]:
    """Events of a session or two, in order of receipt.

    Few things are stated, each several times, so that much is a duplicate or a restatement.
    """
    days = draw(st.sampled_from([*((day,) for day in DAYS), DAYS[:2]]))
    places = [place for day in days for place in _places(table, day)]
    count = draw(st.integers(1, most))
    when = sorted(draw(st.lists(st.sampled_from(places), min_size=count, max_size=count)))
    return [_drawn(draw, table, kind, now) for now in when]


@st.composite
def moving(draw: st.DrawFn, table: SessionTable) -> list[Event]:
    """Trades around a close, of which each revision may be a closing print or none."""
    close = micros(hours_of(DAYS[0], table).close)
    last = close - MINUTE_US
    first = Event("trade", "AA", last, minute=last, price=draw(prices), size=100.0)
    told = [first]
    for sequence in range(draw(st.integers(1, 3))):
        time = close + draw(st.sampled_from([0, 5, MINUTE_US]))
        minutes = st.sampled_from([time - time % MINUTE_US, last])
        for revision in range(draw(st.integers(1, 5))):
            stated = replace(first, time=time, sequence=sequence, revision=revision)
            told.append(replace(stated, minute=draw(minutes), price=draw(prices)))
    return told


@st.composite
def cut(draw: st.DrawFn, events: list[Event]) -> list[pl.DataFrame]:
    """Batches of a stream, cut anywhere."""
    ends = draw(st.lists(st.integers(0, len(events)), max_size=8).map(sorted))
    edges = [0, *ends, len(events)]
    return [frame(events[a:b]) for a, b in itertools.pairwise(edges)]


def _places(table: SessionTable, day: dt.date) -> list[tuple[dt.date, int]]:
    """Return minutes around those where hours begin and end, and some behind the last."""
    opens, closes = hours_of(day, table).edges
    around = [0, 1, opens - 1, opens, opens + 1, opens + 4, opens + 5, opens + 20]
    around += [closes - 2, closes - 1, closes, closes + 2, closes + 15, closes + 16]
    return [(day, minute) for minute in [*around, DAY_MINUTES - 1, DAY_MINUTES + 14, 975]]


def _drawn(draw: st.DrawFn, table: SessionTable, kind: Kind, now: tuple[dt.date, int]) -> Event:
    day, at = now
    hours = hours_of(day, table)
    dawn = micros(hours.dawn)
    what = draw(st.sampled_from([kind] * 18 + ["heartbeat", "foreign"]))
    if what == "heartbeat":
        return Event("heartbeat", "", dawn + at * MINUTE_US)
    place = min(max(at - draw(st.sampled_from(_DELAYS)), 0), DAY_MINUTES - 1)
    minute = dawn + place * MINUTE_US
    event = Event(
        kind=kind if what == kind else "second",
        symbol=draw(st.sampled_from(_SYMBOLS)),
        time=minute,
        revision=draw(st.sampled_from([0, 0, 0, 1, 2, 7])),
        minute=minute,
        price=draw(prices),
        size=draw(sizes),
        cancelled=draw(st.integers(0, 5)) == 0,
        received=draw(st.integers(0, 9)),
        source=draw(st.sampled_from(["one", "other"])),
    )
    if kind != "trade":
        return _aggregate(draw, event)
    is_print = place >= hours.edges[1] and draw(st.booleans())
    return replace(
        event,
        time=minute + draw(st.sampled_from([0, 1, MINUTE_US - 1])),
        sequence=draw(st.sampled_from([0, 1, 2**62])),
        minute=dawn + (hours.edges[1] - 1) * MINUTE_US if is_print else minute,
        moves=draw(_MOVES),
    )


def _aggregate(draw: st.DrawFn, event: Event) -> Event:
    low, high = sorted([draw(prices), draw(prices)])
    return replace(
        event,
        open=draw(st.sampled_from([low, high, None])),
        high=draw(st.sampled_from([high, None])),
        low=draw(st.sampled_from([low, None])),
        vwap=draw(st.sampled_from([low, None])),
        trades=draw(st.sampled_from([0, 3, None])),
    )
