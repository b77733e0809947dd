"""Destinations whose last attempt failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from database.outbox import Route

_MOST: Final = 10_000


class Ailing:
    """Routes whose last attempt failed: the latest of them, since many are never told again.

    Args:
        most: How many are kept; those that failed the longest ago are forgotten.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._routes: dict[Route, None] = {}

    def __contains__(self, route: Route) -> bool:
        return route in self._routes

    def __len__(self) -> int:
        return len(self._routes)

    def add(self, route: Route) -> None:
        """Keep that an attempt failed."""
        self.discard(route)
        self._routes[route] = None
        if len(self._routes) > self._most:
            del self._routes[next(iter(self._routes))]

    def discard(self, route: Route) -> None:
        """Keep that an attempt did not fail."""
        self._routes.pop(route, None)
