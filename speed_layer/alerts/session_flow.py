"""Bars of sessions as alerts see them: final once batch has committed them, and as they form.

    sessions    Mon Tue Wed|Thu Fri ...        buckets of three
    boundary    Mon     Tue     Wed            3d of Mon to Wed is final once it is Wed
    forming     3d as Mon and Tue formed it, and the live 1d bar of Wed with each change of that

What is final is told once to who wanted it before it was committed, whenever this is started: which
was told last of each is kept, from when it is wanted on. What forms is a sample, as that 1d bar is.

The lake is asked beside the thread that this is of, which takes the answer when it is there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog

from lake.errors import StoreError, ViewError
from lake.interval import Interval
from speed_layer.alerts.asking import Asked, at_once
from speed_layer.alerts.ends import midnight
from speed_layer.alerts.forming import Forming
from speed_layer.alerts.rows import CLOSED
from speed_layer.alerts.wanted import is_of_days

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Mapping, Sequence

    from lake.alerts.history import BarsKey, History
    from lake.alerts.seen import Seen, SeenBar
    from lake.session import SessionTable
    from speed_layer.alerts.asking import Ask

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Look:
    """What the lake said.

    Attributes:
        boundary: The last session that batch has committed.
        bars: Those that are final since.
        splits: Those effective on the session, by symbol.
    """

    boundary: dt.date | None
    bars: list[SeenBar]
    splits: Mapping[str, float]


class SessionFlow:
    """Tells bars of sessions; of one thread.

    Args:
        history: Of the lake.
        table: The sessions.
        every_s: How often the lake is looked at, at most.
        rows: Of earlier changes; others among them are passed over.
        clock: Tells seconds that never go back.
        ask: How the lake is asked.

    Attributes:
        away: What the lake or the view said when it did not answer last; None: it did.
    """

    def __init__(  # noqa: PLR0913 - of what, and how it is asked
        self,
        history: History,
        table: SessionTable,
        *,
        every_s: float = 2.0,
        rows: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        ask: Ask = at_once,
    ) -> None:
        self.away: str | None = None
        self._splits: Mapping[str, float] = {}
        self._split_on: dt.date | None = None
        self._history = history
        self._table = table
        self._every_s = every_s
        self._clock = clock
        self._ask = ask
        self._due = float("-inf")
        self._known = {
            key: int(start) for key, start in (rows or {}).items() if key.startswith(CLOSED)
        }
        self._after: dict[BarsKey, int] = {}
        self._new: set[BarsKey] = set()
        self._unasked: set[BarsKey] = set()
        self._place: tuple[dt.date | None, dt.date] | None = None
        self._look: Asked[_Look] | None = None
        self._changed: dict[str, str | None] = {}
        self._boundary: dt.date | None = None
        self._forming = Forming(history, table, every_s, clock, ask, self._note)

    def begin(self, session: dt.date) -> bool:
        """Let what is wanted begin after what is committed by now; return True once it is known.

        Raises:
            StoreError: If the lake cannot be read.
        """
        self._begin(self._history.boundary(), session)
        return True

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
                self._unasked.add(key)
        if self._place is not None:
            self._begin(*self._place)
        self._forming.want(forming)

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
        look = self._look
        if look is None:
            if self._clock() < self._due:
                return []
            self._due = self._clock() + self._every_s
            self._drop_unwanted()
            fresh, self._unasked = frozenset(self._unasked), set()
            question = partial(self._looked, self._boundary, dict(self._after), fresh, session)
            look = self._look = Asked(session, fresh, self._clock(), self._ask(question))
        if not look.answer.done():
            return []
        self._look = None
        try:
            found = look.answer.result()
        except (StoreError, ViewError) as error:
            self._note(error)
            self._unasked |= look.keys
            return []
        if look.session != session:
            # It is on another basis than what comes now.
            self._due = float("-inf")
            self._unasked |= look.keys
            return []
        self._note(None)
        self._splits, self._split_on = found.splits, session
        return self._found(found, session)

    def _found(self, found: _Look, session: dt.date) -> list[Seen]:
        """Return the bars found that are wanted still, and were not told."""
        self._begin(found.boundary, session)
        if found.boundary != self._boundary:
            self._boundary = found.boundary
            self._forming.forget()
        told: list[Seen] = []
        for bar in found.bars:
            key: BarsKey = (bar.symbol, bar.interval, bar.hours)
            if self._after.get(key, bar.start) < bar.start:
                self._after[key] = bar.start
                self._changed[_row(key)] = str(bar.start)
                told.append(bar)
        return told

    def splits(self, session: dt.date) -> Mapping[str, float]:
        """Return by symbol the splits effective on a session, as the lake said last."""
        return self._splits if session == self._split_on else {}

    def formed(self, seen: Sequence[Seen], session: dt.date) -> list[Seen]:
        """Return what is seen, and behind each 1d bar of a session the longer ones that it forms.

        Args:
            seen: Of the flow, in order.
            session: Its present one; what is told of 1d bars of others forms nothing.
        """
        return [*seen] if self._is_covered(session) else self._forming.formed(seen, session)

    def sampled(self, session: dt.date, symbols: Collection[str], time: int) -> list[Seen]:
        """Return what `Forming.sampled` does; nothing of a session that batch has covered."""
        if self._is_covered(session):
            return []
        return self._forming.sampled(session, symbols, time)

    def _begin(self, boundary: dt.date | None, session: dt.date) -> None:
        """Let what is wanted newly begin after what is committed, as far as that is known."""
        self._place = boundary, session
        for key in self._new:
            self._after[key] = self._last_start(key[1], boundary, session)
            self._changed[_row(key)] = str(self._after[key])
        self._unasked |= self._new
        self._new = set()

    def _looked(
        self,
        known: dt.date | None,
        after: Mapping[BarsKey, int],
        fresh: Collection[BarsKey],
        session: dt.date,
    ) -> _Look:
        """Return what the lake has; in any thread.

        Args:
            known: The boundary up to which it was asked of all but fresh ones.
            after: Which bar of each is known.
            fresh: Those that it was not asked of yet.
            session: On whose split basis it is.
        """
        boundary, splits = self._history.boundary(), self._history.splits(session)
        if boundary is None:
            return _Look(None, [], splits)
        asked = after if boundary != known else {key: after[key] for key in fresh if key in after}
        last = {
            interval: self._last_start(interval, boundary, session)
            for interval in {interval for _, interval, _ in asked}
        }
        due = [key for key, start in asked.items() if start < last[key[1]]]
        bars = self._history.closed(due, after, session) if due else []
        return _Look(boundary, bars, splits)

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
