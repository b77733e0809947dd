"""Bars of sessions as they form: merged onto what those before formed, or as they are served.

What is asked of the lake meanwhile holds up nothing: its answer is taken when it is there.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from lake.alerts.seen import SeenBar
from lake.bar import Contribution, merge
from lake.errors import StoreError, ViewError
from lake.interval import DAILY, Interval
from lake.session import bucket_of
from speed_layer.alerts.asking import Asked
from speed_layer.alerts.ends import midnight
from speed_layer.alerts.wanted import is_of_days

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterable, Sequence

    from lake.alerts.history import BarsKey, History
    from lake.alerts.seen import Seen
    from lake.session import SessionTable
    from speed_layer.alerts.asking import Ask

_DAY: Final = str(DAILY)
_SHARE: Final = 10
"""Of so many parts of the time one is spent on samples at most."""


class Forming:
    """Tells bars of sessions as they form; of one thread.

    Args:
        history: Of the lake.
        table: The sessions.
        every_s: How often it is asked again, at most.
        clock: Tells seconds that never go back.
        ask: How the lake is asked.
        note: Told what the lake said when it did not answer.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what the flow that it is a part of is told
        self,
        history: History,
        table: SessionTable,
        every_s: float,
        clock: Callable[[], float],
        ask: Ask,
        note: Callable[[StoreError | ViewError], None],
    ) -> None:
        self._history = history
        self._table = table
        self._every_s = every_s
        self._clock = clock
        self._ask = ask
        self._note = note
        self._forming: dict[str, list[BarsKey]] = {}
        self._sampling: dict[str, list[BarsKey]] = {}
        self._sample: Asked[list[SeenBar]] | None = None
        self._sampled: dict[tuple[str, ...], SeenBar] = {}
        self._sample_due = float("-inf")
        self._session: dt.date | None = None
        self._base: dict[BarsKey, SeenBar | None] = {}
        self._base_due = float("-inf")
        self._base_asked: Asked[dict[BarsKey, SeenBar]] | None = None
        self._unformed: dict[str, SeenBar] = {}

    def want(self, keys: Collection[BarsKey]) -> None:
        """Tell these bars from now on; those of minutes and hours among them are passed over."""
        self._forming, self._sampling = {}, {}
        for key in keys:
            if is_of_days(key[1]):
                self._sampling.setdefault(key[0], []).append(key)
                if key[1] != _DAY:
                    self._forming.setdefault(key[0], []).append(key)

    def forget(self) -> None:
        """Forget what the sessions before formed: batch has committed more."""
        self._base, self._base_asked = {}, None

    def formed(self, seen: Sequence[Seen], session: dt.date) -> list[Seen]:
        """Return what is seen, and behind each 1d bar of a session the longer ones that it forms.

        Args:
            seen: Of the flow, in order.
            session: Its present one; what is told of 1d bars of others forms nothing.
        """
        if not self._forming:
            return [*seen]
        if session != self._session:
            self._session, self._base, self._base_due = session, {}, float("-inf")
            self._base_asked, self._unformed = None, {}
        start = midnight(session)
        days = [
            each
            for each in seen
            if isinstance(each, SeenBar)
            and (each.interval, each.state, each.start) == (_DAY, "forming", start)
            and each.symbol in self._forming
        ]
        if not (days or self._unformed):
            return [*seen]
        # What waited for its base is told now, unless it changed again.
        waited = [*({**self._unformed, **{day.symbol: day for day in days}}).values()]
        self._ask_base(waited, session)
        late = [self._unformed[name] for name in self._unformed.keys() - {d.symbol for d in days}]
        self._unformed = {
            day.symbol: day
            for day in waited
            if not self._base.keys() >= {*self._forming.get(day.symbol, ())}
        }
        told: list[Seen] = [
            self._with(key, day, session)
            for day in late
            for key in self._forming.get(day.symbol, ())
            if key in self._base
        ]
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
        sample = self._sample
        if sample is None:
            keys = [key for symbol in symbols for key in self._sampling.get(symbol, ())]
            began = self._clock()
            if not keys or began < self._sample_due:
                return []
            question = partial(self._history.present, keys, session)
            sample = self._sample = Asked(session, frozenset(keys), began, self._ask(question))
        if not sample.answer.done():
            return []
        self._sample = None
        try:
            bars = sample.answer.result()
        except (StoreError, ViewError) as error:
            self._note(error)
            bars = []
        now = self._clock()
        self._sample_due = now + max(self._every_s, _SHARE * (now - sample.began))
        if sample.session != session:
            return []
        news = [bar for bar in bars if self._sampled.get(bar[:3]) != bar]
        self._sampled |= {bar[:3]: bar for bar in news}
        return [bar._replace(time=time) for bar in news]

    def _ask_base(self, days: Iterable[SeenBar], session: dt.date) -> None:
        """Ask what the sessions before one formed of its bars, where that is not known."""
        asked = self._base_asked
        if asked is None:
            wanted = {key for day in days for key in self._forming.get(day.symbol, ())}
            if wanted <= self._base.keys() or self._clock() < self._base_due:
                return
            # All at once: others of them will be wanted next.
            keys = {key for keys in self._forming.values() for key in keys} - self._base.keys()
            question = partial(self._history.forming, keys, session)
            answer = self._ask(question)
            asked = self._base_asked = Asked(session, frozenset(keys), self._clock(), answer)
        if not asked.answer.done():
            return
        self._base_asked = None
        try:
            found = asked.answer.result()
        except (StoreError, ViewError) as error:
            self._note(error)
            self._base_due = self._clock() + self._every_s
        else:
            self._base |= {key: found.get(key) for key in asked.keys}

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


def _part(bar: SeenBar) -> Contribution:
    return Contribution(bar.open, bar.high, bar.low, bar.close, bar.volume)
