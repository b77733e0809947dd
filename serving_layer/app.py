"""The serving layer's composition root: one app from one reader."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline

from serving_layer.problems import answer_with_problems
from serving_layer.routes import router

if TYPE_CHECKING:
    from fastapi import FastAPI

    from serving_layer.reader import Reader

WEB: Final = Path(__file__).parent / "web"


def create_app(reader: Reader) -> FastAPI:
    """Return the app that serves what `reader` reads, with the chart page at `/`."""
    app: FastAPI = FastAPIOffline(
        title="fiblake",
        version=version("fiblake"),
        description="Bars of 1, 3, 5, 8, 13, 21 and 34 trading sessions.",
    )
    app.state.reader = reader
    app.include_router(router)
    answer_with_problems(app)
    app.mount("/web", StaticFiles(directory=WEB), name="web")
    app.add_api_route("/", _page, include_in_schema=False)
    return app


def _page() -> FileResponse:
    return FileResponse(WEB / "index.html")
