"""Where alerts are kept, for whoever evaluates them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from database import Database


@dataclass(frozen=True, slots=True)
class Alerting:
    """Where alerts are kept.

    Attributes:
        database: Of alerts, their states and what is told.
        nudge: Called when there is something to be delivered.
        delivering: Tells how delivering goes.
    """

    database: Database
    nudge: Callable[[], None] = lambda: None
    delivering: Callable[[], dict[str, Any]] = dict
