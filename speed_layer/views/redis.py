"""The realtime view in Redis, for many processes: pipelined, compared and told in Lua.

    PREFIX:filling                              a name, made with the first put, anew after a loss
    PREFIX:sessions                             sorted set: sessions that have bars, by last put
    PREFIX:bars:SYMBOL:INTERVAL:HOURS:SESSION   hash: start (8 bytes) -> record of the bar
    PREFIX:prices                               hash: symbol -> record of its latest price
    PREFIX:changes                              channel: what changed, many bars a message

Records are those of `records.py`. One script puts hundreds of rows: each is compared by version
and put, and what was put is published in one message, in one step that nobody sees the half of.
All keys expire. Redis must not evict (`maxmemory-policy noeviction`); one cluster node holds all
where the prefix is in braces, as `{fiblake}`.
"""

from __future__ import annotations

import hashlib
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from lake.clock import SystemClock
from lake.interval import DAILY
from speed_layer.views import records
from speed_layer.views.mailbox import MOST_WAITING, Mailbox
from speed_layer.views.redis_changes import Listener
from speed_layer.views.redis_server import RedisServer

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator

    from lake.bar import Hours
    from lake.interval import Interval
    from lake.settings import Settings

_CHUNK: Final = 500
"""Rows a script puts: Redis does nothing else for some 2 ms."""
_AT_ONCE: Final = 20
"""Chunks sent before their answers are read."""
_SCANNED: Final = 2_000
_DAY_S: Final = 24 * 60 * 60

Call = list[object]


