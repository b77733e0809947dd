"""What a stream tells: prices, bars, gaps, ends of bars, and how it is itself.

Source: docs/stream.md, whose frames these are made of. Instants are UTC.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from fiblake.frames import Bars

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lake.bar import State


@dataclass(frozen=True, slots=True)
class Price:
    """The latest price of a symbol.

    Attributes:
        channel: On which it came, as `price:AAPL` or `price:*`.
        seq: The number of this change of the channel.
        symbol: Its symbol.
        price: USD a share; None once all trades that made it were cancelled, as are the next two.
        time: When it printed.
        received: When the feed received it.
        session: Of which session it is.
        source: Who told it.
        version: Grows with each change of this price.
    """

    channel: str
    seq: int
    symbol: str
    price: float | None
    time: dt.datetime | None
    received: dt.datetime | None
    session: dt.date
    source: str
    version: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar as it is now: what was told of the same symbol, interval and start is replaced.

    Attributes:
        channel: On which it came, as `bars:5m:AAPL`.
        seq: The number of this change of the channel.
        symbol: Its symbol.
        interval: Of the bar.
        start: An instant, or of 1d and longer a session.
        open: USD a share, as high, low and close; None where it has vanished: all its trades were
            cancelled.
        high: The highest.
        low: The lowest.
        close: The last.
        volume: Shares.
        vwap: USD a share; None where unknown.
        trades: How many; None where unknown.
        minutes: Of 1m to 4h those that were traded.
        sessions: That were traded.
        sessions_expected: That there were up to `through`.
        through: The last session considered.
        state: `forming` or `final`.
        version: Of live bars, grows with each change; None of bars that batch has a part in.
        revision: Of these, how often the part of batch was corrected.
        vanished: Whether there is no such bar any more.
    """

    channel: str
    seq: int
    symbol: str
    interval: str
    start: dt.datetime | dt.date
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float | None
    vwap: float | None
    trades: int | None
    minutes: int | None
    sessions: int | None
    sessions_expected: int | None
    through: dt.date | None
    state: State | None
    version: int | None
    revision: int | None
    vanished: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """Changes of a channel may be lost. Forget what it told: all of it as it is now follows.

    Attributes:
        channel: Which.
        from_seq: The last change that was told; None where that is unknown.
        until_seq: The change that what follows is of; None where that is unknown.
        why: `restarted`: the server is another process; `slow`: more changed than could be told;
            `view`: the realtime view lost some; `replaced`: the server tells all anew.
        message: The same in a sentence.
    """

    channel: str
    from_seq: int | None
    until_seq: int | None
    why: str
    message: str


@dataclass(frozen=True, slots=True)
class Complete:
    """Every bar of an interval that ended at an instant, and is known, is final.

    Attributes:
        channel: On which it came, as `bars:5m:*`.
        interval: Of the bars.
        start: Of the bars.
        end: Of the bars.
        symbols: How many have such a bar. It is told again where one comes late.
    """

    channel: str
    interval: str
    start: dt.datetime | dt.date
    end: dt.datetime | dt.date
    symbols: int


@dataclass(frozen=True, slots=True)
class Status:
    """How the stream is, whenever that changes.

    Attributes:
        connected: Whether the server is telling; if not, it is asked to again and again.
        live: `merged`, or `away`: its realtime view does not answer; None: it did not say yet.
        boundary: The last session that batch has committed; None: it did not say yet.
    """

    connected: bool
    live: Literal["merged", "away"] | None = None
    boundary: dt.date | None = None


Event = Price | Bar | Gap | Complete | Status
_BAR: Final = (
    *("open", "high", "low", "close", "volume", "vwap", "trades", "minutes", "sessions"),
    *("sessions_expected", "state", "version", "revision"),
)


def frame(events: Iterable[Price] | Iterable[Bar]) -> Bars:
    """Return events of one kind as a frame, one row each; of bars all with dates or with instants.

    Returns:
        The events' attributes as columns; of no events no columns.
    """
    return Bars([asdict(each) for each in events], infer_schema_length=None)


def price_of(channel: str, seq: int, told: Mapping[str, Any]) -> Price:
    """Return a price as a frame tells it."""
    return Price(
        channel=channel,
        seq=seq,
        symbol=told["symbol"],
        price=told["price"],
        time=_instant(told["time"]),
        received=_instant(told["received"]),
        session=dt.date.fromisoformat(told["session"]),
        source=told["source"],
        version=told["version"],
    )


def bar_of(channel: str, seq: int, told: Mapping[str, Any]) -> Bar:
    """Return a bar as a frame tells it; of one that has vanished the frame may leave much out."""
    _, interval, symbol = channel.split(":")[:3]
    through = told.get("through")
    return Bar(
        channel=channel,
        seq=seq,
        symbol=told.get("symbol", symbol),
        interval=told.get("interval", interval),
        start=_instant_or_date(told["start"]),
        through=None if through is None else dt.date.fromisoformat(through),
        vanished=bool(told.get("vanished")),
        **{name: told.get(name) for name in _BAR},
    )


def gap_of(told: Mapping[str, Any]) -> Gap:
    """Return a gap as a frame tells it."""
    return Gap(told["channel"], told.get("from"), told.get("until"), told["why"], told["message"])


def complete_of(told: Mapping[str, Any]) -> Complete:
    """Return as a frame tells it that bars are complete."""
    return Complete(
        channel=told["channel"],
        interval=told["interval"],
        start=_instant_or_date(told["start"]),
        end=_instant_or_date(told["end"]),
        symbols=told["symbols"],
    )


def status_of(told: Mapping[str, Any]) -> Status:
    """Return as a frame tells it how the server's stream is."""
    boundary = told.get("boundary")
    day = None if boundary is None else dt.date.fromisoformat(boundary)
    return Status(connected=True, live=told.get("live"), boundary=day)


def _instant(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)


def _instant_or_date(text: str) -> dt.datetime | dt.date:
    # Of sessions a date, which has no time.
    return dt.datetime.fromisoformat(text) if "T" in text else dt.date.fromisoformat(text)
