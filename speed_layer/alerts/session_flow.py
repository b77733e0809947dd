"""Bars of sessions as alerts see them: final once batch has committed them, and as they form.

    sessions    Mon Tue Wed|Thu Fri ...        buckets of three
    boundary    Mon     Tue     Wed            3d of Mon to Wed is final once it is Wed
    forming     3d as Mon and Tue formed it, and the live 1d bar of Wed with each change of that

What is final is told once to who wanted it before it was committed, whenever this is started: which
was told last of each is kept. What forms is a sample, as that 1d bar is.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog

from lake.alerts.seen import SeenBar
from lake.bar import Contribution, merge
from lake.errors import StoreError, ViewError
from lake.interval import DAILY, Interval
from lake.session import bucket_of
from speed_layer.alerts.ends import midnight
from speed_layer.alerts.rows import CLOSED
from speed_layer.alerts.wanted import is_of_days

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from lake.alerts.history import BarsKey, History
    from lake.alerts.seen import Seen
    from lake.session import SessionTable

_DAY: Final = str(DAILY)
_SHARE: Final = 10
"""Of so many parts of the time one is spent on samples at most."""
_log = structlog.get_logger(__name__)


class SessionFlow:
    """Tells bars of sessions; of one thread. It waits for the lake when that has news.

    Args:
        history: Of the lake.
        table: The sessions.
        every_s: How often the lake is looked at, at most.
        rows: Of earlier changes; others among them are passed over.
        clock: Tells seconds that never go back.

    Attributes:
        away: What the lake or the view said when it did not answer last; None: it did.
    """

    def __init__(
        self,
        history: History,
        table: SessionTable,
        *,
        every_s: float = 2.0,
        rows: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.away: str | None = None
        self._history = history
        self._table = table
        self._every_s = every_s
        self._clock = clock
        self._due = float("-inf")
        self._known = {
            key: int(start) for key, start in (rows or {}).items() if key.startswith(CLOSED)
        }
        self._after: dict[BarsKey, int] = {}
        self._new: set[BarsKey] = set()
        self._changed: dict[str, str | None] = {}
        self._boundary: dt.date | None = None
        self._forming: dict[str, list[BarsKey]] = {}
        self._sampling: dict[str, list[BarsKey]] = {}
        self._sampled: dict[tuple[str, ...], SeenBar] = {}
        self._sample_due = float("-inf")
        self._session: dt.date | None = None
        self._base: dict[BarsKey, SeenBar | None] = {}
        self._base_due = float("-inf")

    def want(self, keys: Collection[BarsKey], forming: Collection[BarsKey]) -> None:
        """Tell these bars from now on; those of minutes and hours among them are passed over.

        Args:
            keys: Of final bars: one that was not wanted is told of what batch commits from now on.
            forming: Of bars as they form; that of 1d the flow tells, where it can.
        """
        wanted = {key for key in keys if is_of_days(key[1])}
        for key in (self._after.keys() | self._new) - wanted:
            self._after.pop(key, None)
            self._new.discard(key)
            self._changed[_row(key)] = None
        for key in wanted - self._after.keys():
            start = self._known.pop(_row(key), None)
            if start is None:
                self._new.add(key)
            else:
                self._after[key] = start
        self._forming, self._sampling = {}, {}
        for key in forming:
            if is_of_days(key[1]):
                self._sampling.setdefault(key[0], []).append(key)
                if key[1] != _DAY:
                    self._forming.setdefault(key[0], []).append(key)

    def changed(self) -> dict[str, str | None]:
        """Return the rows that changed since the last call; None: there is none any more."""
        changed, self._changed = self._changed, {}
        return changed

    def take(self, session: dt.date) -> list[Seen]:
        """Return the final bars that batch has committed since, in order of time.

        Where the lake does not answer there are none, and it is asked again later.

        Args:
            session: The flow's, on whose split basis they are.
        """
        if self._clock() < self._due:
            return []
        self._due = self._clock() + self._every_s
        self._drop_unwanted()
        try:
            boundary = self._history.boundary()
            self._begin(boundary, session)
            bars = self._closed(boundary, session)
        except (StoreError, ViewError) as error:
            self._note(error)
            return []
        self._note(None)
        if boundary != self._boundary:
            self._boundary, self._base = boundary, {}
        for bar in bars:
            key: BarsKey = (bar.symbol, bar.interval, bar.hours)
            self._after[key] = bar.start
            self._changed[_row(key)] = str(bar.start)
        return [*bars]

    def formed(self, seen: Sequence[Seen], session: dt.date) -> list[Seen]:
        """Return what is seen, and behind each 1d bar of a session the longer ones that it forms.

        Args:
            seen: Of the flow, in order.
            session: Its present one; what is told of 1d bars of others forms nothing.
        """
        if not self._forming:
            return [*seen]
        start = midnight(session)
        days = [
            each
            for each in seen
            if isinstance(each, SeenBar)
            and (each.interval, each.state, each.start) == (_DAY, "forming", start)
            and each.symbol in self._forming
        ]
        if not days or self._is_covered(session) or not self._have_base(days, session):
            return [*seen]
        told: list[Seen] = []
        forms = {id(day) for day in days}
        for each in seen:
            told.append(each)
            if isinstance(each, SeenBar) and id(each) in forms:
                told += (
                    self._with(key, each, session)
                    for key in self._forming[each.symbol]
                    if key in self._base
                )
        return told

    def sampled(self, session: dt.date, symbols: Collection[str], time: int) -> list[Seen]:
        """Return bars that form, as they are served now, where they changed since the last call.

        Of symbols whose 1d bar the flow does not tell today, since it lacks what came before it
        followed them. They are read as often as the lake is looked at, and less often where there
        are so many that this would take most of the time.

        Args:
            session: The flow's.
            symbols: Whose.
            time: The flow's.
        """
        keys = [key for symbol in symbols for key in self._sampling.get(symbol, ())]
        began = self._clock()
        if not keys or began < self._sample_due or self._is_covered(session):
            return []
        try:
            bars = self._history.present(keys, session)
        except (StoreError, ViewError) as error:
            self._note(error)
            bars = []
        now = self._clock()
        self._sample_due = now + max(self._every_s, _SHARE * (now - began))
        news = [bar for bar in bars if self._sampled.get(bar[:3]) != bar]
        self._sampled |= {bar[:3]: bar for bar in news}
        return [bar._replace(time=time) for bar in news]

    def _begin(self, boundary: dt.date | None, session: dt.date) -> None:
        """Let what is wanted newly begin after what is committed by now."""
        for key in self._new:
            self._after[key] = self._last_start(key[1], boundary, session)
            self._changed[_row(key)] = str(self._after[key])
        self._new = set()

    def _closed(self, boundary: dt.date | None, session: dt.date) -> list[SeenBar]:
        if boundary is None or boundary == self._boundary:
            return []
        last = {
            interval: self._last_start(interval, boundary, session)
            for interval in {interval for _, interval, _ in self._after}
        }
        due = [key for key, after in self._after.items() if after < last[key[1]]]
        return self._history.closed(due, self._after, session) if due else []

    def _last_start(self, interval: str, boundary: dt.date | None, session: dt.date) -> int:
        """Return where the last bar starts that is over by the boundary.

        Where batch has committed nothing, what is before the session is none of ours.
        """
        n = Interval.parse(interval).sessions
        table = self._table
        if boundary is None:
            over = len(table.ordinals(table.first, session)) - 1
        else:
            over = len(table.ordinals(table.first, boundary))
        return midnight(table[max(0, over // n - 1) * n])

    def _is_covered(self, session: dt.date) -> bool:
        return self._boundary is not None and session <= self._boundary

    def _have_base(self, days: Iterable[SeenBar], session: dt.date) -> bool:
        """Know what the sessions before one formed of its bars; return whether that is known."""
        if session != self._session:
            self._session, self._base, self._base_due = session, {}, float("-inf")
        wanted = {key for day in days for key in self._forming[day.symbol]}
        missing = wanted - self._base.keys()
        if not missing:
            return True
        if self._clock() < self._base_due:
            return len(missing) < len(wanted)
        # All at once: others of them will be wanted next.
        missing = {key for keys in self._forming.values() for key in keys} - self._base.keys()
        try:
            found = self._history.forming(missing, session)
        except (StoreError, ViewError) as error:
            self._note(error)
            self._base_due = self._clock() + self._every_s
            return len(missing) < len(wanted)
        self._base |= {key: found.get(key) for key in missing}
        return True

    def _with(self, key: BarsKey, day: SeenBar, session: dt.date) -> SeenBar:
        """Return a bar as the sessions before one formed it, and then that one."""
        base = self._base[key]
        if base is None:
            sessions = Interval.parse(key[1]).sessions
            first = bucket_of(session, sessions_per_bar=sessions, table=self._table).first
            return day._replace(interval=key[1], start=midnight(first))
        whole = merge(_part(base), _part(day))
        merged = {name: getattr(whole, name) for name in ("open", "high", "low", "close")}
        return base._replace(time=day.time, volume=whole.volume, **merged)

    def _drop_unwanted(self) -> None:
        """Drop the rows of what nobody wants any more."""
        self._changed |= dict.fromkeys(self._known)
        self._known = {}

    def _note(self, error: StoreError | ViewError | None) -> None:
        said = None if error is None else str(error)
        if said and said != self.away:
            _log.warning("bars of sessions are asked for again later", error=said)
        self.away = said


def _row(key: BarsKey) -> str:
    return f"{CLOSED}{key[0]} {key[1]}"


def _part(bar: SeenBar) -> Contribution:
    return Contribution(bar.open, bar.high, bar.low, bar.close, bar.volume)
