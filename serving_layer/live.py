"""The live routes: a symbol's latest price, and its bars as the speed layer tells them now."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request

from lake.bar import Hours, State
from lake.errors import NoFeedError
from lake.instant import from_microseconds
from lake.interval import LIVE, parse_one_of
from lake.live import LiveBars
from lake.symbol import canonical
from serving_layer.problems import PROBLEMS

if TYPE_CHECKING:
    import polars as pl

    from serving_layer.gaps import Gaps

router = APIRouter(tags=["live"])


@dataclass(frozen=True, slots=True)
class LivePrice:
    """The latest price of a symbol.

    Attributes:
        price: USD a share.
        time: When it printed.
        received: When it reached the feed.
        source: Who told it.
        session: Of which session it is.
        version: Grows with each change within a session.
    """

    price: float
    time: dt.datetime
    received: dt.datetime
    source: str
    session: dt.date
    version: int


@dataclass(frozen=True, slots=True)
class LiveBar:
    """A bar as the speed layer tells it: of trades that have printed, unadjusted.

    Attributes:
        start: When it begins: an instant, UTC; of a 1d bar, its session.
        open: First price, USD a share.
        high: Highest price, USD a share.
        low: Lowest price, USD a share.
        close: Last price, USD a share.
        volume: Shares traded.
        vwap: Volume-weighted average price; null where unknown.
        trades: Number of trades; null where unknown.
        minutes: Minutes of it that the symbol traded.
        sessions: 1, and so is `sessions_expected`.
        sessions_expected: 1.
        through: Its session.
        state: `final` once no trade can change it any more but by batch.
        version: Grows with each change.
    """

    start: dt.datetime | dt.date
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float | None
    trades: int | None
    minutes: int
    sessions: int
    sessions_expected: int
    through: dt.date
    state: State
    version: int


@dataclass(frozen=True, slots=True)
class LiveGap:
    """A span of which not all of a symbol's trades are recorded: bars lack what else there was.

    Attributes:
        since: Its first instant.
        until: The first after it.
        why: `lost`, nobody listened, or what came could not be read; `unfilled`, nor could the
            vendor be asked; `shed`, the feed could not keep up; `absent`, nothing was recorded.
        told: More about it.
    """

    since: dt.datetime
    until: dt.datetime
    why: str
    told: str


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """What is known of a symbol now; `price` is null before its first.

    Attributes:
        gaps: In the recording of today's session, as they are known some minutes later, also of
            who has no bars; null where nothing is known of it, as in a replay.
    """

    symbol: str
    interval: str
    session: Hours
    price: LivePrice | None
    bars: list[LiveBar]
    gaps: list[LiveGap] | None


async def _live(request: Request) -> LiveBars:
    live: LiveBars | None = request.app.state.live
    if live is None:
        fact = "There is no live feed here."
        raise NoFeedError(fact, hint="fiblake up --feed replay:sample@60x.")
    return live


@router.get("/v1/live/{symbol:path}", responses=PROBLEMS)
def live_bars(
    symbol: str,
    request: Request,
    live: Annotated[LiveBars, Depends(_live)],
    interval: Annotated[str, Query(description=" ".join(map(str, LIVE)))] = "1d",
    session: Annotated[Hours, Query(description="of 1m to 4h: which hours")] = "regular",
) -> LiveAnswer:
    """A symbol's latest price, and its live bars of an interval, in order of start."""
    name = canonical(symbol)
    asked = parse_one_of(interval, LIVE)
    prices = live.price([name])
    bars = live.bars(name, asked, hours=session)
    return LiveAnswer(
        symbol=name,
        interval=str(asked),
        session=session,
        price=_price(prices),
        bars=[_bar(row) for row in bars.iter_rows(named=True)],
        gaps=_gaps(request.app.state.gaps, name),
    )


def _gaps(gaps: Gaps | None, symbol: str) -> list[LiveGap] | None:
    found = gaps.of(symbol) if gaps else None
    if found is None:
        return None
    return [
        LiveGap(from_microseconds(gap.since), from_microseconds(gap.until), gap.why, gap.told)
        for gap in found
    ]


def _price(prices: pl.DataFrame) -> LivePrice | None:
    for row in prices.iter_rows(named=True):
        return LivePrice(
            price=row["price"],
            time=from_microseconds(row["time"]),
            received=from_microseconds(row["received"]),
            source=row["source"],
            session=row["session"],
            version=row["version"],
        )
    return None


def _bar(row: dict[str, object]) -> LiveBar:
    is_day = row["interval"] == "1d"
    told = {name: row[name] for name in LiveBar.__dataclass_fields__ if name in row}
    told["start"] = row["session"] if is_day else from_microseconds(row["start"])  # type: ignore[arg-type]
    return LiveBar(**told, sessions=1, sessions_expected=1, through=row["session"])  # type: ignore[arg-type]
