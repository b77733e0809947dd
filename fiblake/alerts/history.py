"""What alerts ask of stored bars, by the reader that serves them to everyone."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl

from lake.alerts.seen import SeenBar
from lake.errors import EmptyLakeError, UnknownSymbolError, ViewUnavailableError
from lake.instant import from_microseconds, microseconds
from lake.interval import DAILY, Interval
from lake.live_bars import MINUTE_US
from lake.session import bucket_of
from serving_layer.merged import MergedReader
from serving_layer.query import BarsQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from lake.alerts.history import BarsKey
    from lake.bar import Hours, State
    from lake.listings import Listings
    from lake.live import LiveBars
    from lake.session import SessionTable
    from serving_layer.reader import Reader

_AT_ONCE: Final = 500
_DAY_MINUTES: Final = {"regular": 390, "extended": 570}
_FARTHER: Final = (1, 8, 64)
"""How many times as far it is looked back, for who has fewer bars than were asked for; bars of
sessions are looked for in all of the lake at last."""
_SEEN: Final = ("name", "start", "time", "open", "high", "low", "close", "volume")
_BOUNDS: Final = {"name": pl.String(), "bound": pl.Int64(), "most": pl.Int64()}
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
Bound: TypeAlias = tuple[int, int]
"""Before which instant, in microseconds, and how many bars at most."""


class LakeHistory:
    """Stored bars of a lake, and of minutes and hours those that a realtime view has after them.

    Args:
        reader: Of the lake.
        live: The view; None: there is none.
        told_again: A session that the feed tells again: the lake is taken as it was on its eve.
    """

    def __init__(
        self, reader: Reader, live: LiveBars | None = None, *, told_again: dt.date | None = None
    ) -> None:
        self._reader = reader
        self._live = live
        self._told_again = told_again
        self._merged = MergedReader(reader, live, told_again=told_again)

    def before(
        self, wanted: Mapping[BarsKey, Bound], as_of: dt.date
    ) -> dict[BarsKey, list[SeenBar]]:
        """Return the last complete bars before some instants, as `History` has it."""
        found: dict[BarsKey, list[SeenBar]] = {key: [] for key in wanted}
        for (interval, hours), symbols in _grouped(wanted).items():
            asked = _Asked(Interval.parse(interval), hours, as_of)
            bounds = {symbol: wanted[symbol, interval, hours] for symbol in symbols}
            for symbol, bars in self._last(asked, bounds).items():
                found[symbol, interval, hours] = bars
        return found

    def closed(
        self, keys: Collection[BarsKey], after: Mapping[BarsKey, int], as_of: dt.date
    ) -> list[SeenBar]:
        """Return the final bars that batch has committed, as `History` has it."""
        groups: dict[tuple[str, int], list[str]] = defaultdict(list)
        for key in keys:
            groups[key[1], after[key]].append(key[0])
        bars: list[SeenBar] = []
        for (interval, start), symbols in groups.items():
            asked = _Asked(Interval.parse(interval), "regular", as_of)
            first = from_microseconds(start).date() + dt.timedelta(days=1)
            for told in self._complete(asked, symbols, first, None):
                bars += asked.seen(told, "final")
        return sorted(bars, key=lambda bar: (bar.time, int(bar.interval[:-1]), bar.symbol))

    def forming(self, keys: Collection[BarsKey], session: dt.date) -> dict[BarsKey, SeenBar]:
        """Return what sessions before one have formed of its bars, as `History` has it."""
        live = None if self._live is None else _Before(self._live, session)
        reader = MergedReader(self._reader, live, told_again=self._told_again)
        eve = _eve(session, self._merged.sessions())
        formed = self._of_bucket(reader, keys, session, until=eve)
        return {(bar.symbol, bar.interval, bar.hours): bar for _, bar in formed}

    def present(self, keys: Collection[BarsKey], session: dt.date) -> list[SeenBar]:
        """Return the bars that a session is in as they are served, as `History` has it."""
        formed = self._of_bucket(self._merged, keys, session, until=None)
        return [bar for through, bar in formed if through == session]

    def boundary(self) -> dt.date | None:
        """Return the last session that batch has committed, as `History` has it."""
        return self._merged.boundary()

    def splits(self, session: dt.date) -> dict[str, float]:
        """Return the splits effective on a session by symbol, as `History` has it."""
        table = self._merged.sessions()
        if table.ordinal(session) is None:
            return {}
        split = self._reader.split_factors().effective(_eve(session, table), session)
        if not split:
            return {}
        listings = self._listings(session)
        return {
            named.symbol: factor
            for listing, factor in split.items()
            for named in listings.symbols_of(listing)
            if named.first <= session <= named.last
        }

    def _last(self, asked: _Asked, bounds: Mapping[str, Bound]) -> dict[str, list[SeenBar]]:
        """Return by symbol the last bars before an instant, the oldest first."""
        found: dict[str, list[SeenBar]] = {}
        table = self._merged.sessions()
        left = dict(bounds)
        for farther in _FARTHER:
            instants = [from_microseconds(instant).date() for instant, _ in left.values()]
            most = max(count for _, count in left.values())
            first = asked.first(min(instants), most, farther, table)
            for told in self._complete(asked, list(left), first, max(instants)):
                kept: dict[str, list[SeenBar]] = {}
                for bar in asked.seen(_bounded(told, left), "final"):
                    kept.setdefault(bar.symbol, []).append(bar)
                found |= kept
            left = {
                name: bound for name, bound in left.items() if len(found.get(name, ())) < bound[1]
            }
            if not left or first <= table.first:
                break
        return found

    def _of_bucket(
        self,
        reader: MergedReader,
        keys: Collection[BarsKey],
        session: dt.date,
        until: dt.date | None,
    ) -> Iterator[tuple[dt.date, SeenBar]]:
        """Yield the bars that a session is in, and the last session in each.

        Args:
            reader: Of the lake and a view.
            keys: Of which.
            session: Which session, on whose split basis they are.
            until: The last session of the lake's that counts; None: whichever there are.
        """
        table = self._merged.sessions()
        for (interval, hours), symbols in _grouped(keys).items():
            asked = _Asked(Interval.parse(interval), hours, session)
            n = asked.interval.sessions
            first = bucket_of(session, sessions_per_bar=n, table=table).first
            if until and until < first:
                continue
            known = self._known(symbols)
            if not known:
                continue
            query = replace(asked.query(known, first, first), until=until)
            for bars in _read(lambda query: _merged(reader, query), query, self._listings(session)):
                seen = asked.seen(_formed(bars, table), "forming")
                yield from zip(bars["through"].to_list(), seen, strict=True)

    def _complete(
        self, asked: _Asked, symbols: Sequence[str], first: dt.date, last: dt.date | None
    ) -> Iterator[pl.DataFrame]:
        """Yield complete bars: name, start and time in microseconds, prices and volume.

        Args:
            asked: Of which interval.
            symbols: Whose.
            first: The first date.
            last: The last one; None: to the last bar.
        """
        listings, query = self._listings(asked.as_of), asked.query(symbols, first, last)
        if asked.interval.is_intraday:
            for bars in _read(lambda query: _merged(self._merged, query), query, listings):
                lasts = pl.col("minutes_expected").cast(pl.Int64) * MINUTE_US
                start = (pl.col("start") - _EPOCH).dt.total_microseconds()
                yield bars.with_columns(start, time=start + lasts).select(_SEEN)
            return
        # Read first: what is committed later is told later.
        boundary = self.boundary()
        if boundary is None:
            return
        table, known = self._merged.sessions(), self._merged.last_sessions(query.named)
        if not known:
            return
        query = replace(query, symbols=tuple(known))
        for bars in _read(self._merged.stored, query, listings):
            final = bars.filter(pl.col("state") == "final")
            yield _ended(final, asked.interval.sessions, boundary, table)

    def _known(self, symbols: Sequence[str]) -> list[str]:
        """Return those that have daily bars, in the lake or live."""
        stored, live = self._merged.last_sessions(symbols), self._live
        return [
            name
            for name in symbols
            if name in stored or (live is not None and live.bars(name, DAILY).height)
        ]

    def _listings(self, day: dt.date) -> Listings:
        query = BarsQuery(None, DAILY, as_of=day)
        return self._merged.market(query).listings


@dataclass(frozen=True, slots=True)
class _Asked:
    """Bars of an interval and hours, on the split basis of a session."""

    interval: Interval
    hours: Hours
    as_of: dt.date

    def query(self, symbols: Collection[str], first: dt.date, last: dt.date | None) -> BarsQuery:
        """Return what is asked of a reader."""
        return BarsQuery(
            tuple(symbols), self.interval, first, last, as_of=self.as_of, session=self.hours
        )

    def first(self, day: dt.date, count: int, farther: int, table: SessionTable) -> dt.date:
        """Return where so many bars before a date begin, where none is missing, or farther back."""
        place = table.ordinals(table.first, day)[-1]
        if self.interval.is_intraday:
            a_day = max(1, _DAY_MINUTES[self.hours] // self.interval.minutes)
            return table[max(0, place - (count // a_day + 1) * farther)]
        if farther == _FARTHER[-1]:
            return table.first
        n = self.interval.sessions
        return table[max(0, (place // n - count * farther) * n)]

    def seen(self, bars: pl.DataFrame, state: State) -> Iterator[SeenBar]:
        """Yield rows of `_SEEN` as bars."""
        interval = str(self.interval)
        for name, start, time, open_, high, low, close, volume in bars.select(_SEEN).iter_rows():
            prices = (open_, high, low, close)
            yield SeenBar(name, interval, self.hours, start, time, *prices, volume, state)


@dataclass(frozen=True, slots=True)
class _Before:
    """A view of the sessions before one."""

    live: LiveBars
    session: dt.date

    def price(self, symbols: Iterable[str] | None = None) -> pl.DataFrame:
        return self.live.price(symbols)

    def bars(self, symbol: str, interval: Interval, hours: Hours = "regular") -> pl.DataFrame:
        return self.live.bars(symbol, interval, hours).filter(pl.col("session") < self.session)


def _grouped(keys: Iterable[BarsKey]) -> dict[tuple[str, Hours], list[str]]:
    """Return symbols by interval and hours."""
    groups: dict[tuple[str, Hours], list[str]] = {}
    for symbol, interval, hours in keys:
        groups.setdefault((interval, hours), []).append(symbol)
    return groups


def _merged(reader: MergedReader, query: BarsQuery) -> pa.Table:
    """Return bars, live ones among them.

    Raises:
        ViewUnavailableError: If those cannot be had.
    """
    found = reader.found(query)
    if found.live == "away":
        fact = "The realtime view does not answer: what it has of today would lack."
        raise ViewUnavailableError(fact)
    return found.bars


def _read(
    ask: Callable[[BarsQuery], pa.Table], query: BarsQuery, listings: Listings
) -> Iterator[pl.DataFrame]:
    """Yield the bars of some symbols at a time, with the `name` of each; none of who is unknown."""
    symbols = query.named
    if len(symbols) <= _AT_ONCE:
        try:
            bars = pl.DataFrame(ask(query))
        except (EmptyLakeError, UnknownSymbolError):
            # One who is unknown keeps nobody's bars back.
            if len(symbols) == 1:
                return
        else:
            day = query.as_of or dt.date.max
            ids = [listings.named(name, day) for name in symbols]
            names = pl.DataFrame({"listing": ids, "name": symbols})
            yield bars.join(names, on="listing", maintain_order="left")
            return
    half = len(symbols) // 2
    for part in (symbols[:half], symbols[half:]):
        yield from _read(ask, replace(query, symbols=part), listings)


def _bounded(bars: pl.DataFrame, bounds: Mapping[str, Bound]) -> pl.DataFrame:
    """Return of each name the last bars that start before its bound."""
    rows = [(name, *bound) for name, bound in bounds.items()]
    bound = pl.DataFrame(rows, schema=_BOUNDS, orient="row")
    joined = bars.join(bound, on="name", maintain_order="left")
    earlier = joined.filter(pl.col("start") < pl.col("bound"))
    from_the_end = pl.int_range(pl.len()).reverse().over("name")
    return earlier.filter(from_the_end < pl.col("most"))


def _ended(
    bars: pl.DataFrame, sessions: int, boundary: dt.date, table: SessionTable
) -> pl.DataFrame:
    """Return those bars of sessions whose last one batch has committed, timed by its close."""
    starts = bars["start"].unique().to_list()
    lasts = {
        start: bucket_of(start, sessions_per_bar=sessions, table=table).last for start in starts
    }
    closes = {start: _closes(last, table) for start, last in lasts.items() if last <= boundary}
    return _timed(bars.filter(pl.col("start").is_in(list(closes))), "start", closes)


def _formed(bars: pl.DataFrame, table: SessionTable) -> pl.DataFrame:
    """Return bars timed by the close of the last session in them."""
    closes = {day: _closes(day, table) for day in bars["through"].unique().to_list()}
    return _timed(bars, "through", closes)


def _timed(bars: pl.DataFrame, by: str, closes: Mapping[dt.date, int]) -> pl.DataFrame:
    days, instants = list(closes), list(closes.values())
    of_days = pl.DataFrame({by: days, "time": instants}, {by: pl.Date(), "time": pl.Int64()})
    timed = bars.join(of_days, on=by, maintain_order="left")
    return timed.with_columns(pl.col("start").cast(pl.Datetime("us")).cast(pl.Int64)).select(_SEEN)


def _closes(session: dt.date, table: SessionTable) -> int:
    """Return when the regular hours of a session close, in microseconds."""
    return microseconds(table.closes[table.ordinals(session, session)[0]])


def _eve(session: dt.date, table: SessionTable) -> dt.date:
    """Return the session before one."""
    return table[table.ordinals(table.first, session)[-2]]
