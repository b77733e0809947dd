"""Massive's socket: what clients ask for, and what they are told.

Units:  `s`, `e` and `t` are milliseconds since 1970; prices USD a share, sizes shares.
Source: https://massive.com/docs/websocket/quickstart, /stocks/aggregates-per-minute, -per-second
        and /stocks/trades; and what the official clients read of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from lake.massive_symbols import lake_symbol, massive_symbol
from lake.symbol import is_symbol
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
from serving_layer.dialects.minutes import MINUTE_US
from serving_layer.dialects.outbox import Item

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import polars as pl

    from serving_layer.dialects.dialect import Stream
    from serving_layer.dialects.minutes import Minute
    from serving_layer.stream.flow import BarRow

_SECOND_MS: Final = 1_000
_MINUTE_MS: Final = MINUTE_US // 1_000
_CHANNELS: Final[dict[str, Stream]] = {"AM": "minutes", "A": "seconds", "T": "trades"}
_NAMES: Final[dict[Stream, str]] = {stream: name for name, stream in _CHANNELS.items()}
_ACTIONS: Final = ("auth", "subscribe", "unsubscribe")
_ALLOWED: Final = 'Allowed: {"action":"auth|subscribe|unsubscribe","params":"..."}.'
_SAID: Final = {
    Said.CONNECTED: ("connected", "Connected Successfully"),
    Said.AUTHENTICATED: ("auth_success", "authenticated"),
    Said.ALREADY_AUTHENTICATED: ("auth_success", "already authenticated"),
    Said.NOT_AUTHENTICATED: ("error", "not authenticated"),
    Said.AUTH_FAILED: ("auth_failed", "authentication failed"),
    Said.AUTH_TIMEOUT: ("auth_timeout", "no authentication in time"),
    Said.FORBIDDEN: ("auth_failed", "not authorized"),
    Said.BAD_FRAME: ("error", "the frame makes no sense"),
    Said.NOT_OFFERED: ("error", "not subscribed"),
    Said.TOO_MANY_TOPICS: ("error", "too many subscriptions"),
    Said.TOO_MANY_CONNECTIONS: ("max_connections", "too many connections"),
    Said.SLOW: ("slow_consumer", "what is sent is not taken fast enough"),
    Said.AWAY: ("error", "not now"),
}
"""By what is said, its status and its message."""


_spelt: Final = lru_cache(1 << 16)(massive_symbol)


class Massive:
    """Speaks as Massive's stocks cluster does."""

    is_text: Final = True

    def frame(self, messages: Sequence[bytes]) -> bytes:
        """Return messages as one JSON array."""
        return b"[" + b",".join(messages) + b"]"

    def read(self, frame: str | bytes) -> Asked:
        """Return what a frame asks for; of topics, those that make sense.

        Raises:
            BadFrameError: If it asks for nothing.
        """
        told = parsed(frame)
        action, params = told.get("action"), told.get("params")
        if action not in _ACTIONS:
            fact = f"{shown(action)} is not an action. {_ALLOWED}"
            raise BadFrameError(fact)
        if not isinstance(params, str):
            fact = f"params={shown(params)} is not a text. {_ALLOWED}"
            raise BadFrameError(fact)
        if action == "auth":
            return Asked("auth", key=params)
        topics, refused = [], []
        for name in params.split(","):
            try:
                topics.append(_topic(name.strip()))
            except BadFrameError as error:
                refused.append(str(error))
        return Asked(action, topics=tuple(topics), refused=tuple(refused))

    def say(self, said: Said, detail: str = "") -> bytes:
        """Return a status."""
        status, message = _SAID[said]
        return _status(status, f"{message}: {detail}" if detail else message)

    def subscribed(self, asked: Asked, topics: Collection[Topic]) -> list[bytes]:
        """Return a status for each topic that was asked for."""
        del topics
        return [_status("success", f"{asked.action}d to: {_name(topic)}") for topic in asked.topics]

    def minute(self, minute: Minute) -> tuple[Stream, Item]:
        """Return an `AM`, which is sent again whenever the minute changes."""
        bar = minute.bar
        start = bar.start // 1_000
        told: dict[str, Any] = {
            "ev": "AM",
            "sym": _spelt(bar.symbol),
            "v": number(bar.volume),
            **_of_day(minute.day),
            "vw": bar.vwap,
            "o": bar.open,
            "c": bar.close,
            "h": bar.high,
            "l": bar.low,
            **_average(bar.volume, bar.trades),
            "s": start,
            "e": start + _MINUTE_MS,
        }
        return "minutes", Item(bar.symbol, ("AM", bar.symbol, start), orjson.dumps(told))

    def day(self, bar: BarRow) -> Item | None:
        """Return none: Massive has no message for days."""
        del bar
        return None

    def events(self, events: pl.DataFrame, days: Mapping[str, BarRow]) -> list[Item]:
        """Return a `T` for each trade as it was first told, or an `A` for each second."""
        if events["kind"].item(0) == "trade":
            return [_trade(*trade) for trade in first_told(events)]
        rows = events.iter_rows(named=True)
        return [_second(row, days.get(row["symbol"])) for row in rows]


def _topic(name: str) -> Topic:
    channel, dot, ticker = name.partition(".")
    if not dot:
        fact = f"{shown(name)} is not a topic. Allowed: as AM.AAPL or AM.*."
        raise BadFrameError(fact)
    if channel not in _CHANNELS:
        allowed = ", ".join(_CHANNELS)
        fact = f"{shown(name)}: {shown(channel)} is not told. Allowed: {allowed}."
        raise BadFrameError(fact)
    symbol = ticker if ticker == ALL else lake_symbol(ticker)
    if symbol != ALL and not (len(symbol) <= MOST_SYMBOL and is_symbol(symbol)):
        fact = f"{shown(name)}: {shown(ticker)} is not a ticker."
        raise BadFrameError(fact)
    return Topic(_CHANNELS[channel], symbol)


def _name(topic: Topic) -> str:
    ticker = topic.symbol if topic.symbol == ALL else _spelt(topic.symbol)
    return f"{_NAMES[topic.stream]}.{ticker}"


def _status(status: str, message: str) -> bytes:
    return orjson.dumps({"ev": "status", "status": status, "message": message})


def _of_day(day: BarRow | None) -> dict[str, Any]:
    """Return volume, open and vwap of the day; they are left out where there are none yet."""
    if day is None:
        return {}
    return {"av": number(day.volume), "op": day.open, "a": day.vwap}


def _average(volume: float, trades: int | None) -> dict[str, Any]:
    return {"z": round(volume / trades)} if trades else {}


def _trade(  # noqa: PLR0913, PLR0917 - what a trade is
    symbol: str, time: int, sequence: int, price: float, size: float, conditions: list[int]
) -> Item:
    told = {
        "ev": "T",
        "sym": _spelt(symbol),
        "i": str(sequence),
        "p": price,
        "s": number(size),
        "c": conditions,
        "t": time // 1_000,
        "q": sequence,
    }
    return Item(symbol, None, orjson.dumps(told))


def _second(row: Mapping[str, Any], day: BarRow | None) -> Item:
    start = row["time"] // 1_000
    told = {
        "ev": "A",
        "sym": _spelt(row["symbol"]),
        "v": number(row["size"]),
        **_of_day(day),
        "vw": row["vwap"],
        "o": row["open"],
        "c": row["price"],
        "h": row["high"],
        "l": row["low"],
        **_average(row["size"], row["trades"]),
        "s": start,
        "e": start + _SECOND_MS,
    }
    return Item(row["symbol"], None, orjson.dumps(told))
