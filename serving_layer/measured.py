"""What an app tells of itself to whoever watches it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from lake import metrics
from lake.boundary_age import boundary_ages
from lake.errors import EmptyLakeError, StoreError
from lake.measuring import Measured, each_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from lake.settings import Settings
    from serving_layer.auth import Access
    from serving_layer.dialects.telling import Telling
    from serving_layer.reader import Reader
    from serving_layer.stream.routes import Streams
    from serving_layer.view_chain import ViewChain

_FRESH_S: Final = 15.0


class AppMeasured:
    """What is measured of an app, beside its requests.

    Args:
        app: Whose state has its parts.
        reader: Of the lake.
        settings: Tell when a session is settled.
    """

    def __init__(self, app: FastAPI, reader: Reader, settings: Settings) -> None:
        self._app = app
        self._reader = reader
        self._settings = settings
        self._asked_at = float("-inf")
        self._ages: list[Measured] = []
        self._is_lake_away = False

    def __call__(self) -> Iterator[Measured]:
        """Yield it; from any thread, and one at a time asks the lake."""
        state = self._app.state
        access: Access | None = state.access
        view: ViewChain | None = state.live
        streams: Streams = state.streams
        telling: Telling = state.telling
        told = streams.hub.board.told if streams.hub else 0
        yield Measured(metrics.TOLD, told + telling.told)
        yield from _looked_up("silver", *self._reader.lookups)
        keys = access.lookups if access else (0, 0)
        yield from _looked_up("keys", *keys)
        yield from self._boundary()
        away = {
            "lake": self._is_lake_away,
            "view": view is not None and view.is_away,
            "database": access is not None and access.is_away,
        }
        yield from each_of(metrics.AWAY, away)

    def _boundary(self) -> list[Measured]:
        """Return how far batch is behind, as the lake said within some seconds."""
        now = time.monotonic()
        if now - self._asked_at >= _FRESH_S:
            self._asked_at = now
            reader = self._reader
            try:
                table = reader.sessions()
                self._ages = [*boundary_ages(reader.store, self._settings, reader.clock, table)]
                self._is_lake_away = False
            except EmptyLakeError:
                self._ages, self._is_lake_away = [], False
            except StoreError:
                self._is_lake_away = True
        return self._ages


def _looked_up(cache: str, hits: int, misses: int) -> Iterator[Measured]:
    yield Measured(metrics.CACHE, hits, (cache, "hit"))
    yield Measured(metrics.CACHE, misses, (cache, "miss"))
