"""The names of channels: `price:AAPL`, `bars:5m:AAPL:extended`, `bars:13d:AAPL`, `price:*`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lake.errors import MisuseError
from lake.hours import HOURS
from lake.interval import DAILY, INTERVALS, LIVE, parse_one_of
from lake.symbol import canonical, is_symbol

if TYPE_CHECKING:
    from lake.bar import Hours
    from lake.interval import Interval

ALL: Final = "*"
"""In place of a symbol: every one."""
_SHOWN: Final = 60
_ALLOWED: Final = "Allowed: price:AAPL, bars:5m:AAPL, bars:5m:AAPL:extended, bars:13d:AAPL, price:*"


@dataclass(frozen=True, slots=True)
class ChannelName:
    """What a channel tells of; as text it is its name.

    Attributes:
        symbol: Whose, or `*`.
        interval: Of bars; None: prices.
        hours: Of bars of minutes and hours.
    """

    symbol: str
    interval: Interval | None = None
    hours: Hours = "regular"

    @property
    def is_market(self) -> bool:
        """Whether it tells of all symbols."""
        return self.symbol == ALL

    @property
    def is_merged(self) -> bool:
        """Whether its bars are of the lake and of the view: those of sessions, of one symbol."""
        return self.interval is not None and not self.interval.is_intraday and not self.is_market

    def __str__(self) -> str:
        if self.interval is None:
            return f"price:{self.symbol}"
        extended = "" if self.hours == "regular" else f":{self.hours}"
        return f"bars:{self.interval}:{self.symbol}{extended}"


def parse_channel(text: str) -> ChannelName:
    """Return the channel that `text` names, in any case.

    Raises:
        InvalidIntervalError: If its interval is none.
        MisuseError: If it is not a channel's name, or such bars are not offered.
    """
    kind, *parts = text.split(":")
    if text == ALL:
        return ChannelName(ALL)
    if kind == "price" and len(parts) == 1:
        return ChannelName(_symbol(parts[0], text))
    if kind == "bars" and len(parts) in {2, 3}:
        return _bars(text, *parts)
    raise _not_a_channel(text)


def _bars(text: str, of: str, symbol: str, hours: str = "regular") -> ChannelName:
    interval = parse_one_of(of[:_SHOWN], INTERVALS)
    name = ChannelName(_symbol(symbol, text), interval, _hours(hours, text))
    if name.is_market and interval not in LIVE:
        fact = f"Bars of {interval} are not told of all symbols in one channel."
        raise MisuseError(fact, hint=f"subscribe to symbols, or to bars:{DAILY}:*.")
    if name.hours != "regular" and not interval.is_intraday:
        fact = f"Bars of {interval} are of the whole day: they have no extended hours."
        raise MisuseError(fact, hint=f"subscribe to bars:{interval}:{name.symbol}.")
    return name


def _symbol(text: str, channel: str) -> str:
    name = canonical(text)
    if name != ALL and not is_symbol(name):
        raise _not_a_channel(channel)
    return name


def _hours(text: str, channel: str) -> Hours:
    for hours in HOURS:
        if text == hours:
            return hours
    raise _not_a_channel(channel)


def _not_a_channel(text: str) -> MisuseError:
    return MisuseError(f"{text[:_SHOWN]!r} is not a channel. {_ALLOWED}.")