class RedisView:
    """A view that many processes share.

    Args:
        settings: Where Redis is, how keys begin, how long they live, how often it is asked.
        most_waiting: How many bars and prices may wait for one subscriber.

    Raises:
        ViewRefusedError: If the URL makes no sense.
    """

    def __init__(self, settings: Settings, *, most_waiting: int = MOST_WAITING) -> None:
        self._server = RedisServer(settings)
        self._prefix = settings.redis_prefix
        self._kept_s = settings.view_days * _DAY_S
        self._most_waiting = most_waiting
        self._listeners: dict[Mailbox, Listener] = {}
        self._clock = SystemClock()
        self._filling = ""

    @property
    def filling(self) -> str:
        """A name that Redis keeps: when that is lost, so is the rest, and it gets another."""
        return self._filling

    def put(self, bars: pl.DataFrame, prices: pl.DataFrame) -> None:
        """Bring in bars and prices."""
        calls = [*self._bar_calls(bars), *self._price_calls(prices)]
        if not calls:
            # While nothing changes, nothing else tells that all was lost.
            name = self._server.ask(lambda: self._server.client.get(self._key("filling")))
            self._filling = (name or b"").decode()
        for at in range(0, len(calls), _AT_ONCE):
            # With each: Redis may have lost what went before.
            some = [*self._session_calls(bars), *calls[at : at + _AT_ONCE]]
            answers = self._server.ask(partial(self._server.run, some, _SCRIPTS))
            self._filling = answers[-1].decode()

    def price(self, symbols: Iterable[str] | None = None) -> pl.DataFrame:
        """Return the latest prices."""
        key, client = self._key("prices"), self._server.client
        if symbols is None:
            held = self._server.ask(lambda: client.hgetall(key))
            return records.standing_prices({name.decode(): each for name, each in held.items()})
        wanted = list(symbols)
        found = self._server.ask(lambda: client.hmget(key, wanted)) if wanted else []
        pairs = zip(wanted, found, strict=True)
        return records.standing_prices({name: each for name, each in pairs if each})

    def bars(
        self,
        symbol: str,
        interval: Interval,
        hours: Hours = "regular",
        *,
        vanished: bool = False,
    ) -> pl.DataFrame:
        """Return the bars of a symbol."""
        series = f"{self._key('bars')}:{symbol}:{interval}:{hours}:"
        held = self._server.ask(lambda: self._held(series))
        return records.ordered_bars(symbol, held, vanished=vanished)

    def subscribe(self, symbols: Iterable[str] | None = None) -> Mailbox:
        """Return the changes from now on, whoever puts them."""
        mailbox = Mailbox(symbols, most=self._most_waiting, on_close=self._unsubscribe)
        self._listeners[mailbox] = Listener(self._server, self._key("changes"), mailbox)
        return mailbox

    def forget(self, *, daily: dt.date | None, minute: dt.date | None) -> None:
        """Drop what the batch layer has covered."""
        until = {True: _text(daily), False: _text(minute)}
        self._server.ask(lambda: self._forget(until))

    def close(self) -> None:
        """End all subscriptions, and let go of all connections."""
        for mailbox, listener in list(self._listeners.items()):
            mailbox.close()
            # Another thread may be closing it: its connection must not be cut while it reads.
            listener.close()
        self._server.client.close()

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    def _bar_calls(self, bars: pl.DataFrame) -> Iterator[Call]:
        names = ("symbol", "interval", "hours", pl.col("session").cast(pl.String))
        keys = bars.select(
            pl.concat_str(pl.lit(self._key("bars")), *names, separator=":")
        ).to_series()
        begins = len(self._key("bars:")) + 1
        head = [uuid.uuid4().hex, self._key("changes"), self._kept_s, begins]
        told = records.pack_bars(bars)
        for at in range(0, len(told), _CHUNK):
            some = keys[at : at + _CHUNK].to_list()
            count = 1 + len(some)
            yield [
                *("EVALSHA", _PUT_BARS_SHA, count, self._key("filling")),
                *some,
                *head,
                *told[at : at + _CHUNK],
            ]

    def _session_calls(self, bars: pl.DataFrame) -> list[Call]:
        """Return what lists the sessions of bars, and strikes those that have expired."""
        key, now = self._key("sessions"), int(self._clock.now().timestamp())
        listed: list[Call] = [["ZADD", key, now, _text(day)] for day in bars["session"].unique()]
        if not listed:
            return []
        expired: Call = ["ZREMRANGEBYSCORE", key, 0, now - self._kept_s]
        return [*listed, expired, ["EXPIRE", key, self._kept_s]]

    def _price_calls(self, prices: pl.DataFrame) -> Iterator[Call]:
        head = [uuid.uuid4().hex, self._key("changes"), self._kept_s]
        told = list(zip(prices["symbol"], records.pack_prices(prices), strict=True))
        for at in range(0, len(told), _CHUNK):
            some = [each for pair in told[at : at + _CHUNK] for each in pair]
            keys = (self._key("filling"), self._key("prices"))
            yield ["EVALSHA", _PUT_PRICES_SHA, len(keys), *keys, *head, *some]

    def _held(self, series: str) -> bytes:
        sessions = self._server.client.zrange(self._key("sessions"), 0, -1)
        calls = [["HVALS", series + session.decode()] for session in sessions]
        return b"".join(record for held in self._server.run(calls) for record in held)

    def _forget(self, until: dict[bool, str]) -> None:
        """Drop the bars of sessions up to `until`: of 1d, and of all others."""
        client, key = self._server.client, self._key("bars")
        covered: list[str] = []
        for name in client.scan_iter(match=f"{key}:*", count=_SCANNED):
            _, interval, _, session = name.decode().rsplit(":", 3)
            if session <= until[interval == str(DAILY)]:
                covered.append(name)
        for at in range(0, len(covered), _SCANNED):
            client.unlink(*covered[at : at + _SCANNED])
        oldest = min(until.values())
        for session in client.zrange(self._key("sessions"), 0, -1):
            if session.decode() <= oldest:
                client.zrem(self._key("sessions"), session)

    def _unsubscribe(self, mailbox: Mailbox) -> None:
        self._listeners[mailbox].close()
        del self._listeners[mailbox]


def _text(date: dt.date | None) -> str:
    """Return a date as keys have it; of none, what is before all of them."""
    return "" if date is None else date.isoformat()


def _script(name: str) -> tuple[str, str]:
    text = Path(__file__).with_name(name).read_text("utf-8")
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


_PUT_BARS, _PUT_BARS_SHA = _script("put_bars.lua")
_PUT_PRICES, _PUT_PRICES_SHA = _script("put_prices.lua")
_SCRIPTS: Final = (_PUT_BARS, _PUT_PRICES)
