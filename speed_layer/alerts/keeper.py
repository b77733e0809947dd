"""The keeper: between who evaluates alerts and the database, so that neither waits for the other.

    evaluation ──► offer ──► pending ──► database       states, firings and position at once
               ◄── news  ◄── changes ◄── database       alerts that were made, changed, deleted

While the database is away what is pending grows by alerts, symbols and firings alone, and is kept
once it is back.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from database.alert_flow import (
    StateRow,
    all_market,
    all_rules,
    all_states,
    keep_progress,
    take_over,
)
from lake.errors import DatabaseError, FiblakeError, InvalidRuleError, TakenOverError
from speed_layer.alerts.changes import Changes, Deleted, Refused
from speed_layer.alerts.pending import Pending
from speed_layer.alerts.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from database import Database
    from database.alert_flow import RuleRow
    from lake.clock import Clock

_log = structlog.get_logger(__name__)
_LAST_S: Final = 10.0
"""How long what is pending at the end may take to be kept."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what is done, in seconds.

    Attributes:
        poll_s: It is looked which alerts changed.
        retry_s: Up to how long the first pause is when the database is away; the next, twice that.
        longest_s: And no longer.
    """

    poll_s: float = 0.25
    retry_s: float = 0.2
    longest_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Begun:
    """What an evaluation goes on from.

    Attributes:
        position: How far the one before came; empty: there was none.
        alerts: All there are.
        states: How far each is that was evaluated, by alert.
        market: What they share.
        pending: What is to be kept of it already.
    """

    position: str
    alerts: list[Watched]
    states: dict[str, StateRow]
    market: dict[str, str]
    pending: Pending = field(default_factory=Pending)


@dataclass(slots=True)
class KeeperHealth:
    """How keeping goes.

    Attributes:
        away: What the database said when it failed last; empty: it answers.
        uncommitted: How many firings are not kept yet.
        refused: How many alerts have a rule that this version does not know.
    """

    away: str = ""
    uncommitted: int = 0
    refused: int = 0


@dataclass(slots=True)
class _Shared:
    """What the two threads share, by turns."""

    pending: Pending = field(default_factory=Pending)
    news: list[Watched | Deleted | Refused] = field(default_factory=list)


class Keeper:
    """Keeps what is offered, in a thread of its own; to be closed.

    Args:
        database: Of rules, states and notifications.
        clock: Tells the present.
        on_told: Called when there are notifications that are to be delivered.
        pace: How often what is done.

    Attributes:
        health: How it goes.
        failure: Why it ended before it was told to; None: it did not.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        on_told: Callable[[], None] = lambda: None,
        pace: Pace | None = None,
    ) -> None:
        self._database = database
        self._on_told = on_told
        self._pace = pace or Pace()
        self._changes = Changes(database, clock)
        self._turn = threading.Lock()
        self._shared = _Shared()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts-keeper", daemon=True)
        self._epoch = 0
        self._position = ""
        self._failures = 0
        self._due = 0.0
        self.health = KeeperHealth()
        self.failure: FiblakeError | None = None

    def begin(self) -> Begun:
        """Take over from whoever evaluated before, and return what it kept; then begin to keep.

        Raises:
            DatabaseError: If the database does not answer; it may be tried again.
        """
        with self._database.write() as connection:
            flow = take_over(connection)
            rows = all_rules(connection)
            states, market = all_states(connection), all_market(connection)
        self._epoch, self._position = flow.epoch, flow.position
        self._changes.begin(rows)
        alerts = list(self._watched(rows))
        self._shared.pending.gone |= states.keys() - {row.alert for row in rows}
        self.health.away = ""
        self._thread.start()
        return Begun(flow.position, alerts, states, market)

    def begin_patiently(self, stop: threading.Event) -> Begun | None:
        """Begin once the database answers; None: `stop` was set before."""
        while True:
            try:
                return self.begin()
            except DatabaseError as error:
                if not self.health.away:
                    _log.warning("the database is away; alerts wait for it", error=str(error))
                self.health.away = str(error)
            if stop.wait(self._pace.longest_s / 5):
                return None

    def offer(self, changes: Pending) -> None:
        """Let changes be kept, soon; wait for nothing."""
        with self._turn:
            self._shared.pending.add(changes)
            self.health.uncommitted += len(changes.firings)
        self._wake.set()

    def news(self) -> list[Watched | Deleted | Refused]:
        """Return the alerts that are new or not as they were, since the last call, in order."""
        if not self._shared.news:
            return []
        with self._turn:
            news, self._shared.news = self._shared.news, []
        return news

    def close(self) -> None:
        """Keep what is pending, if that can be in time, and end."""
        self._closing.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._wake.wait(max(0.0, self._due - time.monotonic()))
                self._wake.clear()
                if self._failures and time.monotonic() < self._due:
                    self._closing.wait(self._due - time.monotonic())
                self._step()
            self._end()
        except TakenOverError as error:
            self.failure = error
            _log.error("alerts are evaluated by another process", error=str(error))
        except Exception as error:  # noqa: BLE001 - else nothing would be kept, and nobody know
            _log.exception("a part failed", part="alerts-keeper")
            self.failure = FiblakeError(f"The keeper of alerts failed: {type(error).__name__}.")

    def _step(self) -> None:
        try:
            self._keep()
            if time.monotonic() >= self._due:
                begun = time.monotonic()
                self._look()
                # However many alerts change, most of the time is for what fires.
                took = time.monotonic() - begun
                self._due = time.monotonic() + max(self._pace.poll_s, 4 * took)
        except TakenOverError:
            raise
        except DatabaseError as error:
            self._note(error)
        else:
            self._is_back()

    def _keep(self) -> None:
        with self._turn:
            mine, self._shared.pending = self._shared.pending, Pending()
        if not mine:
            return
        progress = mine.progress(self._position)
        try:
            with self._database.write() as connection:
                keep_progress(connection, self._epoch, progress)
        except BaseException:
            with self._turn:
                mine.add(self._shared.pending)
                self._shared.pending = mine
            raise
        self._position = progress.position
        if mine.firings:
            with self._turn:
                self.health.uncommitted -= len(mine.firings)
            self._on_told()

    def _look(self) -> None:
        found = self._changes.look()
        known = [each for each in found if isinstance(each, Deleted)]
        rows = [each for each in found if not isinstance(each, Deleted)]
        if found:
            watched = list(self._watched(rows))
            # One whose new rule is not known must not go on by its old one.
            good = {each.alert for each in watched}
            refused = [Refused(row.alert, row.revision) for row in rows if row.alert not in good]
            with self._turn:
                self._shared.news += [*known, *refused, *watched]

    def _watched(self, rows: Iterable[RuleRow]) -> Iterable[Watched]:
        for row in rows:
            try:
                yield Watched.of(row)
            except InvalidRuleError as error:
                self.health.refused += 1
                _log.warning("an alert is passed over", alert=row.alert, error=str(error))

    def _note(self, error: DatabaseError) -> None:
        if not self.health.away:
            _log.warning("the database is away; alerts are kept once it is back", error=str(error))
        self.health.away = str(error)
        limit_s = min(self._pace.retry_s * 2 ** min(self._failures, 10), self._pace.longest_s)
        self._failures += 1
        self._due = time.monotonic() + random.uniform(0, limit_s)  # noqa: S311 - jitter is no secret

    def _is_back(self) -> None:
        if self.health.away:
            _log.warning("the database is back; all that was evaluated is kept")
        self.health.away, self._failures = "", 0

    def _end(self) -> None:
        until = time.monotonic() + _LAST_S
        while True:
            try:
                self._keep()
            except TakenOverError:
                raise
            except DatabaseError as error:
                self._note(error)
                if time.monotonic() > until:
                    _log.error("alerts are not kept; they are evaluated again at the next start")
                    return
                time.sleep(self._pace.retry_s)
            else:
                return
