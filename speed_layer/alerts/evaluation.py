"""The evaluation: rules on what is seen of a flow, and what that changes on its way to be kept.

    adopted   an alert is evaluated once the flow is past the instant at which it was adopted: its
              first state is kept with that, and a flow that is told again meets it there again

It waits for the lake, whose bars rules look back at, and never for the database.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson
import structlog

from database.alert_flow import StateRow
from lake.alerts.book import Book, RuleState
from lake.alerts.history import forming_keys
from lake.errors import StoreError, ViewError
from lake.instant import from_microseconds, microseconds
from speed_layer.alerts.changes import Deleted
from speed_layer.alerts.later import Later, first_state
from speed_layer.alerts.pending import Pending
from speed_layer.alerts.rows import own_rows
from speed_layer.alerts.sessions import NEVER, between, dawn, next_dawn

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from lake.alerts.book import BarsKey
    from lake.alerts.seen import Seen
    from speed_layer.alerts.keeper import Begun
    from speed_layer.alerts.parts import Parts
    from speed_layer.alerts.watched import Watched

_log = structlog.get_logger(__name__)
_SOON_S: Final = 0.1
_IDLE_S: Final = 1.0
_RETRY_S: Final = 0.5
_SAMPLE_S: Final = 1.0
_T = TypeVar("_T")


class Evaluation:
    """Rules, as they are evaluated; of one thread.

    Args:
        parts: What it is put together from.
        begun: What it goes on from.
        session: In which session the flow goes on.
        since: Where in it, in microseconds: alerts adopted later are met there.

    Attributes:
        session: In which session the flow is.
    """

    def __init__(self, parts: Parts, begun: Begun, session: dt.date, since: int) -> None:
        self._parts = parts
        self._table = parts.table
        self._next_dawn = next_dawn(parts.table, session)
        self._book = Book(own_rows(begun.market)[1])
        self._watched: dict[str, Watched] = {}
        self._adopted: dict[str, dt.datetime | None] = {}
        self._forming: Counter[BarsKey] = Counter()
        self._later = Later()
        self._since = self._until = since
        self._fresh: dict[str, Watched] = {}
        self._pending = begun.pending
        self._is_urgent = False
        self._is_aimed = False
        self._is_torn = False
        """Whether something was seen and not evaluated: the position must stay before it."""
        self._offered = self._placed = self._sample_due = 0.0
        self._health = parts.health
        self.session = session
        # Before alerts are adopted: bars count for them that are committed after this.
        self._is_torn = self._asked(lambda: parts.sessions.begin(session)) is None
        self._resume(begun)
        self._split(session)

    @property
    def edge(self) -> int:
        """The instant of the flow before which nothing happens but what is seen."""
        return min(self._next_dawn, self._later.first + 1)

    def reach(self, clock: int) -> None:
        """Let happen what comes before what is seen at an instant of the flow."""
        if clock >= self._next_dawn:
            for session in between(self._table, self.session, clock):
                # A split moves the levels of alerts that were there before it.
                self._meet(dawn(self._table, session) - 1)
                self._split(session)
                self.session = session
            self._next_dawn = next_dawn(self._table, self.session)
        self._meet(clock - 1)

    def meet_all(self) -> None:
        """Let all alerts be met: the flow is where the last of them was adopted, or later."""
        self._meet(NEVER)
        self._until = self._since

    def heed(self) -> None:
        """Adopt alerts that are new or not as they were, here, and forget those that are deleted.

        While the flow is told again, new ones wait: it is not where they belong.
        """
        news = self._parts.keeper.news()
        for each in news:
            if isinstance(each, Deleted):
                self._remove(each.alert)
            elif (known := self._watched.get(each.alert)) and known.revision == each.revision:
                self._watched[each.alert] = each
            else:
                self._remove(each.alert)
                self._fresh[each.alert] = each
        adopted = {} if self._is_behind else self._fresh
        for each in adopted.values():
            self._adopt(each)
        if adopted:
            self._fresh = {}
        if adopted or news:
            self._aim()

    def take(self, seen: Sequence[Seen]) -> None:
        """Evaluate what is seen, in order; what fires is on its way when this returns.

        Where all is to end while the lake is away, it is not evaluated: it is told again.
        """
        if not seen or self._is_torn:
            return
        self._take(self._parts.sessions.formed(seen, self.session))

    def closed(self) -> None:
        """Evaluate bars of sessions: those that batch has made final, and samples of the present.

        Samples are of who is followed since today, whose bar of the day the flow cannot tell.
        """
        if self._is_behind or self._is_torn:
            return  # they would not be told again to alerts that are met later
        parts, session = self._parts, self.session
        self._take_apart(parts.sessions.take(session))
        if self._sample_due <= time.monotonic():
            self._sample_due = time.monotonic() + _SAMPLE_S
            lacking = parts.flow.lacking(session)
            self._take_apart(parts.sessions.sampled(session, lacking, parts.flow.clock))
        self._health.sessions = parts.sessions.away or ""

    @property
    def _is_behind(self) -> bool:
        """Whether the flow, told again, is before where the last alert was adopted."""
        return self._until > max(self._since, self._parts.flow.clock)

    def _take_apart(self, seen: Sequence[Seen]) -> None:
        """Evaluate what comes beside the flow: once, however long that stands still."""
        if seen:
            self._meet(self._parts.flow.clock)
            self._take(seen)

    def _take(self, seen: Sequence[Seen]) -> None:
        if not self._seed(seen):
            self._is_torn = True
            return
        firings = self._book.take(seen)
        self._health.evaluated += len(seen)
        if firings:
            now = self._parts.clock.now()
            told = [self._watched[each.alert].told(each, now) for each in firings]
            self._pending.firings += told
            self._health.fired += len(firings)
            self._health.unoffered += len(firings)
            self._is_urgent = True

    def offer_if_due(self, position: Callable[[], dict[str, Any]], place_s: float = 0.0) -> None:
        """Let what changed be kept: soon where an alert fired or was adopted, else by and by.

        Args:
            position: Tells how far the flow was evaluated.
            place_s: How often that is kept, and how the flow is; where they are not, more of it is
                told again after a kill.
        """
        now = time.monotonic()
        if now - self._offered >= (_SOON_S if self._is_urgent else _IDLE_S):
            is_placed = self._is_aimed or now - self._placed >= place_s
            self.offer(position if is_placed else None)

    def offer(self, position: Callable[[], dict[str, Any]] | None) -> None:
        """Let what changed be kept.

        Args:
            position: Tells how far the flow was evaluated; None: that is kept another time.
        """
        now = time.monotonic()
        changed, parts, pending = self._book.changed(), self._parts, self._pending
        pending.market |= changed.market
        pending.states |= {
            alert: self._row(alert, state)
            for alert, state in changed.rules.items()
            if alert in self._watched
        }
        if not self._is_torn:
            # Else bars would count as told that were not evaluated.
            pending.market |= parts.sessions.changed()
        if position is not None and not self._is_torn:
            pending.market |= parts.flow.changed()
            pending.position = orjson.dumps(position()).decode()
            self._is_aimed, self._placed = False, now
        parts.keeper.offer(pending)
        self._health.unoffered = 0
        self._pending, self._is_urgent, self._offered = Pending(), False, now

    def _meet(self, until: int) -> None:
        met = False
        for alert, state in self._later.until(until):
            self._book.add(alert, (known := self._watched[alert]).revision, known.rule, state)
            met = True
        if met:
            self._aim()

    def _resume(self, begun: Begun) -> None:
        for watched in begun.alerts:
            row = begun.states.get(watched.alert)
            if row is None or row.revision != watched.revision:
                self._fresh[watched.alert] = watched
                continue
            self._adopted[watched.alert] = row.adopted
            state = RuleState(
                row.revision,
                row.state,
                row.fired,
                None if row.last_fired is None else microseconds(row.last_fired),
                row.is_done,
            )
            at = 0 if row.adopted is None else microseconds(row.adopted)
            self._enter(watched, state, at)
            self._until = max(self._until, at)
        self._aim()

    def _adopt(self, watched: Watched) -> None:
        clock = self._parts.flow.clock
        self._adopted[watched.alert] = from_microseconds(clock) if clock else None
        self._enter(watched, None, clock)
        self._pending.states[watched.alert] = self._row(watched.alert, first_state(watched))
        self._pending.gone.discard(watched.alert)
        self._is_urgent = True

    def _enter(self, watched: Watched, state: RuleState | None, at: int) -> None:
        """Evaluate an alert once the flow is past the instant at which it was adopted."""
        self._watched[watched.alert] = watched
        self._forming.update(forming_keys([watched.rule]))
        if at > self._since:
            self._later.put(watched.alert, watched.rule, at, state)
        else:
            self._book.add(watched.alert, watched.revision, watched.rule, state)

    def _remove(self, alert: str) -> None:
        self._fresh.pop(alert, None)
        self._pending.states.pop(alert, None)
        self._pending.gone.add(alert)
        self._adopted.pop(alert, None)
        known = self._watched.pop(alert, None)
        if known is None:
            return
        self._forming.subtract(forming_keys([known.rule]))
        if not self._later.remove(alert):
            self._book.remove(alert)

    def _aim(self) -> None:
        """Let the flows tell of what alerts look at, and of no more."""
        keys = self._book.wants() | self._later.keys
        forming = frozenset(key for key, count in self._forming.items() if count > 0) & keys
        parts, of_bars = self._parts, {symbol for symbol, _, _ in keys}
        parts.flow.follow(self._book.symbols | of_bars | self._later.symbols)
        parts.flow.want(keys, forming)
        parts.sessions.want(keys, forming)
        self._is_aimed = True
        self._health.rules = len(self._watched)

    def _split(self, session: dt.date) -> None:
        splits = self._asked(lambda: self._parts.history.splits(session))
        if splits is None:
            self._is_torn = True
            return
        for symbol, factor in splits.items():
            self._book.rebase(symbol, session, factor)

    def _seed(self, seen: Sequence[Seen]) -> bool:
        """Let the bars before be known; whether they are."""
        wanted = self._book.unseeded(seen)
        if wanted:
            found = self._asked(lambda: self._parts.history.before(wanted, self.session))
            if found is None:
                return False
            for key, bars in found.items():
                self._book.seed(key, bars)
        return True

    def _asked(self, ask: Callable[[], _T]) -> _T | None:
        """Return what the lake says, however long it is away; None: all is to end meanwhile."""
        while True:
            try:
                found = ask()
            except (StoreError, ViewError) as error:
                if not self._health.lake:
                    _log.warning("the lake is away; alerts wait for it", error=str(error))
                self._health.lake = str(error)
                if self._parts.stop.wait(_RETRY_S):
                    return None
            else:
                self._health.lake = ""
                return found

    def _row(self, alert: str, state: RuleState) -> StateRow:
        last = None if state.last_fired is None else from_microseconds(state.last_fired)
        return StateRow(
            alert,
            state.revision,
            state.state,
            state.fired,
            last,
            state.is_done,
            self._adopted[alert],
        )
