"""The speed layer in this process: a feed, the embedded engine, and the view that is served."""

from __future__ import annotations

import datetime as dt
import gc
import itertools
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog

from fiblake.alerts.evaluated import allowed, evaluated
from fiblake.recording import recording_of
from lake.boundary import read_boundary
from lake.errors import BrokenPartError, FiblakeError, StoreError, StreamClosedError
from lake.event import KINDS
from lake.exchange import trading_day
from lake.instant import from_microseconds
from lake.recorded import all_recorded, recorded, recorded_sessions
from lake.state import state_folder
from speed_layer.alerts.parts import Health as AlertsHealth
from speed_layer.alerts.parts import measured
from speed_layer.corrections import Corrections
from speed_layer.covering import Covering
from speed_layer.engine import Engine
from speed_layer.engine.running import Running
from speed_layer.engine.snapshots import Snapshots
from speed_layer.feed import Health, opened, parse_feed
from speed_layer.streams import InProcess
from speed_layer.views import MemoryView
from speed_layer.views.choosing import open_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import polars as pl

    from fiblake.alerts.alerting import Alerting
    from fiblake.alerts.evaluated import Evaluated, Refused
    from fiblake.lake import Lake
    from lake.event import Kind
    from lake.measuring import Measured, Measures
    from lake.session import SessionTable
    from lake.store import ObjectStore
    from serving_layer.dialects.relay import Relay
    from speed_layer.alerts.inlet import Inlet
    from speed_layer.feed import Feed, FeedSpec
    from speed_layer.streams import Stream
    from speed_layer.views.protocol import View

_CAPACITY: Final = 200_000
_STOP_S: Final = 20.0
_log = structlog.get_logger(__name__)


@contextmanager
def fed_view(  # noqa: PLR0913 - what it is put together from
    lake: Lake,
    feed: str,
    on_failure: Callable[[FiblakeError], None],
    relay: Relay | None = None,
    alerting: Alerting | None = None,
    *,
    measures: Measures | None = None,
) -> Iterator[tuple[View, Callable[[], dict[str, Any]]]]:
    """Feed a view with live bars and prices, beside whatever the caller does meanwhile.

    Yield it, and what tells how the feed is, and how many events the engine took, and how.

    Args:
        lake: Whose sessions, conditions and recordings are used.
        feed: What feeds, as `replay:sample@60x`.
        on_failure: Called, by another thread, if the feed or the engine cannot go on.
        relay: Is told the events too, as they come.
        alerting: Where alerts are kept that are evaluated on them; None: none are.
        measures: What is measured of this process; None: nothing.

    Raises:
        FiblakeError: If what feeds cannot be had.
    """
    table = lake.importer().sessions()
    with ExitStack() as stack:
        asked = parse_feed(feed)
        spec, store = recording_of(asked, lake.store, table, stack)
        view = _view(lake, asked)
        stack.callback(view.close)
        stream, health = InProcess(_CAPACITY), Health()
        engine = _Engine(lake, spec, store, table, view)
        if relay is not None:
            relay.kind = engine.kind()
        alerting, why = allowed(alerting, spec)
        alerts = evaluated(lake, alerting, spec, engine.kind(), view) if alerting else None
        relayed = _Relayed(stream, relay, alerts.inlet if alerts else None)
        source = stack.enter_context(engine.fed(relayed, health, measures))
        running = engine.running(stream, stack)
        if measures is not None:
            measures.add(partial(_measured, running, alerts))
        # What there is by now stays: to look through it for garbage takes a tenth of a second.
        gc.freeze()
        threads = [
            _thread("feed", source.run, relayed.close, on_failure),
            _thread("engine", running.run, stream.close, on_failure),
            *([_thread("alerts", alerts.run, alerts.inlet.close, on_failure)] if alerts else ()),
        ]
        with _ended(source, alerts, threads):
            yield view, partial(_how, health, running, alerts or why)


@contextmanager
def _ended(
    source: Feed, alerts: Evaluated | None, threads: Sequence[threading.Thread]
) -> Iterator[None]:
    """End at last what feeds the view, in its order."""
    try:
        yield
    finally:
        if alerts:
            alerts.stop()
        source.stop()
        for thread in threads:
            thread.join(_STOP_S)


def _view(lake: Lake, asked: FeedSpec) -> View:
    if asked.kind == "sample":
        # What is made up is for who looks at this process, and for no view that others share.
        return MemoryView(lake.clock)
    return open_view(lake.settings, lake.clock)


def _how(health: Health, running: Running, alerts: Evaluated | Refused | None) -> dict[str, Any]:
    told = {"feed": health.document(), "engine": asdict(running.counts)}
    return told | {"alerts": alerts.document()} if alerts else told


def _measured(running: Running, alerts: Evaluated | None) -> Iterable[Measured]:
    yield from running.measured()
    # Those that are not evaluated here are none.
    yield from alerts.measured() if alerts else measured(AlertsHealth())


