"""Which session a flow is in by its clock: from one dawn, 04:00 at the exchange, to the next.

Units: instants are microseconds since 1970, UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lake.exchange import trading_day
from lake.hours import hours_of
from lake.instant import from_microseconds, microseconds

if TYPE_CHECKING:
    import datetime as dt

    from lake.session import SessionTable

NEVER: Final = 2**63 - 1


def begun_by(table: SessionTable, instant: int) -> dt.date:
    """Return the last session whose dawn was by then."""
    ordinals = table.ordinals(table.first, trading_day(from_microseconds(instant)))
    last = table[ordinals[-1]]
    return last if dawn(table, last) <= instant else table[ordinals[-2]]


def dawn(table: SessionTable, session: dt.date) -> int:
    """Return when a session's extended hours begin."""
    return microseconds(hours_of(session, table).dawn)


def next_dawn(table: SessionTable, session: dt.date) -> int:
    """Return when those of the session after it do; never, where the table ends."""
    after = table.ordinals(session, table.last)[1:]
    return dawn(table, table[after[0]]) if after else NEVER


def between(table: SessionTable, session: dt.date, instant: int) -> list[dt.date]:
    """Return the sessions after one that have begun by then, in order."""
    last = begun_by(table, instant)
    return [table[each] for each in table.ordinals(session, last)][1:]
