"""The past of one rule's symbol: what the lake has of it, as the flow that the rule would see."""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from lake.alerts.rule import Close, Volume, leaves
from lake.errors import EmptyLakeError, NoFeedError, NotFoundError, UnknownSymbolError
from lake.exchange import trading_day
from lake.interval import DAILY, MINUTE, Interval
from serving_layer.alerts.flow import DailyFlow, MinuteFlow, Wanted
from serving_layer.alerts.span import (
    SESSION_MINUTES,
    Kept,
    check_moves,
    chosen,
    kept_minutes,
    most_sessions,
)
from serving_layer.alerts.stored import Seens, StoredBars, session_of
from serving_layer.alerts.tick_flow import TickFlow
from serving_layer.backtest.minutes import stored_sessions
from serving_layer.query import BarsQuery

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from lake.alerts.book import BarsKey, Book
    from lake.alerts.rule import Rule
    from lake.alerts.seen import Seen, SeenBar
    from lake.bar import Hours
    from serving_layer.alerts.dry_run import Resolution
    from serving_layer.alerts.flow import Part
    from serving_layer.alerts.span import Limits
    from serving_layer.merged import MergedReader
    from serving_layer.reader import Reader

_MORE: Final = 4
"""So many times as many sessions are looked through for earlier bars, where there were too few."""


class Recorded(Protocol):
    """What was recorded of the live flow."""

    def objects(self) -> dict[dt.date, list[str]]:
        """Return the keys of what is, by session, in order."""
        ...

    def seen(
        self,
        names: Mapping[dt.date, str],
        objects: Mapping[dt.date, Sequence[str]],
        wanted: Wanted,
        most: int | None = None,
    ) -> Iterator[tuple[dt.date, list[Seen]]]:
        """Yield what was seen live of one listing, in order, with the session it was told in.

        Args:
            names: By session, in order: under which symbol the flow told of it.
            objects: As `objects` tells them.
            wanted: Which bars of it.
            most: How many events, of all symbols, may be read; None: any number.

        Raises:
            InvalidRangeError: If there are more.
        """
        ...