@dataclass(frozen=True, slots=True)
class _Relayed:
    """A stream all of whose events others are told as well, who hold it up in nothing."""

    stream: InProcess
    relay: Relay | None
    inlet: Inlet | None

    def put(self, events: pl.DataFrame) -> None:
        """Bring events in."""
        self.stream.put(events)
        if self.relay:
            self.relay.publish(events)
        if self.inlet:
            self.inlet.put(events)

    def close(self) -> None:
        """Take nothing any more."""
        self.stream.close()
        if self.inlet:
            self.inlet.close()


@dataclass(frozen=True, slots=True)
class _Engine:
    """What the embedded engine is put together from."""

    lake: Lake
    spec: FeedSpec
    store: ObjectStore
    table: SessionTable
    view: View

    def fed(
        self, stream: Stream, health: Health, measures: Measures | None
    ) -> AbstractContextManager[Feed]:
        """Return what feeds a stream, to be entered."""
        return opened(
            self.spec,
            self.lake.settings,
            self.store,
            stream,
            sessions=self.table,
            clock=self.lake.clock,
            health=health,
            measures=measures,
        )

    def running(self, stream: InProcess, stack: ExitStack) -> Running:
        """Return the engine at work on a stream, as it was when it was stopped.

        Args:
            stream: Of events.
            stack: Closes what was opened.
        """
        lateness = dt.timedelta(seconds=self.lake.settings.lateness_seconds)
        kind = self.kind()
        corrections = Corrections(
            self.table,
            partial(all_recorded, self.store, self.spec.source or ""),
            self.view.put,
            kind=kind,
            lateness=lateness,
        )
        if self.spec.session is not None:
            engine = Engine(self.table, kind=kind, lateness=lateness)
            running = Running(
                engine, stream, self.view, corrections=corrections, trace_one_in=self.one_in
            )
            stack.callback(running.close)
            return running
        snapshots = Snapshots(state_folder(self.lake.settings))
        stack.callback(snapshots.close)
        engine, received = snapshots.restored(self.table, kind=kind, lateness=lateness)
        running = Running(
            engine,
            stream,
            self.view,
            corrections=corrections,
            keep=snapshots.keep,
            received=received,
            covering=Covering(self.view, self.lake.store),
            trace_one_in=self.one_in,
        )
        stack.callback(running.close)
        today = trading_day(self.lake.clock.now())
        # The last session may not have been told to its end.
        for session in self._uncovered(today)[-1:]:
            self._tell_again(partial(running.recover, lateness=lateness), session)
        running.recover(self._recorded(today), lateness)
        # A view that others share has what was told before the engine's last day.
        is_shared = self.lake.settings.view != "memory" and received > 0
        since = trading_day(from_microseconds(received)) if is_shared else dt.date.min
        self._recompute(running, since, today)
        return running

    @property
    def one_in(self) -> int:
        """Of how many prices one is followed."""
        return self.lake.settings.trace_one_in

    def kind(self) -> Kind:
        """Return of which events bars are made; of a replay, of the finest that it begins with."""
        if self.spec.session is None:
            return self.lake.settings.feed_kind
        begun = recorded(self.store, self.spec.source or "", self.spec.session)
        told = {kind for events in itertools.islice(begun, 1) for kind in events["kind"]}
        return next((kind for kind in KINDS if kind in told), "trade")

    def _recompute(self, running: Running, since: dt.date, today: dt.date) -> None:
        """Bring back what the view may lack of earlier sessions that batch has not covered."""
        for session in self._uncovered(today):
            if since <= session:
                self._tell_again(running.recompute, session)

    def _uncovered(self, today: dt.date) -> list[dt.date]:
        """Return the recorded sessions before today that the view is to tell of."""
        covered = read_boundary(self.lake.store).minute or dt.date.min
        oldest = today - dt.timedelta(days=self.lake.settings.view_days)
        found = recorded_sessions(self.store, self.spec.source or "")
        return [session for session in found if max(covered, oldest) < session < today]

    def _tell_again(self, tell: Callable[[pl.DataFrame], None], session: dt.date) -> None:
        try:
            tell(self._recorded(session))
        except StoreError as error:
            _log.warning("not told again", session=str(session), error=str(error))

    def _recorded(self, session: dt.date) -> pl.DataFrame:
        return all_recorded(self.store, self.spec.source or "", session)


def _thread(
    name: str,
    work: Callable[[], None],
    at_end: Callable[[], None],
    on_failure: Callable[[FiblakeError], None],
) -> threading.Thread:
    def run() -> None:
        try:
            work()
        except StreamClosedError:
            _log.info("stopped", part=name)
        except FiblakeError as error:
            on_failure(error)
        except Exception as error:  # noqa: BLE001 - else the rest would go on without it
            _log.exception("a part failed", part=name)
            fact = f"The {name} failed: {type(error).__name__}: {error}."
            on_failure(BrokenPartError(fact, hint="the log tells where; nothing recorded is lost."))
        finally:
            at_end()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
