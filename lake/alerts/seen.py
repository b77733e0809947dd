"""What rules are evaluated on: prices and bars, in the order in which they count.

Units: instants are microseconds since 1970, UTC; prices USD a share, volume shares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from lake.bar import Hours, State


class Tick(NamedTuple):
    """A price of a symbol.

    Attributes:
        symbol: Whose.
        time: When it was paid.
        sequence: Orders those of one time; one that is not later than the last of its symbol, by
            (time, sequence), changes nothing: so what is told twice counts once.
        price: The price.
    """

    symbol: str
    time: int
    sequence: int
    price: float


class SeenBar(NamedTuple):
    """A bar of a symbol, as it is now.

    Attributes:
        symbol: Whose.
        interval: As `13d`.
        hours: Regular or extended; of bars of sessions, regular.
        start: When it begins; of bars of sessions, midnight UTC of the first session's date.
        time: When it counts, by the flow: no earlier than it was complete, or formed so far.
        open: First price.
        high: Highest price.
        low: Lowest price.
        close: Last price.
        volume: Shares traded.
        state: `final` once: one whose start is not later than that of the last final one of its
            (symbol, interval, hours) changes nothing.
    """

    symbol: str
    interval: str
    hours: Hours
    start: int
    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    state: State


Seen: TypeAlias = Tick | SeenBar
