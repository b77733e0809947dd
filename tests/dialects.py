"""Apps over real servers, for vendors' clients that know nothing of this product but its URL.

`sample_doors`  the sample's daily bars
`minute_doors`  two sessions of minutes of AA, some extended; the second one closes at 13:00
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from fiblake import Lake
from lake.clock import SetClock
from lake.live import LiveBars
from lake.store import LocalStore
from serving_layer.app import create_app
from serving_layer.reader import Reader
from tests.access import serving
from tests.minutes import commit as commit_minutes
from tests.minutes import every_minute

NEW_YORK: Final = ZoneInfo("America/New_York")
NOW: Final = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
DAY, EARLY = dt.date(2024, 11, 27), dt.date(2024, 11, 29)


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


@pytest.fixture(scope="session")
def sample_doors(sample_lake_folder: Path) -> Iterator[Doors]:
    with doors(_app(sample_lake_folder)) as opened:
        yield opened


@pytest.fixture(scope="session")
def minute_doors(tmp_path_factory: pytest.TempPathFactory, blank_lake: Path) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("minutes") / "lake"
    shutil.copytree(blank_lake, folder)
    lake = Lake(folder, clock=SetClock(NOW))
    rows = every_minute("AA", DAY, "09:30", "16:00") + every_minute("AA", EARLY, "09:30", "13:00")
    commit_minutes(lake, *rows, *every_minute("AA", DAY, "08:00", "08:05"))
    lake.resample()
    with doors(_app(folder)) as opened:
        yield opened


def _app(folder: Path) -> FastAPI:
    # No copies of silver: there is no folder for them that lasts as long.
    return create_app(Reader(LocalStore(folder), SetClock(NOW)))


def start_of(bar: dict[str, Any], zone: dt.tzinfo = NEW_YORK) -> dt.datetime:
    """Return the instant at which a bar starts; of one of sessions, midnight in a zone."""
    start = dt.datetime.fromisoformat(bar["start"])
    return start.replace(tzinfo=zone) if start.tzinfo is None else start


def milliseconds(instant: dt.datetime) -> int:
    """Return an instant in whole milliseconds since 1970."""
    return round(instant.timestamp() * 1000)