class Past:
    """What there is for one rule.

    Args:
        reader: Of the lake.
        merged: The same, as of a feed that may tell a session again.
        rule: The rule.
        book: In which the rule alone is.
        resolution: Of the prices.
        recorded: Tells what was recorded; None: nothing can.
        limits: On what is asked for.

    Attributes:
        table: The sessions of the exchange.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - where it is read, and what for
        self,
        reader: Reader,
        merged: MergedReader,
        rule: Rule,
        book: Book,
        resolution: Resolution,
        recorded: Recorded | None,
        limits: Limits,
    ) -> None:
        self._reader = reader
        self._merged = merged
        self._rule = rule
        self._wanted = Wanted.of(rule, book)
        self._resolution = resolution
        self._recorded = recorded
        self._objects: dict[dt.date, list[str]] = {}
        self._limits = limits
        self.table = merged.sessions()
        self._today = trading_day(merged.now())
        self._stored = StoredBars(merged.stored, rule.symbol, self.table, self._today)
        self._final: dict[tuple[Interval, Hours], Seens] = {}

    @property
    def days(self) -> Sequence[SeenBar]:
        """All daily bars; of what was recorded there need not be any (yet).

        Raises:
            UnknownSymbolError: If the lake has none of the symbol.
            EmptyLakeError: If it has none at all.
        """
        return self._daily.bars

    @cached_property
    def _daily(self) -> Seens:
        return self._of_sessions(DAILY)

    def span(self, start: dt.date | None, end: dt.date | None) -> range:
        """Return the ordinals of the sessions of a run.

        Raises:
            FiblakeError: As `DryRuns.run` does.
        """
        if self._resolution == "ticks":
            return chosen([self._kept_events()], start, end, self.table)
        days = self._kept_days(is_start_asked=start is not None)
        intervals = {interval for interval, _ in self._wanted.final if interval.is_intraday}
        if self._resolution == "1m":
            intervals.add(MINUTE)
        else:
            check_moves(self._rule)
        most = most_sessions(self._rule, self._limits, has_minutes=self._resolution == "1m")
        kept = kept_minutes(self._reader, self._merged, intervals, most)
        return chosen([days, *kept], start, end, self.table)

    def flow(self, ordinals: range) -> Iterator[Part]:
        """Yield what there is to see, session by session.

        Raises:
            FiblakeError: As `DryRuns.run` does.
        """
        first, last = self.table[ordinals[0]], self.table[ordinals[-1]]
        self._final[DAILY, "regular"] = self._daily
        for interval, hours in self._wanted.final - self._final.keys():
            self._final[interval, hours] = (
                self._intraday(interval, hours, first, last)
                if interval.is_intraday
                else self._of_sessions(interval)
            )
        if self._resolution == "1d":
            return DailyFlow(self._wanted, self._final, self.table).seen(first, last)
        if self._resolution == "1m":
            return MinuteFlow(self._wanted, self._final, self._stored).seen(first, last)
        return self._ticks([self.table[ordinal] for ordinal in ordinals])

    def before(self, key: BarsKey, start: int, count: int) -> Sequence[SeenBar]:
        """Return the last final bars that begin before a start, at most so many."""
        _, interval, hours = key
        return self._final[Interval.parse(interval), hours].before(start, count)

    def _kept_days(self, *, is_start_asked: bool) -> Kept:
        """Return of which sessions there are daily bars: of anyone, where a start is asked for."""
        days = self.days
        if is_start_asked or not days:
            first = min(each.first for each in self._merged.symbols())
        else:
            first = session_of(days[0])
        return Kept("daily bars", first, self._merged.boundary() or first)

    def _kept_events(self) -> Kept:
        if self._recorded is None:
            fact = "What was recorded of the live flow is not told here."
            raise NoFeedError(fact, hint="ask for resolution 1d or 1m.")
        self._objects = self._recorded.objects()
        if not self._objects:
            fact = f"No events are recorded in {self._reader.store.location}."
            raise NotFoundError(fact, hint="fiblake up --feed massive records a day.")
        return Kept("recorded events", min(self._objects), max(self._objects), self._limits.ticks)

    def _of_sessions(self, interval: Interval) -> Seens:
        """Return all final bars of an interval of sessions."""
        try:
            return self._stored.final(interval)
        except (EmptyLakeError, UnknownSymbolError):
            if self._resolution != "ticks":
                raise
            return Seens([], [])

    def _intraday(self, interval: Interval, hours: Hours, first: dt.date, last: dt.date) -> Seens:
        """Return the final bars of a run, and as many before it as the rule looks back at."""
        try:
            of_run = self._stored.final(interval, hours, first, last)
        except (EmptyLakeError, UnknownSymbolError):
            # What was recorded makes its own, and batch may have none yet.
            if self._resolution != "ticks":
                raise
            return Seens([], [])
        memory = _memory(self._rule, interval, hours)
        stored = stored_sessions(self._reader.store, interval)
        end = bisect_left(stored, first)
        a_session = -(-SESSION_MINUTES // interval.minutes)
        back, earlier = -(-memory // a_session), Seens([], [])
        while end and len(earlier.bars) < memory:
            begin = max(0, end - back)
            earlier = self._stored.final(interval, hours, stored[begin], stored[end - 1])
            if not begin:
                break
            back *= _MORE
        return Seens([*earlier.bars, *of_run.bars], [*earlier.sessions, *of_run.sessions])

    def _ticks(self, sessions: Sequence[dt.date]) -> Iterator[Part]:
        assert self._recorded is not None  # noqa: S101 - the span was asked for before
        query = BarsQuery((self._rule.symbol,), DAILY, as_of=self._today)
        (asked,) = self._merged.market(query).asked or ()
        names = {
            session: next(
                (each.symbol for each in asked.symbols if each.first <= session <= each.last),
                self._rule.symbol,
            )
            for session in sessions
        }
        factors = self._reader.split_factors()
        shares = {day: factors.between(asked.listing, day, self._today) for day in sessions}
        flow = TickFlow(self._rule.symbol, self._wanted, self._final, self.table)
        told = self._recorded.seen(names, self._objects, self._wanted, self._limits.events)
        return flow.seen(told, shares)


def _memory(rule: Rule, interval: Interval, hours: Hours) -> int:
    """Return how many bars of an interval a rule looks back at, one for a cross among them."""
    averages = [1]
    for leaf in leaves(rule.when):
        if not isinstance(leaf, Close | Volume):
            continue
        if (leaf.interval, leaf.hours) == (str(interval), hours):
            than = leaf if isinstance(leaf, Volume) else leaf.than
            averages.append(than.average or getattr(than, "range", None) or 0)
    return max(averages) + 1
