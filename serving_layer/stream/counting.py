"""Connections of this process, told to the registry: that they came, live on, and went."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from serving_layer.stream.registry import TOUCH_S, Registered

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from serving_layer.stream.connection import Counted
    from serving_layer.stream.registry import Connections

_log = structlog.get_logger(__name__)


class Counter:
    """Counts the connections of one event loop.

    Args:
        registry: Where.
        now: Tells the present, in UTC.
        touch_s: How often the registry is told that they live.
    """

    def __init__(
        self,
        registry: Connections,
        now: Callable[[], dt.datetime],
        *,
        touch_s: float = TOUCH_S,
    ) -> None:
        self._registry = registry
        self._now = now
        self._touch_s = touch_s
        self._open: dict[str, Counted] = {}
        self._task: asyncio.Task[None] | None = None

    async def opened(self, connection: Counted) -> None:
        """Count a connection, of which it is known whose it is.

        Raises:
            TooManyConnectionsError: If it is one too many.
        """
        principal = connection.principal
        assert principal is not None  # noqa: S101 - as promised; tells mypy so
        self._open[connection.id] = connection
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._touch())
        await self._registry.open(
            Registered(
                id=connection.id,
                key=principal.key,
                owner=principal.owner,
                address=connection.address,
                opened=self._now(),
                process=self._registry.process,
            )
        )

    async def closed(self, connection: Counted) -> None:
        """Count it no more."""
        if self._open.pop(connection.id, None) is not None:
            await self._registry.close(connection.id)

    async def _touch(self) -> None:
        """Tell the registry what there is, while there is anything."""
        try:
            while self._open:
                await asyncio.sleep(self._touch_s)
                counts = {name: each.channels for name, each in self._open.items()}
                await self._registry.touch(counts)
        except Exception:  # noqa: BLE001 - else all would count no more, unawares
            _log.exception("connections are not told any more")
        finally:
            # The next one that comes begins anew.
            self._task = None
