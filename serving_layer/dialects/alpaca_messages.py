"""Alpaca's stream of stocks: what clients ask for, and what they are told, as JSON or msgpack.

Units:  `t` is an instant, RFC 3339 in JSON, a timestamp in msgpack; of a day's bar it is midnight
        in New York. Prices are USD a share, sizes shares.
Source: https://docs.alpaca.markets/docs/streaming-market-data, real-time-stock-pricing-data, and
        what alpaca-py reads of it.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgpack
import orjson

from lake.exchange import ZONE
from lake.instant import from_microseconds, microseconds, written
from lake.symbol import canonical, is_symbol
from serving_layer.dialects.dialect import (
    ALL,
    MOST_SYMBOL,
    Asked,
    BadFrameError,
    Said,
    Topic,
    first_told,
    number,
    parsed,
    shown,
)
from serving_layer.dialects.outbox import Item

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import polars as pl

    from serving_layer.dialects.dialect import Stream
    from serving_layer.dialects.minutes import Minute
    from serving_layer.stream.flow import BarRow

_SECOND_US: Final = 1_000_000
_CHANNELS: Final[dict[str, Stream | None]] = {
    "trades": "trades",
    "quotes": None,
    "bars": "minutes",
    "updatedBars": "changed minutes",
    "dailyBars": "days",
    "statuses": None,
    "lulds": None,
    "corrections": None,
    "cancelErrors": None,
}
"""By channel what it tells of here; None: it is never told."""
_OTHERS: Final = ("orderbooks", "news", "imbalances")
_NAMES: Final = {stream: name for name, stream in _CHANNELS.items() if stream}
_TYPES: Final[dict[Stream, str]] = {"minutes": "b", "changed minutes": "u", "days": "d"}
_ERRORS: Final = {
    Said.BAD_FRAME: (400, "invalid syntax"),
    Said.NOT_AUTHENTICATED: (401, "not authenticated"),
    Said.AUTH_FAILED: (402, "auth failed"),
    Said.ALREADY_AUTHENTICATED: (403, "already authenticated"),
    Said.AUTH_TIMEOUT: (404, "auth timeout"),
    Said.TOO_MANY_TOPICS: (405, "symbol limit exceeded"),
    Said.TOO_MANY_CONNECTIONS: (406, "connection limit exceeded"),
    Said.SLOW: (407, "slow client"),
    Said.FORBIDDEN: (409, "insufficient subscription"),
    Said.NOT_OFFERED: (410, "invalid subscribe action for this feed"),
    Said.AWAY: (500, "internal error"),
}
_SUCCESSES: Final = {Said.CONNECTED: "connected", Said.AUTHENTICATED: "authenticated"}
_FEW_SECONDS: Final = 4_096
_UNREADABLE: Final = (ValueError, TypeError, OverflowError, RecursionError)


_PACKER: Final = msgpack.Packer()


@lru_cache(_FEW_SECONDS)
def _second(second: int) -> str:
    """Return a second since 1970 without what follows it; trades are of few at a time."""
    return written(from_microseconds(second * _SECOND_US)).removesuffix("Z")


class Codec(Protocol):
    """How messages become bytes."""

    @property
    def is_text(self) -> bool:
        """Whether frames are text, and else binary."""
        ...

    def message(self, told: Mapping[str, Any]) -> bytes:
        """Return one message."""
        ...

    def frame(self, messages: Sequence[bytes]) -> bytes:
        """Return an array of messages."""
        ...

    def instant(self, time: int) -> Any:  # noqa: ANN401 - of its own type
        """Return an instant, of microseconds."""
        ...

    def parsed(self, frame: str | bytes) -> dict[str, Any]:
        """Return the object that a frame is.

        Raises:
            BadFrameError: If it is none.
        """
        ...


class Json:
    """Text."""

    is_text: Final = True

    def message(self, told: Mapping[str, Any]) -> bytes:
        """Return one message."""
        return orjson.dumps(told)

    def frame(self, messages: Sequence[bytes]) -> bytes:
        """Return an array of messages."""
        return b"[" + b",".join(messages) + b"]"

    def instant(self, time: int) -> str:
        """Return an instant, RFC 3339."""
        second, fraction = divmod(time, _SECOND_US)
        return f"{_second(second)}.{fraction:06d}Z" if fraction else f"{_second(second)}Z"

    def parsed(self, frame: str | bytes) -> dict[str, Any]:
        """Return a JSON object."""
        return parsed(frame)


class Msgpack:
    """Binary, as alpaca-py asks for it; what it is sent as text is read as JSON."""

    is_text: Final = False

    def message(self, told: Mapping[str, Any]) -> bytes:
        """Return one message."""
        packed: bytes = _PACKER.pack(told)
        return packed

    def frame(self, messages: Sequence[bytes]) -> bytes:
        """Return an array of messages."""
        header: bytes = _PACKER.pack_array_header(len(messages))
        return header + b"".join(messages)

    def instant(self, time: int) -> msgpack.Timestamp:
        """Return an instant as msgpack's extension has it."""
        return msgpack.Timestamp(time // _SECOND_US, time % _SECOND_US * 1_000)

    def parsed(self, frame: str | bytes) -> dict[str, Any]:
        """Return a map."""
        if isinstance(frame, str):
            return parsed(frame)
        try:
            told = msgpack.unpackb(frame)
        except _UNREADABLE:
            fact = "not msgpack."
            raise BadFrameError(fact) from None
        if not isinstance(told, dict):
            fact = "not a map of msgpack."
            raise BadFrameError(fact)
        return told


class Alpaca:
    """Speaks as Alpaca's streams of stocks do.

    Args:
        codec: As the client asked for.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    @property
    def is_text(self) -> bool:
        """Whether frames are text, and else binary."""
        return self._codec.is_text

    def frame(self, messages: Sequence[bytes]) -> bytes:
        """Return messages as one array."""
        return self._codec.frame(messages)

    def read(self, frame: str | bytes) -> Asked:
        """Return what a frame asks for; channels that are not told are refused, the rest is not.

        Raises:
            BadFrameError: If it asks for nothing, or a channel or symbol is none.
        """
        told = self._codec.parsed(frame)
        match told:
            case {"action": "auth", "secret": str(secret)}:
                return Asked("auth", key=secret)
            case {"action": "subscribe" | "unsubscribe" as action}:
                return _asked(action, told)
        allowed = "action: auth with key and secret, subscribe or unsubscribe"
        fact = f"action={shown(told.get('action'))}. Allowed: {allowed}."
        raise BadFrameError(fact)

    def say(self, said: Said, detail: str = "") -> bytes:
        """Return a success or an error; beside what Alpaca says it may have a `detail`."""
        if said in _SUCCESSES:
            return self._codec.message({"T": "success", "msg": _SUCCESSES[said]})
        code, text = _ERRORS[said]
        more = {"detail": detail} if detail else {}
        return self._codec.message({"T": "error", "code": code, "msg": text, **more})

    def subscribed(self, asked: Asked, topics: Collection[Topic]) -> list[bytes]:
        """Return all that is subscribed to."""
        del asked
        told: dict[str, list[str]] = {channel: [] for channel in _CHANNELS}
        for topic in sorted(topics):
            told[_NAMES[topic.stream]].append(topic.symbol)
        return [self._codec.message({"T": "subscription", **told})]

    def minute(self, minute: Minute) -> tuple[Stream, Item]:
        """Return a `b`; of a minute that was told before and has changed, a `u`."""
        stream: Stream = "changed minutes" if minute.again else "minutes"
        return stream, self._bar(_TYPES[stream], minute.bar, minute.bar.start)

    def day(self, bar: BarRow) -> Item | None:
        """Return a `d`."""
        midnight = dt.datetime.combine(bar.session, dt.time(), ZONE)
        return self._bar(_TYPES["days"], bar, microseconds(midnight))

    def events(self, events: pl.DataFrame, days: Mapping[str, BarRow]) -> list[Item]:
        """Return a `t` for each trade as it was first told; Alpaca knows no seconds."""
        del days
        if events["kind"].item(0) != "trade":
            return []
        return [self._trade(*trade) for trade in first_told(events)]

    def _bar(self, kind: str, bar: BarRow, time: int) -> Item:
        told = {
            "T": kind,
            "S": bar.symbol,
            "o": bar.open,
            "h": bar.high,
            "l": bar.low,
            "c": bar.close,
            "v": number(bar.volume),
            "t": self._codec.instant(time),
            "n": bar.trades,
            "vw": bar.vwap,
        }
        return Item(bar.symbol, (kind, bar.symbol, time), self._codec.message(told))

    def _trade(  # noqa: PLR0913, PLR0917 - what a trade is
        self,
        symbol: str,
        time: int,
        sequence: int,
        price: float,
        size: float,
        conditions: list[int],
    ) -> Item:
        told = {
            "T": "t",
            "S": symbol,
            "i": sequence,
            "p": price,
            "s": number(size),
            "c": [str(code) for code in conditions],
            "t": self._codec.instant(time),
        }
        return Item(symbol, None, self._codec.message(told))


def _asked(action: Any, told: Mapping[str, Any]) -> Asked:  # noqa: ANN401 - a literal
    topics, refused = [], []
    for channel, symbols in told.items():
        if channel == "action":
            continue
        if channel not in _CHANNELS and channel not in _OTHERS:
            allowed = ", ".join(_NAMES.values())
            fact = f"{shown(channel)} is not a channel. Allowed: {allowed}."
            raise BadFrameError(fact)
        if not isinstance(symbols, list):
            fact = f"{channel}={shown(symbols)} is not a list of symbols."
            raise BadFrameError(fact)
        names = [_symbol(channel, symbol) for symbol in symbols]
        stream = _CHANNELS.get(channel)
        if stream is None and names and action == "subscribe":
            refused.append(f"{channel} are not told here.")
        elif stream is not None:
            topics += [Topic(stream, name) for name in names]
    return Asked(action, topics=tuple(topics), refused=tuple(refused))


def _symbol(channel: str, told: object) -> str:
    if told == ALL:
        return ALL
    name = canonical(told) if isinstance(told, str) and len(told) <= MOST_SYMBOL else ""
    if not is_symbol(name):
        fact = f"{channel}: {shown(told)} is not a symbol."
        raise BadFrameError(fact)
    return name
