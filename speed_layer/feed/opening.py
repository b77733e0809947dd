"""From what `--feed` names and the settings to a feed that can run."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from lake.conditions import load_conditions
from lake.errors import VendorKeyError
from lake.health_server import health_served
from lake.hours import hours_of, timetable
from lake.instant import microseconds
from lake.measuring import Measured
from lake.metrics import MARKET_OPEN
from lake.recorded import only_source
from lake.state import state_folder
from speed_layer.feed.feed import Feed
from speed_layer.feed.judge import Judge
from speed_layer.feed.massive_events import NAME
from speed_layer.feed.recorder import Recorder
from speed_layer.feed.replay import Replay
from speed_layer.feed.spool import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lake.clock import Clock
    from lake.hours import Timetable
    from lake.measuring import Measures
    from lake.session import SessionTable
    from lake.settings import Settings
    from lake.store import ObjectStore
    from speed_layer.feed.health import Health
    from speed_layer.feed.massive import Plan
    from speed_layer.feed.recorder import Known
    from speed_layer.feed.source import Source
    from speed_layer.feed.spec import FeedSpec
    from speed_layer.streams import Stream

_DAYS_BACK: Final = dt.timedelta(days=14)
# Longer than any lateness: what a replay tells at its end makes all bars final.
_AFTER_DUSK: Final = dt.timedelta(hours=1)
_OVERLAP_S: Final = 120.0
_MIB: Final = 1 << 20
_HOUR_S: Final = 3600
_SECOND_US: Final = 1_000_000


@contextmanager
def opened(  # noqa: PLR0913 - the parts it puts together
    spec: FeedSpec,
    settings: Settings,
    store: ObjectStore,
    stream: Stream,
    *,
    sessions: SessionTable,
    clock: Clock,
    health: Health,
    measures: Measures | None = None,
) -> Iterator[Feed]:
    """Yield a feed that brings events into a stream once it is run.

    Args:
        spec: Massive, or a replay; the sample's day must have been told where it is recorded.
        settings: Of all parts.
        store: The lake.
        stream: Where to.
        sessions: The session table; events of sessions that it does not have are refused.
        clock: Tells the present.
        health: Told how it goes.
        measures: What is measured of this process, to be told beside it; None: nothing.

    Raises:
        VendorKeyError: If there is no key for Massive.
        NotFoundError: If nothing of the day to be replayed is recorded.
        BusyError: If another process records into the spool.
    """
    with ExitStack() as stack:
        fed = partial(Feed, trace_one_in=settings.trace_one_in)
        if measures is not None:
            measures.add(health.measured)
            measures.add(lambda: [Measured(MARKET_OPEN, sessions.is_open(clock.now()))])
        stack.enter_context(health_served(health, settings, measures))
        if spec.session is not None:
            source = _replay(spec, spec.session, store, sessions)
            health.connected(is_subscribed=True)
            # It was judged, refused and recorded when it was received.
            yield fed(source, None, stream, recorder=None, health=health)
            return
        plan = massive_plan(settings)
        days = timetable(sessions, clock.now().date() - _DAYS_BACK, sessions.last)
        recorder = stack.enter_context(_recorder(settings, store, days))
        now = clock.now()
        oldest = max(now.timestamp() - plan.fill_hours * _HOUR_S, 0)
        known = recorder.known(settings.feed_kind, int(oldest * _SECOND_US))
        massive = _massive(plan, health, known, days, clock)
        judge = Judge(load_conditions(store), days, skew_s=settings.feed_skew_seconds)
        yield fed(massive, judge, stream, recorder=recorder, health=health)


def massive_plan(settings: Settings) -> Plan:
    """Return what Massive is asked for, as the settings say.

    Raises:
        VendorKeyError: If there is no key.
    """
    # Imported here: a replay needs neither the vendor's client nor a socket.
    from speed_layer.feed.massive import Plan  # noqa: PLC0415

    given = settings.massive_key
    key = given.get_secret_value().strip() if given else ""
    if not key:
        fact = "There is no key for Massive."
        hint = "set FIBLAKE_MASSIVE_KEY to the key that massive.com/dashboard/keys shows."
        raise VendorKeyError(fact, hint=hint)
    symbols = [] if settings.feed_symbols == "*" else settings.feed_symbols.upper().split(",")
    return Plan(
        socket=settings.massive_socket,
        rest=settings.massive_url,
        key=key,
        kinds=(settings.feed_kind,),
        symbols=tuple(symbol.strip() for symbol in symbols),
        reader=settings.massive_reader,
        queue=settings.feed_queue,
        sheds=settings.feed_shed,
        # What was restated later than that is late, and batch's to put right.
        overlap_s=max(_OVERLAP_S, settings.lateness_seconds),
        fill_hours=settings.feed_fill_hours,
    )


def _massive(plan: Plan, health: Health, known: Known, days: Timetable, clock: Clock) -> Source:
    from speed_layer.feed.massive import Massive  # noqa: PLC0415 - likewise

    return Massive(plan, health, known, days=days, clock=clock)


def _replay(spec: FeedSpec, session: dt.date, store: ObjectStore, sessions: SessionTable) -> Replay:
    source = spec.source or only_source(store, session)
    over = hours_of(session, sessions).dusk + _AFTER_DUSK
    until = microseconds(over)
    return Replay(store, source, session, speed=spec.speed, until=until)


def _recorder(settings: Settings, store: ObjectStore, days: Timetable) -> Recorder:
    limits = Limits(settings.feed_land_seconds, settings.feed_land_mib * _MIB)
    return Recorder(store, NAME, state_folder(settings) / "spool", days, limits)
