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
from speed_layer.alerts.changes import Deleted, Refused
from speed_layer.alerts.later import Later, first_state
from speed_layer.alerts.offering import Due, Round
from speed_layer.alerts.pending import Pending
from speed_layer.alerts.rows import own_rows
from speed_layer.alerts.sessions import NEVER, between, dawn, next_dawn
from speed_layer.alerts.splits import Splits

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Sequence

    from lake.alerts.book import BarsKey
    from lake.alerts.seen import Seen
    from speed_layer.alerts.keeper import Begun
    from speed_layer.alerts.parts import Parts
    from speed_layer.alerts.splits import Split
    from speed_layer.alerts.watched import Watched

_log = structlog.get_logger(__name__)
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
        self._splits = Splits(parts.table)
        self._since = self._until = max(since, dawn(parts.table, session))
        self._fresh: dict[str, Watched] = {}
        self._pending = begun.pending
        self._due = Due()
        self._round: Round | None = None
        self._is_torn = False
        """Whether something was seen and not evaluated: the position must stay before it."""
        self._sample_due = 0.0
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
            elif isinstance(each, Refused):
                self._refuse(each)
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
        if self._is_behind or self._is_torn or self._due.is_whole:
            return  # they would not be told again to alerts that are met later, or not kept yet
        parts, session = self._parts, self.session
        bars = parts.sessions.take(session)
        self._splits.note(session, parts.sessions.splits(session))
        self._take_apart(bars)
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
            self._meet(max(self._parts.flow.clock, dawn(self._table, self.session)))
            self._take(seen)

    def _take(self, seen: Sequence[Seen]) -> None:
        begin = 0
        for place, each in enumerate(seen if self._splits else ()):
            if splits := self._splits.before(each):
                self._look_at(seen[begin:place])
                begin = place
                if self._is_torn:
                    return
                for split in splits:
                    self._rebase(each.symbol, split)
        self._look_at(seen[begin:])

    def _look_at(self, seen: Sequence[Seen]) -> None:
        if not self._seed(seen):
            self._is_torn = True
            return
        firings = self._book.take(seen)
        self._health.evaluated += len(seen)
        if firings:
            self._parts.traces.pass_all(firings)
            now = self._parts.clock.now()
            told = [self._watched[each.alert].told(each, now) for each in firings]
            self._pending.firings += told
            self._health.fired += len(firings)
            self._health.unoffered += len(firings)
            self._due.fired.update(each.symbol for each in firings)

    def offer_if_due(self, position: Callable[[], dict[str, Any]], place_s: float = 0.0) -> None:
        """Let what changed be kept: soon where an alert fired or was adopted, else by and by.

        Args:
            position: Tells how far the flow was evaluated.
            place_s: How often that is kept at most, and how the flow is; what is later than that is
                told again after a kill.
        """
        due = self._due
        if not due.is_now:
            return
        if due.is_whole or (self._is_torn and due.is_round(place_s)):
            self.offer(position)
        elif self._round or due.is_round(place_s):
            self._go_round(position)
        elif due.fired:
            self._gather(())
            self._hand_over()

    def offer(self, position: Callable[[], dict[str, Any]]) -> None:
        """Let all that changed be kept.

        Args:
            position: Tells how far the flow was evaluated.
        """
        self._place()
        self._gather()
        if not self._is_torn:
            # Else bars would count as told that were not evaluated.
            self._round = self._mark(position, [])
            self._place()
            self._due.is_whole = False
        self._hand_over()

    def _go_round(self, position: Callable[[], dict[str, Any]]) -> None:
        if self._round is None:
            self._round = self._mark(position, sorted(self._book.unkept))
        self._gather(self._round.slice())
        if not self._round.symbols:
            self._place()
        self._hand_over()

    def _mark(self, position: Callable[[], dict[str, Any]], symbols: list[str]) -> Round:
        parts = self._parts
        market = parts.sessions.changed() | parts.flow.changed()
        return Round(orjson.dumps(position()).decode(), market, symbols)

    def _place(self) -> None:
        """Let the position be kept to which the rows of all symbols are offered."""
        if self._round:
            self._pending.market |= self._round.market
            self._pending.position = self._round.position
            self._round, self._due.placed = None, time.monotonic()

    def _gather(self, symbols: Collection[str] | None = None) -> None:
        """Take up what changed: of some symbols, and of those that fired; None: of all."""
        whose = None if symbols is None else {*symbols, *self._due.fired}
        changed, pending = self._book.changed(self._later.symbols, whose), self._pending
        pending.market |= changed.market
        pending.states |= {
            alert: self._row(alert, state)
            for alert, state in changed.rules.items()
            if alert in self._watched
        }
        self._due.fired.clear()

    def _hand_over(self) -> None:
        self._parts.keeper.offer(self._pending)
        self._pending, self._due.offered = Pending(), time.monotonic()
        self._health.unoffered = 0

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
        # It is on the basis of the session that was entered, whether or not something was seen.
        clock = max(self._parts.flow.clock, dawn(self._table, self.session))
        self._adopted[watched.alert] = from_microseconds(clock)
        self._enter(watched, None, clock)
        self._pending.states[watched.alert] = self._row(watched.alert, first_state(watched))
        self._pending.gone.discard(watched.alert)
        self._due.is_whole = True

    def _enter(self, watched: Watched, state: RuleState | None, at: int) -> None:
        """Evaluate an alert once the flow is past the instant at which it was adopted."""
        self._watched[watched.alert] = watched
        self._forming.update(forming_keys([watched.rule]))
        if at > self._since:
            self._later.put(watched.alert, watched.rule, at, state)
        else:
            self._book.add(watched.alert, watched.revision, watched.rule, state)

    def _refuse(self, refused: Refused) -> None:
        """Evaluate an alert no more; a version that knows its rule goes on where it is."""
        known = self._watched.get(refused.alert)
        if known and known.revision != refused.revision:
            self._remove(refused.alert)
            return
        self._gather()
        self._drop(refused.alert)

    def _remove(self, alert: str) -> None:
        self._pending.states.pop(alert, None)
        self._pending.gone.add(alert)
        self._drop(alert)

    def _drop(self, alert: str) -> None:
        self._fresh.pop(alert, None)
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
        self._due.is_whole = True
        self._health.rules = len(self._watched)

    def _split(self, session: dt.date) -> None:
        splits = self._asked(lambda: self._parts.history.splits(session))
        if splits is None:
            self._is_torn = True
            return
        self._splits.note(session, splits)

    def _rebase(self, symbol: str, split: Split) -> None:
        """Divide the levels of alerts that were there before a split, and prices from before."""
        begin = from_microseconds(split.dawn)
        spared = {
            alert
            for alert, watched in self._watched.items()
            if watched.rule.symbol == symbol and (at := self._adopted[alert]) and at >= begin
        }
        since = split.dawn
        self._book.rebase(symbol, split.session, split.factor, since=since, spared=spared)

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
