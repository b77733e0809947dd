"""The whole system in one process, on one machine."""

from __future__ import annotations

import gc
import signal
import threading
from contextlib import closing, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from database import open_database, prepare
from database.keys import has_keys
from fiblake.address import in_url, is_loopback, listen
from fiblake.alerts.alerting import Alerting
from fiblake.alerts.recorded_events import RecordedEvents
from fiblake.soon_reader import soon_reader
from lake.emf import emf_told
from lake.errors import MisuseError
from lake.health_server import health_served
from lake.logs import log_as
from lake.measuring import Measures
from lake.services import API, EMBEDDED
from lake.trace import Traces
from serving_layer.app import create_app
from serving_layer.auth import Access
from serving_layer.dialects.relay import Relay
from serving_layer.gaps import Gaps
from serving_layer.measured import AppMeasured
from serving_layer.readiness import ServerHealth
from serving_layer.stream.connection import Manners
from serving_layer.stream.registry import open_connections
from serving_layer.stream.socket import SOCKETS
from speed_layer.delivery.delivering import delivering
from speed_layer.feed.massive_events import NAME
from speed_layer.feed.spec import parse_feed
from speed_layer.views import MemoryView
from speed_layer.views.choosing import open_view

if TYPE_CHECKING:
    import datetime as dt
    import socket
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI

    from database import Database
    from fiblake.lake import Lake
    from lake.errors import FiblakeError
    from lake.live import LiveBars
    from serving_layer.alerts.dry_run_routes import DryRunTurns
    from serving_layer.reader import Reader
    from serving_layer.stream.registry import Connections
    from speed_layer.views.protocol import View

_ATTEMPTS: Final = 3
_VIEW_SILENCE_S: Final = 1.0
"""Of what others wait for who ask this server."""


def serve(
    lake: Lake, *, host: str, port: int, feed: str | None, on_start: Callable[[str], None]
) -> None:
    """Serve a lake over HTTP until it is interrupted.

    Args:
        lake: What to serve.
        host: The address to listen on.
        port: The port; 0: any free one.
        feed: What feeds live bars, as `replay:sample@60x`; None: nothing in this process.
        on_start: Called with the page's URL once the port is taken.

    Raises:
        MisuseError: If the address or the port cannot be had, or the feed is none; if others than
            this machine reach the address, and no key was created yet.
        DatabaseError: If the database of keys cannot be used.
        FiblakeError: If the feed cannot go on.
    """
    failures: list[FiblakeError] = []
    reader = soon_reader(lake)
    measures = Measures(log_as((EMBEDDED if feed else API).name, lake.settings))
    with (
        listen(host, port) as listener,
        _app(lake, reader, host, feed, failures, measures=measures) as app,
    ):
        config = _config(app, lake.settings.forwarded_allow_ips)
        server = _Server(config, app.state.dry_runs, failures)
        if threading.current_thread() is threading.main_thread():
            # As Ctrl-C does: the server takes it first, then all else ends in order.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        # What there is by now stays: to look through it for garbage takes a tenth of a second.
        gc.freeze()
        health = ServerHealth(app.state.reader, app.state.access, lambda: server.started)
        on_start(f"http://{in_url(host)}:{listener.getsockname()[1]}/")
        with (
            # Where a feed runs in this process, the port tells of that.
            health_served(health, lake.settings, measures) if feed is None else nullcontext(),
            emf_told(measures, is_on=lake.settings.emf),
            _beside(reader.keep_warm),
            suppress(KeyboardInterrupt),
        ):
            server.run(sockets=[listener])
    if failures:
        raise failures[0]


@contextmanager
def _app(  # noqa: PLR0913 - what it is put together from
    lake: Lake,
    reader: Reader,
    host: str,
    feed: str | None,
    failures: list[FiblakeError],
    *,
    measures: Measures,
) -> Iterator[FastAPI]:
    """Yield the app, while all that it is put together from lives."""
    relay = Relay()
    with (
        _access(lake, host) as access,
        _alerting(lake, measures) as alerting,
        _live(lake, feed, failures, relay, alerting, measures=measures) as (view, feeding),
        _gaps(lake, feed) as gaps,
        _fallbacks(lake, view) as fallbacks,
        _connections(lake) as connections,
    ):
        app = create_app(
            reader,
            view,
            feeding,
            gaps,
            fallbacks=fallbacks,
            told_again=_told_again(feed),
            access=access,
            connections=connections,
            manners=Manners(channels=lake.settings.channels_per_connection),
            relay=relay,
            recorded=RecordedEvents(lake.store, lake.settings),
            traces=Traces("api", lake.settings.trace_one_in),
        )
        measures.add(app.state.requests.measured)
        measures.add(AppMeasured(app, reader, lake.settings))
        yield app


@contextmanager
def _access(lake: Lake, host: str) -> Iterator[Access]:
    """Yield who may ask: on this machine anyone, until the first key is created."""
    database = open_database(lake.settings)
    access = Access(database, lake.settings, lake.clock, is_open_before_keys=is_loopback(host))
    with closing(access):
        prepare(database)
        if not is_loopback(host):
            _must_have_keys(database, host)
        yield access


