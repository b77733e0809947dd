"""What was evaluated and is not kept yet: bounded by alerts, symbols and firings, however long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from database.alert_flow import Progress, StateRow
from database.notifications import NotificationRow

Told = tuple[NotificationRow, Sequence[str]]
"""A notification, and to which destinations it goes."""


@dataclass(slots=True)
class Pending:
    """Changes, of which the latest of each alert and of each key count; and firings, all of them.

    Attributes:
        position: How far the flow was evaluated; None: as far as was kept last.
        states: By alert.
        market: By key.
        firings: In order.
        gone: Alerts that are deleted.
    """

    position: str | None = None
    states: dict[str, StateRow] = field(default_factory=dict)
    market: dict[str, str | None] = field(default_factory=dict)
    firings: list[Told] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(
            self.states or self.market or self.firings or self.gone or self.position is not None
        )

    def add(self, later: Pending) -> None:
        """Take in what came later."""
        if later.position is not None:
            self.position = later.position
        for alert in later.gone:
            self.states.pop(alert, None)
        self.gone -= later.states.keys()
        self.gone |= later.gone
        self.states.update(later.states)
        self.market.update(later.market)
        self.firings += later.firings

    def progress(self, position: str) -> Progress:
        """Return what is to be kept.

        Args:
            position: That was kept last.
        """
        now = position if self.position is None else self.position
        states, gone = list(self.states.values()), list(self.gone)
        return Progress(now, states, self.market, self.firings, gone)
