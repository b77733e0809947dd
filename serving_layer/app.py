"""The serving layer's composition root: one app from one reader."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline

from serving_layer.auth import require
from serving_layer.auth.borders import Borders
from serving_layer.auth.protecting import protect
from serving_layer.auth.require import ACCESS_PROBLEMS
from serving_layer.auth.routes import router as keys_router
from serving_layer.backtest.backtests import Backtests
from serving_layer.backtest.routes import router as backtest_router
from serving_layer.live import router as live_router
from serving_layer.merged import MergedReader
from serving_layer.prices import router as prices_router
from serving_layer.problems import answer_with_problems
from serving_layer.reference import router as reference_router
from serving_layer.reference_data import ReferenceData
from serving_layer.routes import health_router, router
from serving_layer.stream.routes import Streams
from serving_layer.stream.routes import router as stream_router
from serving_layer.view_chain import ViewChain

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from fastapi import APIRouter, FastAPI

    from lake.live import LiveBars
    from serving_layer.auth import Access, Scope
    from serving_layer.gaps import Gaps
    from serving_layer.reader import Reader

WEB: Final = Path(__file__).parent / "web"
_GUARDED: Final[tuple[tuple[APIRouter, Scope], ...]] = (
    (router, "read"),
    (live_router, "live"),
    (prices_router, "live"),
    (backtest_router, "read"),
    (reference_router, "read"),
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
    """
    app: FastAPI = FastAPIOffline(
        title="fiblake",
        version=version("fiblake"),
        description="Bars of minutes, hours, and 1, 3, 5, 8, 13, 21 and 34 trading sessions.",
    )
    view = None if live is None else ViewChain([live, *fallbacks])
    app.state.reader = MergedReader(reader, view, told_again=told_again)
    app.state.backtests = Backtests(reader.store, reader.clock)
    app.state.reference = ReferenceData(reader.store, reader.clock)
    app.state.live = live
    app.state.feeding = feeding
    app.state.gaps = gaps
    app.state.streams = Streams(live, app.state.reader)
    app.state.access = access
    _include(app, access)
    answer_with_problems(app)
    protect(app, access.borders if access else Borders())
    app.mount("/web", StaticFiles(directory=WEB), name="web")
    app.add_api_route("/", _page, include_in_schema=False)
    return app


def _include(app: FastAPI, access: Access | None) -> None:
    told = ACCESS_PROBLEMS if access else None
    for each, scope in _GUARDED:
        app.include_router(each, dependencies=[require(scope)], responses=told)
    app.include_router(health_router)
    app.include_router(stream_router)
    if access:
        app.include_router(keys_router)


def _page() -> FileResponse:
    return FileResponse(WEB / "index.html")