@contextmanager
def _alerting(lake: Lake, measures: Measures) -> Iterator[Alerting]:
    """Yield where alerts are kept, and deliver meanwhile what is to be told of them.

    By connections of their own, that nobody who asks takes up.
    """
    with (
        closing(open_database(lake.settings)) as database,
        delivering(lake.settings, database, lake.clock) as deliverer,
    ):
        measures.add(deliverer.measured)
        yield Alerting(database, deliverer.nudge, deliverer.told)


@contextmanager
def _connections(lake: Lake) -> Iterator[Connections]:
    """Yield what counts streams."""
    registry = open_connections(lake.settings)
    try:
        yield registry
    finally:
        registry.shut()


def _must_have_keys(database: Database, host: str) -> None:
    with database.read() as connection:
        if not has_keys(connection):
            fact = f"--host {host} lets others than this machine in, and no key was created yet."
            raise MisuseError(fact, hint="fiblake keys create NAME --scope read --scope live.")


def _config(app: FastAPI, proxies: str) -> uvicorn.Config:
    """Return how an app is served: whoever is none of the proxies is whom it comes from."""
    # Else uvicorn would believe what anyone on this machine says of its address.
    return uvicorn.Config(
        app,
        # Its lines are of the form that all have here.
        log_config=None,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        **SOCKETS,
    )


class _Server(uvicorn.Server):
    """Ends when the feed fails."""

    def __init__(
        self, config: uvicorn.Config, runs: DryRunTurns, failures: list[FiblakeError]
    ) -> None:
        super().__init__(config)
        self._runs = runs
        self._failures = failures

    async def on_tick(self, counter: int) -> bool:
        return bool(self._failures) or await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # It waits for answers, and the process for threads.
        self._runs.end()
        await super().shutdown(sockets)


@contextmanager
def _live(  # noqa: PLR0913 - what a feed is put together from
    lake: Lake,
    feed: str | None,
    failures: list[FiblakeError],
    relay: Relay,
    alerting: Alerting,
    *,
    measures: Measures,
) -> Iterator[tuple[LiveBars | None, Callable[[], dict[str, Any]] | None]]:
    """Yield the realtime view, and what tells how it is fed in this process.

    None where nothing feeds one; and where others do, they tell themselves how they are.
    """
    if feed is not None:
        from fiblake.live import fed_view  # noqa: PLC0415 - it takes a while, and feeds are rare

        fed = fed_view(lake, feed, failures.append, relay, alerting, measures=measures)
        with fed as (view, feeding):
            if isinstance(view, MemoryView):
                yield view, feeding
            else:
                with closing(_served_view(lake)) as served:
                    yield served, feeding
    elif lake.settings.view != "memory":
        with closing(_served_view(lake)) as shared:
            yield shared, None
    else:
        yield None, None


def _served_view(lake: Lake, **others: str) -> View:
    """Return a shared view that says soon that it does not answer: whoever asks waits for it."""
    settings = lake.settings
    soon = {
        "redis_attempts": _ATTEMPTS,
        "redis_timeout_seconds": min(settings.redis_timeout_seconds, _VIEW_SILENCE_S),
        "dynamodb_attempts": _ATTEMPTS,
        "dynamodb_timeout_seconds": min(settings.dynamodb_timeout_seconds, _VIEW_SILENCE_S),
        **others,
    }
    return open_view(settings.model_copy(update=soon), lake.clock)


@contextmanager
def _fallbacks(lake: Lake, view: LiveBars | None) -> Iterator[list[LiveBars]]:
    """Yield what is asked while a shared view does not answer."""
    name = lake.settings.view_fallback
    if name is None or view is None or isinstance(view, MemoryView):
        yield []
    else:
        with closing(_served_view(lake, view=name)) as fallback:
            yield [fallback]


def _told_again(feed: str | None) -> dt.date | None:
    """Return the session that a feed tells again; None: it tells of the present."""
    if feed is None:
        return None
    from fiblake.recording import told_again  # noqa: PLC0415 - likewise

    return told_again(parse_feed(feed))


@contextmanager
def _gaps(lake: Lake, feed: str | None) -> Iterator[Gaps | None]:
    """Yield what tells of gaps in the recording of today; None where live bars are not of it."""
    is_of_today = (
        lake.settings.view != "memory" if feed is None else parse_feed(feed).kind == "massive"
    )
    if not is_of_today:
        yield None
        return
    settings, table = lake.settings, lake.importer().sessions()
    gaps = Gaps(lake.store, NAME, settings.feed_kind, table, lake.clock)
    with _beside(gaps.keep_reading):
        yield gaps


@contextmanager
def _beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Let some work be done meanwhile, which ends when it is told to."""
    stop = threading.Event()
    threading.Thread(target=work, args=(stop,), daemon=True).start()
    try:
        yield
    finally:
        stop.set()
