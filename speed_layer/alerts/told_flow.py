"""The flow of bars and prices that an engine elsewhere tells, as alerts see it.

    told     1h bar, v2   price 10:31:02   1h bar, v4   price 11:30:07
    seen     forming      tick             forming      1h bar of 10:30 as of v4, then the tick

An engine waits for what is late far longer than alerts do. So a bar is complete here, once, when a
price of its own symbol is of a time at which its grace is over, or when it is told as final. That
depends on nothing but the order of a symbol's lines: whichever batches they come in, and whatever
shards other symbols are in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import starmap
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeAlias

from lake.alerts.seen import SeenBar, Tick
from lake.interval import DAILY
from speed_layer.alerts.ends import Ends
from speed_layer.alerts.rows import FLOW
from speed_layer.alerts.wanted import Wanted, with_extremes

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterator, Mapping

    from lake.alerts.history import BarsKey
    from lake.alerts.seen import Seen
    from lake.bar import Hours, State
    from lake.live_wire import Told
    from lake.session import SessionTable

_NEVER: Final = 2**63 - 1
_DAY: Final = str(DAILY)
_BAR: Final = ("symbol", "interval", "session", "hours", "start", "state", "version")
_VALUES: Final = ("open", "high", "low", "close", "volume")
Of: TypeAlias = "tuple[str, Hours]"
"""Interval and hours."""


class _Price(NamedTuple):
    symbol: str
    time: int
    version: int
    price: float | None


class _Bar(NamedTuple):
    symbol: str
    interval: str
    session: dt.date
    hours: Hours
    start: int
    state: State
    version: int
    open: float | None
    high: float
    low: float
    close: float
    volume: float


class _Open(NamedTuple):
    """A bar that is not complete; `values` are none where all its trades were cancelled."""

    version: int
    due: int
    values: tuple[float, float, float, float, float] | None


@dataclass
class _Followed:
    """What is known of a symbol.

    Attributes:
        since: What is older is not told.
        clock: The latest time of its prices.
        done: By interval and hours, the start of the last bar that was complete.
        open: By interval, hours and start, what is not.
    """

    since: int
    clock: int = 0
    done: dict[Of, int] = field(default_factory=dict)
    open: dict[tuple[str, Hours, int], _Open] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Self:
        """Return what `text` told."""
        told = json.loads(text)
        done = {(interval, hours): start for interval, hours, start in told["done"]}
        still = {
            (interval, hours, start): _Open(version, due, None if values is None else tuple(values))
            for interval, hours, start, version, due, values in told["open"]
        }
        return cls(told["since"], told["clock"], done, still)

    @property
    def text(self) -> str:
        """All of it as JSON."""
        told = {
            "since": self.since,
            "clock": self.clock,
            "done": [[*of, start] for of, start in self.done.items()],
            "open": [[*key, *bar] for key, bar in self.open.items()],
        }
        return json.dumps(told, separators=(",", ":"))

    @property
    def due(self) -> int:
        """When the first bar that is open is complete."""
        bars = (bar.due for (interval, _, _), bar in self.open.items() if interval != _DAY)
        return min(bars, default=_NEVER)


class ToldFlow:
    """Turns what an engine tells into what alerts see; of one thread.

    Args:
        table: The sessions.
        grace: How long after its end a bar still takes what comes late.
        rows: Of earlier changes, as they were at the position from which the stream is told; others
            among them are passed over.
        resumed: The clock when what was made of the flow was kept: until it is past this, no bar is
            told as it forms, which it was before.

    Attributes:
        clock: The latest time of the prices of all symbols, in microseconds.
    """

    def __init__(
        self,
        table: SessionTable,
        *,
        grace: dt.timedelta,
        rows: Mapping[str, str] | None = None,
        resumed: int = -1,
    ) -> None:
        self.clock = 0
        self._grace = round(grace.total_seconds() * 1_000_000)
        self._ends = Ends(table)
        self._resumed = resumed
        self._wanted = Wanted()
        self._known = {key: text for key, text in (rows or {}).items() if key.startswith(FLOW)}
        self._followed: dict[str, _Followed] = {}
        self._due: dict[str, int] = {}
        """By symbol followed, when its next bar is complete."""
        self._touched: set[str] = set()
        self._gone: set[str] = set()

    @property
    def symbols(self) -> frozenset[str]:
        """Those followed."""
        return frozenset(self._followed)

    def lacking(self, session: dt.date) -> frozenset[str]:  # noqa: ARG002 - as of `EventFlow`
        """Return none: bars are told whole, whenever their symbol was followed."""
        return frozenset()

    def follow(self, symbols: Collection[str]) -> None:
        """Tell of these symbols from now on, and of no others.

        Of one that was not followed, prices are told that are later than the present of the clock,
        and bars that were not complete by it: they are told whole.
        """
        for symbol in self._followed.keys() - set(symbols):
            del self._followed[symbol], self._due[symbol]
            self._gone.add(symbol)
        for symbol in symbols:
            if symbol not in self._followed:
                text = self._known.pop(FLOW + symbol, None)
                followed = _Followed.of(text) if text else _Followed(self.clock)
                self._followed[symbol] = followed
                self._due[symbol] = followed.due
                self.clock = max(self.clock, followed.clock)
                self._gone.discard(symbol)
                if text is None:
                    self._touched.add(symbol)

    def want(self, keys: Collection[BarsKey] | None, forming: Collection[BarsKey] | None) -> None:
        """Tell these bars alone, as `EventFlow.want` does."""
        self._wanted = Wanted.of(keys, forming)

    def changed(self) -> dict[str, str | None]:
        """Return the rows that changed since the last call; None: there is none any more."""
        rows: dict[str, str | None] = dict.fromkeys(FLOW + symbol for symbol in self._gone)
        for symbol in self._touched & self._followed.keys():
            rows[FLOW + symbol] = self._followed[symbol].text
        self._touched, self._gone = set(), set()
        return rows

    def take(self, told: Told) -> list[Seen]:
        """Return what is seen of what an engine told, in the order in which it counts.

        Args:
            told: Where it knows the order of its lines, that is kept; else bars come first.
        """
        for key in self._known:
            self._gone.add(key.removeprefix(FLOW))
        self._known = {}
        seen: list[Seen] = []
        for row in _in_order(told):
            if isinstance(row, _Price):
                seen.extend(self._price(row))
            else:
                seen.extend(self._bar(row))
        return seen

    def _price(self, row: _Price) -> Iterator[Seen]:
        if row.price is None:
            return
        self.clock = max(self.clock, row.time)
        followed = self._followed.get(row.symbol)
        if followed is None or row.time <= followed.since:
            return
        if row.time > followed.clock:
            followed.clock = row.time
            self._touched.add(row.symbol)
            if row.time >= self._due[row.symbol]:
                yield from self._complete(row.symbol, followed)
        yield Tick(row.symbol, row.time, row.version, row.price)

    def _bar(self, row: _Bar) -> Iterator[Seen]:
        followed = self._followed.get(row.symbol)
        key: BarsKey = (row.symbol, row.interval, row.hours)
        is_forming = self._wanted.is_forming(key)
        if followed is None or not (is_forming or self._wanted.is_final(key)):
            return
        end = self._ends.of(row.interval, row.session).get(row.start)
        if end is None:
            return
        of, due = (row.interval, row.hours), end + self._grace
        held = followed.open.get((*of, row.start))
        is_old = row.start <= followed.done.get(of, -1) or (held and row.version <= held.version)
        if is_old or due <= followed.since:
            return
        values = None if row.open is None else (row.open, *row[-4:])
        self._hold(followed, of, row.start, _Open(row.version, due, values))
        self._touched.add(row.symbol)
        if row.interval != _DAY and (row.state == "final" or followed.clock >= due):
            yield from self._complete(row.symbol, followed, (of, row.start))
        else:
            if row.interval != _DAY:
                self._due[row.symbol] = min(self._due[row.symbol], due)
            if is_forming and values and self.clock > self._resumed:
                time = max(followed.clock, row.start)
                yield SeenBar(*key, row.start, time, *values, "forming")

    def _hold(self, followed: _Followed, of: Of, start: int, bar: _Open) -> None:
        """Keep a bar that is not complete; of days, which none completes here, the last."""
        if of[0] == _DAY:
            days = [key for key in followed.open if key[0] == _DAY]
            for key in days:
                del followed.open[key]
            followed.done[of] = max(start - 1, followed.done.get(of, -1))
        followed.open[*of, start] = bar

    def _complete(
        self, symbol: str, followed: _Followed, final: tuple[Of, int] | None = None
    ) -> Iterator[SeenBar]:
        """Yield the bars of a symbol that are complete, in order of time.

        Args:
            symbol: Whose.
            followed: What is known of it.
            final: A bar that the engine says is final, and so are those before it.
        """
        ready = [
            (bar.due, -start, interval, hours)
            for (interval, hours, start), bar in followed.open.items()
            if interval != _DAY
            and (
                bar.due <= followed.clock
                or (final is not None and (interval, hours) == final[0] and start <= final[1])
            )
        ]
        for due, before, interval, hours in sorted(ready):
            bar = followed.open.pop((interval, hours, -before))
            of, start = (interval, hours), -before
            followed.done[of] = max(start, followed.done.get(of, -1))
            if bar.values and self._wanted.is_final((symbol, *of)):
                yield SeenBar(symbol, *of, start, due, *bar.values, "final")
        self._due[symbol] = followed.due


def _in_order(told: Told) -> Iterator[_Price | _Bar]:
    """Yield bars and prices in the order of their lines."""
    bars = starmap(_Bar, with_extremes(told.bars).select(*_BAR, *_VALUES).iter_rows())
    prices = starmap(_Price, told.prices.select("symbol", "time", "version", "price").iter_rows())
    bar_lines, price_lines = told.bar_lines, told.price_lines
    if (len(bar_lines), len(price_lines)) != (told.bars.height, told.prices.height):
        yield from bars
        yield from prices
        return
    rows: list[tuple[int, _Price | _Bar]] = [
        *zip(bar_lines, bars, strict=True),
        *zip(price_lines, prices, strict=True),
    ]
    yield from (row for _, row in sorted(rows, key=itemgetter(0)))
