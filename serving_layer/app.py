"""The serving layer's composition root: one app from one reader."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline

from serving_layer.alerts.dry_run import DryRuns
from serving_layer.alerts.dry_run_routes import DryRunTurns
from serving_layer.alerts.dry_run_routes import router as dry_run_router
from serving_layer.alerts.routes import router as alerts_router
from serving_layer.alerts.span import SERVED
from serving_layer.auth import require
from serving_layer.auth.borders import Borders
from serving_layer.auth.protecting import protect
from serving_layer.auth.require import ACCESS_PROBLEMS
from serving_layer.auth.routes import router as keys_router
from serving_layer.backtest.backtests import Backtests
from serving_layer.backtest.routes import router as backtest_router
from serving_layer.dialects import SHAPES, add_dialects
from serving_layer.dialects.streams import add_dialect_streams
from serving_layer.live import router as live_router
from serving_layer.merged import MergedReader
from serving_layer.prices import router as prices_router
from serving_layer.problems import answer_with_problems
from serving_layer.reference import router as reference_router
from serving_layer.reference_data import ReferenceData
from serving_layer.requests import Requests, Traced
from serving_layer.routes import health_router, router
from serving_layer.stream.connections_routes import router as connections_router
from serving_layer.stream.counting import Counter
from serving_layer.stream.routes import Streams
from serving_layer.stream.routes import router as stream_router
from serving_layer.view_chain import ViewChain

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from fastapi import APIRouter, FastAPI

    from lake.live import LiveBars
    from lake.trace import Traces
    from serving_layer.alerts.past import Recorded
    from serving_layer.auth import Access, Scope
    from serving_layer.dialects.relay import Relay
    from serving_layer.gaps import Gaps
    from serving_layer.reader import Reader
    from serving_layer.stream.connection import Manners
    from serving_layer.stream.registry import Connections

WEB: Final = Path(__file__).parent / "web"
_GUARDED: Final[tuple[tuple[APIRouter, Scope], ...]] = (
    (router, "read"),
    (live_router, "live"),
    (prices_router, "live"),
    (backtest_router, "read"),
    (reference_router, "read"),
    (dry_run_router, "alerts"),
)
"""Each router, and what a key needs for it."""


def create_app(  # noqa: PLR0913 - what it is put together from
    reader: Reader,
    live: LiveBars | None = None,
    feeding: Callable[[], dict[str, Any]] | None = None,
    gaps: Gaps | None = None,
    *,
    fallbacks: Sequence[LiveBars] = (),
    told_again: dt.date | None = None,
    access: Access | None = None,
    connections: Connections | None = None,
    manners: Manners | None = None,
    relay: Relay | None = None,
    recorded: Recorded | None = None,
    traces: Traces | None = None,
) -> FastAPI:
    """Return the app that serves what `reader` reads, with the chart page at `/`.

    Args:
        reader: Of the lake.
        live: The realtime view, where something feeds one.
        feeding: Tells how what feeds it in this process is, by part.
        gaps: Tells what of today's session is not recorded.
        fallbacks: Views that are asked for bars and prices while `live` does not answer.
        told_again: The session that the feed tells again, where it is a replay.
        access: Who may ask; None: anyone.
        connections: Counts streams; None: there may be any number.
        manners: What a stream may.
        relay: The events of the feed, where it is in this process.
        recorded: Tells again, for dry runs, what was recorded of the live flow.
        traces: Follows prices that streams are told; None: none is followed.
    """
    app = _bare_app()
    view = None if live is None else ViewChain([live, *fallbacks])
    app.state.reader = MergedReader(reader, view, told_again=told_again)
    _look_back(app, reader, recorded)
    app.state.live = view
    app.state.feeding = feeding
    app.state.told_again = told_again
    app.state.gaps = gaps
    count = Counter(connections, app.state.reader.now) if connections else None
    app.state.streams = Streams(live, app.state.reader, manners, counting=count, traces=traces)
    app.state.connections = connections
    app.state.access = access
    _include(app, access)
    add_dialects(app, is_guarded=access is not None)
    add_dialect_streams(app, live, relay)
    answer_with_problems(app, SHAPES)
    _stand_in_front(app, access)
    return app


def _bare_app() -> FastAPI:
    app: FastAPI = FastAPIOffline(
        title="fiblake",
        version=version("fiblake"),
        description="Bars of minutes, hours, and 1, 3, 5, 8, 13, 21 and 34 trading sessions.",
    )
    return app


def _stand_in_front(app: FastAPI, access: Access | None) -> None:
    """Put in front of all what refuses requests, and in front of that what counts and traces."""
    protect(app, access.borders if access else Borders())
    app.state.requests = Requests()
    app.add_middleware(Traced, requests=app.state.requests)


def _look_back(app: FastAPI, reader: Reader, recorded: Recorded | None) -> None:
    """Give the app what answers of the past alone."""
    app.state.backtests = Backtests(reader.store, reader.clock)
    app.state.reference = ReferenceData(reader.store, reader.clock)
    app.state.dry_runs = DryRunTurns(DryRuns(reader, app.state.reader, recorded, SERVED))


def _include(app: FastAPI, access: Access | None) -> None:
    """Include what needs the scope of a key, what needs none, and the page."""
    app.mount("/web", StaticFiles(directory=WEB), name="web")
    app.add_api_route("/", _page, include_in_schema=False)
    told = ACCESS_PROBLEMS if access else None
    for each, scope in _GUARDED:
        app.include_router(each, dependencies=[require(scope)], responses=told)
    app.include_router(health_router)
    app.include_router(stream_router)
    if access:
        app.include_router(keys_router)
        app.include_router(alerts_router)
    if access and app.state.connections:
        admins = [require("admin")]
        app.include_router(connections_router, dependencies=admins, responses=told)


def _page() -> FileResponse:
    return FileResponse(WEB / "index.html")
