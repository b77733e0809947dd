"""An event of the live flow: a trade, or an aggregate that a vendor made of trades.

Events of one (symbol, kind, time, sequence) are statements of one thing, and the one of the highest
revision is in force, in whatever order and however often they come: a correction restates a trade's
price, size and conditions, never its time; a cancel restates it as void; an aggregate that is sent
again replaces. So what is known of a day is a set that only grows, and bars are a function of it.

A correction can make a closing print of a trade, or none, and so move it to another minute. In the
minutes that other statements of the same thing are of, the one in force is void: it brings nothing,
but weighs 1 + revision there too, in the version of bars.

Units:  instants are microseconds since 1970, UTC; prices USD a share, sizes shares.
Source: the update rules of the consolidated tapes, as Massive tells them at
        /v3/reference/conditions; see `lake.conditions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from lake.bar import NEUTRAL, Contribution

Kind = Literal["trade", "second", "minute", "heartbeat"]
KINDS: Final[tuple[Kind, ...]] = ("trade", "second", "minute")
"""Those that bars are made of, the finest first: of one alone, else volume would count twice."""

OPEN_CLOSE: Final = 1
"""Bit of `moves`: the price may be the first or the last of a bar."""
HIGH_LOW: Final = 2
"""Bit of `moves`: the price may be the highest or the lowest."""
VOLUME: Final = 4
"""Bit of `moves`: the size counts."""
EVERYTHING: Final = OPEN_CLOSE | HIGH_LOW | VOLUME


@dataclass(frozen=True, slots=True)
class Event:
    """One statement of the flow.

    Attributes:
        kind: `trade`; `second` or `minute`, an aggregate of one; `heartbeat`, which tells time.
        symbol: As the lake spells it; empty in a heartbeat.
        time: Of a trade, when it printed; of an aggregate, its start.
        sequence: Orders trades of one symbol and time, and tells them apart; 0 in an aggregate.
        revision: 0 at first; of an aggregate, milliseconds from its start to its receipt.
        minute: Start of the minute of regular or extended hours that it counts to: that of `time`,
            but for a closing print, which counts to the last one before the close.
        moves: What it may move: `OPEN_CLOSE`, `HIGH_LOW`, `VOLUME`.
        price: Of a trade; of an aggregate, its close.
        size: Of a trade; of an aggregate, its volume.
        cancelled: Whether it says that there was no such trade.
        open: Of an aggregate; null in a trade, as are those that follow.
        high: Of an aggregate.
        low: Of an aggregate.
        vwap: Of an aggregate; null where unknown.
        trades: Of an aggregate: how many it is made of; null where unknown.
        conditions: The vendor's codes, in order.
        received: When it reached the feed.
        source: Who told it, as `massive`.
    """

    kind: Kind
    symbol: str
    time: int
    sequence: int = 0
    revision: int = 0
    minute: int = 0
    moves: int = EVERYTHING
    price: float = 0.0
    size: float = 0.0
    cancelled: bool = False
    open: float | None = None
    high: float | None = None
    low: float | None = None
    vwap: float | None = None
    trades: int | None = None
    conditions: tuple[int, ...] = ()
    received: int = 0
    source: str = ""


def contribution(event: Event) -> Contribution:
    """Return what a statement in force brings into its minute."""
    if event.cancelled or event.kind == "heartbeat":
        return NEUTRAL
    if event.kind == "trade":
        return _of_trade(event)
    notional = None if event.vwap is None else event.vwap * event.size
    return Contribution(
        open=event.open,
        high=event.high,
        low=event.low,
        close=event.price,
        volume=event.size,
        notional=notional if event.size else 0.0,
        trades=event.trades if event.size else 0,
    )


def _of_trade(trade: Event) -> Contribution:
    first_last = trade.price if trade.moves & OPEN_CLOSE else None
    extreme = trade.price if trade.moves & HIGH_LOW else None
    counts = bool(trade.moves & VOLUME)
    return Contribution(
        open=first_last,
        high=extreme,
        low=extreme,
        close=first_last,
        volume=trade.size if counts else 0.0,
        notional=trade.price * trade.size if counts else 0.0,
        trades=int(counts),
    )
