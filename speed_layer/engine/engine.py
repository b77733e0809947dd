"""The engine: batches of events in, what changed of bars and prices out."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import polars as pl

from lake.eligibility import OUTSIDE
from lake.errors import SnapshotError
from lake.hours import DAY_MINUTES, hours_of
from lake.live import BARS_SCHEMA, PRICES_SCHEMA
from lake.live_bars import LATENESS
from lake.wire import SCHEMA
from speed_layer.engine.buckets import MINUTE_US
from speed_layer.engine.day import Day
from speed_layer.engine.frames import bars_of, prices_of
from speed_layer.engine.names import Names
from speed_layer.engine.snapshot import HINT, packed, unpacked
from speed_layer.engine.statements import stated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lake.event import Kind
    from lake.hours import SessionHours
    from lake.session import SessionTable
    from speed_layer.engine.snapshot import Arrays, State

_US: Final = dt.timedelta(microseconds=1)
_EPOCH: Final = dt.date(1970, 1, 1)
_DAY_US: Final = 86_400_000_000
_BEFORE_DAWN: Final = 4 * 3_600_000_000
"""What 04:00 to 20:00 at the exchange is less this, is on one date of UTC, in summer and winter."""
_REMEMBERED: Final = 64
_MANY: Final = 256
_NO_EVENTS: Final = SCHEMA.to_frame()
_NO_BARS: Final = BARS_SCHEMA.to_frame()
_NO_PRICES: Final = PRICES_SCHEMA.to_frame()


@dataclass
class Counts:
    """What became of events, heartbeats apart.

    Attributes:
        accepted: In force, at least until a higher revision came; or of a minute that no other
            statement of the same thing was of.
        duplicate: Of the revision that was in force.
        stale: Of a lower one.
        late: They would change what is final.
        foreign: Of another kind, or in no session's hours.
    """

    accepted: int = 0
    duplicate: int = 0
    stale: int = 0
    late: int = 0
    foreign: int = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """What a batch tells of itself, a row an event.

    Attributes:
        is_ours: Whether it is of the engine's kind, and in a session's hours.
        number: Of the date of its minute.
        clock: The latest time that was told by then.
    """

    is_ours: NDArray[np.bool_]
    number: NDArray[np.int64]
    clock: NDArray[np.int64]

    def only(self, which: NDArray[np.bool_]) -> Heard:
        """Return the same of some of the events."""
        return Heard(self.is_ours[which], self.number[which], self.clock[which])


@dataclass(frozen=True)
class Changes:
    """What a batch changed.

    Attributes:
        bars: Those that changed or are final now, as they are: schema `LIVE_BARS`.
        prices: Those of symbols of which anything changed: schema `PRICES`.
        late: The correction stream, schema `EVENTS`, in order of receipt.
    """

    bars: pl.DataFrame
    prices: pl.DataFrame
    late: pl.DataFrame


class Engine:
    """Bars of 1m 5m 15m 1h 2h 4h and 1d, and prices, of a stream of events.

    Nothing is late that came in time, in whatever order: a batch may be cut anywhere, and may hold
    what was there before. What is late changes no bar, and is given back.

    Args:
        table: The sessions.
        kind: Of the events that count: others would count the same trades again.
        lateness: How long after its end a minute can change, by the clock that events tell.

    Attributes:
        counts: What became of all events so far.
        clock: The latest time that events told, in microseconds since 1970.
    """

    def __init__(
        self, table: SessionTable, *, kind: Kind = "trade", lateness: dt.timedelta = LATENESS
    ) -> None:
        self.counts = Counts()
        self.clock = 0
        self._kind = kind
        self._lateness = lateness // _US
        self._symbols = Names()
        self._sources = Names([""])
        self._days: dict[int, Day] = {}
        self._hours = lru_cache(_REMEMBERED)(partial(_hours, table))

    def apply(
        self, events: pl.DataFrame, *, most_bars: int | None = None, heard: Heard | None = None
    ) -> Changes:
        """Take events, and return what they changed.

        Args:
            events: Schema `EVENTS`, judged, in order of receipt.
            most_bars: How many bars of a session are told at most, from those that changed first:
                a trade changes one price, but seven of them; None: all.
            heard: What `hear` told of a batch, less those that are not among `events`; None: these
                are all.
        """
        if heard is None:
            heard = self.hear(events)
        if events.is_empty():
            return self._changes({}, _NO_EVENTS, most_bars)
        minute = events.get_column("minute").to_numpy()
        is_ours, clock = heard.is_ours, heard.clock
        is_late = is_ours & (clock >= minute + (MINUTE_US + self._lateness))
        which = np.flatnonzero(is_ours & ~is_late)
        changed = self._take(events, which, heard.number, clock, is_late)
        late = events.filter(is_late) if is_late.any() else _NO_EVENTS
        self.counts.late += late.height
        return self._changes(changed, late, most_bars)

    def hear(self, events: pl.DataFrame) -> Heard:
        """Return what events tell of themselves; the clock goes on to the last of them.

        Args:
            events: As of `apply`, which must follow: with them, or with some of them.
        """
        if events.is_empty():
            return Heard(np.empty(0, bool), np.empty(0, np.int64), np.empty(0, np.int64))
        minute, kind = events.get_column("minute").to_numpy(), events.get_column("kind")
        is_ours = _is(kind, self._kind)
        tells_time = is_ours if is_ours.all() else is_ours | _is(kind, "heartbeat")
        number, in_hours = self._sessions(minute, is_ours)
        if not in_hours.all():
            is_ours, tells_time = is_ours & in_hours, tells_time & (in_hours | ~is_ours)
        self.counts.foreign += events.height - int(np.count_nonzero(tells_time))
        told = np.where(tells_time, events.get_column("time").to_numpy(), self.clock)
        told[0] = max(int(told[0]), self.clock)
        clock = np.maximum.accumulate(told)
        self.clock = int(clock[-1])
        return Heard(is_ours, number, clock)

    @property
    def held(self) -> int:
        """How many bars changed that are told later."""
        return sum(len(day.held) for day in self._days.values())

    def everything(self) -> Changes:
        """Return all bars and prices of the sessions that are not over, and of the last that is.

        For who lost them.
        """
        bars: list[pl.DataFrame] = []
        prices: list[pl.DataFrame] = []
        for _, day in sorted(self._days.items()):
            told_bars, told_prices = day.told()
            bars.append(bars_of(day, told_bars, self._symbols.arrow))
            prices.append(prices_of(day, told_prices, self._symbols.texts, self._sources.texts))
        return Changes(_whole(bars, _NO_BARS), _whole(prices, _NO_PRICES), _NO_EVENTS)

    def snapshot(self) -> bytes:
        """Return all that the engine knows, for `restored`."""
        return packed(*self.state())

    def state(self) -> State:
        """Return all that the engine knows as a document and arrays, which it no longer changes."""
        document = {
            "kind": self._kind,
            "lateness": self._lateness,
            "clock": self.clock,
            "counts": asdict(self.counts),
            "symbols": self._symbols.texts,
            "sources": self._sources.texts,
            "days": {number: str(day.buckets.hours) for number, day in self._days.items()},
        }
        arrays = {
            f"{number} {name}": column.copy()
            for number, day in self._days.items()
            for name, column in day.state().items()
        }
        return document, arrays

    @classmethod
    def restored(
        cls,
        data: bytes,
        table: SessionTable,
        *,
        kind: Kind = "trade",
        lateness: dt.timedelta = LATENESS,
    ) -> Self:
        """Return the engine of a snapshot: it goes on as if it had never stopped.

        Args:
            data: Of `snapshot`.
            table: As of the engine, and so are the others.
            kind: Of the events that count.
            lateness: How long after its end a minute can change.

        Raises:
            SnapshotError: If it is damaged, of another engine, or of one with other arguments.
        """
        engine = cls(table, kind=kind, lateness=lateness)
        document, arrays = unpacked(data)
        engine._restore(document, arrays)
        return engine

    def _restore(self, document: dict[str, Any], arrays: Arrays) -> None:
        days = {int(number): hours for number, hours in document["days"].items()}
        hours = {number: str(self._hours(number)) for number in days}
        asked = {"kind": self._kind, "lateness": self._lateness, "hours": hours}
        stored = {"kind": document["kind"], "lateness": document["lateness"], "hours": days}
        if asked != stored:
            fact = f"The snapshot is of an engine with {stored}, not {asked}."
            raise SnapshotError(fact, hint=HINT)
        self.clock = document["clock"]
        self.counts = Counts(**document["counts"])
        self._symbols = Names(document["symbols"])
        self._sources = Names(document["sources"])
        for number in days:
            told = {
                name.partition(" ")[2]: each
                for name, each in arrays.items()
                if name.startswith(f"{number} ")
            }
            self._day(number).restore(told)

    def _sessions(
        self, minute: NDArray[np.int64], is_ours: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the number of each minute's date, and whether that session's hours have it."""
        number = (minute - _BEFORE_DAWN) // _DAY_US
        in_hours = np.zeros(len(minute), dtype=bool)
        for each in _distinct(number[is_ours]):
            hours = self._hours(each)
            if hours is not None:
                in_hours |= (minute >= _micros(hours.dawn)) & (minute < _micros(hours.dusk))
        # OUTSIDE alone would be an instant of a session's hours: of those of 1969-12-31.
        return number, in_hours & (minute != OUTSIDE)

    def _take(
        self,
        events: pl.DataFrame,
        which: NDArray[np.int64],
        number: NDArray[np.int64],
        clock: NDArray[np.int64],
        is_late: NDArray[np.bool_],
    ) -> dict[int, list[NDArray[np.int32]]]:
        """Take those events that count; return the slots that changed, by session.

        Args:
            events: All that came.
            which: Those that count.
            number: Of the session of each.
            clock: When each came, by the clock.
            is_late: Of each; those are told so too that would restate what is final.
        """
        if not len(which):
            return {}
        rows = stated(
            events,
            self._symbols.numbers(events.get_column("symbol")),
            self._sources.numbers(events.get_column("source")),
            trades=self._kind == "trade",
        )
        minute, changed = events.get_column("minute").to_numpy(), {}
        for each in _distinct(number.take(which)):
            here = which[number.take(which) == each]
            day = self._day(each)
            horizon = (clock.take(here) - (self._lateness + day.buckets.dawn)) // MINUTE_US
            taken = day.take(rows.take(here), minute.take(here), horizon)
            changed[each] = taken.changed
            is_late[here[taken.late]] = True
            self.counts.duplicate += taken.duplicate
            self.counts.stale += taken.stale
            self.counts.accepted += len(here) - taken.duplicate - taken.stale - len(taken.late)
        return changed

    def _day(self, number: int) -> Day:
        if number not in self._days:
            hours = self._hours(number)
            if hours is None:  # pragma: no cover - it has hours, or nothing were in them
                raise AssertionError
            self._days[number] = Day(hours, trades=self._kind == "trade")
        return self._days[number]

    def _changes(
        self,
        changed: dict[int, list[NDArray[np.int32]]],
        late: pl.DataFrame,
        most_bars: int | None,
    ) -> Changes:
        """Return what changed and what is over now; forget sessions that are, but for the last."""
        bars: list[pl.DataFrame] = []
        prices: list[pl.DataFrame] = []
        for number, day in sorted(self._days.items()):
            over = (self.clock - self._lateness - day.buckets.dawn) // MINUTE_US
            told_bars, told_prices = day.tell(changed.get(number, []), over, most_bars)
            if len(told_bars):
                bars.append(bars_of(day, told_bars, self._symbols.arrow))
            if len(told_prices):
                prices.append(prices_of(day, told_prices, self._symbols.texts, self._sources.texts))
            if over >= DAY_MINUTES and number < max(self._days) and not len(day.held):
                del self._days[number]
        return Changes(_whole(bars, _NO_BARS), _whole(prices, _NO_PRICES), late)


def _is(texts: pl.Series, text: str) -> NDArray[np.bool_]:
    """Return which texts are one: Polars' comparison is slow to begin."""
    if len(texts) < _MANY:
        return np.array([each == text for each in texts.to_list()])
    return (texts == text).to_numpy()


def _whole(frames: list[pl.DataFrame], nothing: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(frames or [nothing]) if len(frames) != 1 else frames[0]


def _hours(table: SessionTable, number: int) -> SessionHours | None:
    session = _EPOCH + dt.timedelta(days=number)
    return None if table.ordinal(session) is None else hours_of(session, table)


def _micros(instant: dt.datetime) -> int:
    return int(instant.timestamp()) * 1_000_000


def _distinct(numbers: NDArray[np.int64]) -> list[int]:
    if not len(numbers):
        return []
    first, last = int(numbers.min()), int(numbers.max())
    return [first] if first == last else np.unique(numbers).tolist()
