"""The statements in force of a session, judged by the conditions as they are known now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lake.eligibility import judged
from lake.event import KINDS
from lake.hours import Timetable
from lake.live_bars import in_force, within

if TYPE_CHECKING:
    import polars as pl

    from lake.conditions import Conditions
    from lake.event import Kind
    from lake.hours import SessionHours


@dataclass(frozen=True, slots=True)
class Statements:
    """Statements of one kind.

    Attributes:
        kind: Which.
        rows: Those in force, schema `EVENTS`, in order of symbol, time and sequence.
        events: How many events there were of all kinds.
        foreign: Events of other kinds, heartbeats aside.
        outside: Events of this kind that are of no hours of the session.
    """

    kind: Kind
    rows: pl.DataFrame
    events: int
    foreign: int
    outside: int


def statements_of(
    events: pl.DataFrame, hours: SessionHours, conditions: Conditions, kind: Kind | None = None
) -> Statements:
    """Return the statements in force of recorded events.

    Args:
        events: Schema `EVENTS`, in order of receipt.
        hours: Of their session.
        conditions: By which they are judged.
        kind: Of which kind; None: the finest there is.
    """
    counts = dict(events.group_by("kind").len().iter_rows())
    finest: Kind = next((each for each in KINDS if each in counts), "trade")
    chosen = finest if kind is None else kind
    alike = judged(events.filter(kind=chosen), conditions, Timetable([hours]))
    inside = within(alike, hours, chosen)
    return Statements(
        kind=chosen,
        rows=in_force(inside),
        events=events.height,
        foreign=sum(counts.get(each, 0) for each in KINDS if each != chosen),
        outside=alike.height - inside.height,
    )
