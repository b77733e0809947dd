"""Apps over real servers, for vendors' clients that know nothing of this product but its URL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx
from fastapi import FastAPI

from fiblake import Lake
from lake.live import LiveBars
from serving_layer.app import create_app
from tests.access import serving

NEW_YORK: Final = ZoneInfo("America/New_York")


class Doors:
    """A server, and what it answers at its own door, `/v1/bars`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=30)

    def get(self, path: str, **asked: Any) -> httpx.Response:
        """Return the answer to a GET."""
        return self._http.get(path, **asked)

    def bars(self, symbol: str, interval: str, **asked: Any) -> list[dict[str, Any]]:
        """Return the bars of a symbol as `/v1/bars` has them."""
        given = {"interval": interval, "limit": 50_000, **asked}
        bars: list[dict[str, Any]] = self.get(f"/v1/bars/{symbol}", params=given).json()["bars"]
        return bars

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()


@contextmanager
def doors(app: FastAPI) -> Iterator[Doors]:
    """Serve an app."""
    with serving(app) as at:
        opened = Doors(f"http://{at}")
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def doors_of(lake: Lake, view: LiveBars | None = None, **more: Any) -> Iterator[Doors]:
    """Serve a lake, and a view beside it."""
    with doors(create_app(lake.reader, view, **more)) as opened:
        yield opened


def start_of(bar: dict[str, Any], zone: dt.tzinfo = NEW_YORK) -> dt.datetime:
    """Return the instant at which a bar starts; of one of sessions, midnight in a zone."""
    start = dt.datetime.fromisoformat(bar["start"])
    return start.replace(tzinfo=zone) if start.tzinfo is None else start


def milliseconds(instant: dt.datetime) -> int:
    """Return an instant in whole milliseconds since 1970."""
    return round(instant.timestamp() * 1000)
