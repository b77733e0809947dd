"""What an evaluation of alerts is put together from, and how it goes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from lake import metrics
from lake.measuring import Measured
from speed_layer.alerts.keeper import KeeperHealth

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterator
    from threading import Event

    from lake.alerts.book import BarsKey
    from lake.alerts.history import History
    from lake.clock import Clock
    from lake.session import SessionTable
    from lake.trace import Traces
    from speed_layer.alerts.keeper import Keeper
    from speed_layer.alerts.session_flow import SessionFlow


class Flow(Protocol):
    """What tells what is seen, as `EventFlow` and `ToldFlow` do."""

    @property
    def clock(self) -> int:
        """The flow's time."""
        ...

    def lacking(self, session: dt.date) -> Collection[str]:
        """Return the symbols whose bar of a session it cannot tell."""
        ...

    def follow(self, symbols: Collection[str]) -> None:
        """Tell of these symbols."""
        ...

    def want(self, keys: Collection[BarsKey] | None, forming: Collection[BarsKey] | None) -> None:
        """Tell of these bars."""
        ...

    def changed(self) -> dict[str, str | None]:
        """Return the rows that changed since the last call."""
        ...


@dataclass(slots=True)
class Health:
    """How the evaluation goes.

    Attributes:
        rules: How many alerts are evaluated.
        evaluated: How many prices and bars were seen.
        fired: How often an alert fired.
        unoffered: How many firings the keeper was not given yet.
        lake: What the lake said when it failed last; empty: it answers.
        sessions: Likewise, when it was asked for bars of sessions.
    """

    rules: int = 0
    evaluated: int = 0
    fired: int = 0
    unoffered: int = 0
    lake: str = ""
    sessions: str = ""
    _behind_s: float = 0.0
    _reached_at: float | None = field(default_factory=time.monotonic)

    def reached(self, behind_s: float) -> None:
        """Note how old what was evaluated last is now."""
        self._behind_s, self._reached_at = behind_s, time.monotonic()

    def ended(self) -> None:
        """Note that there is nothing left to evaluate."""
        self._behind_s, self._reached_at = 0.0, None

    @property
    def behind_s(self) -> float:
        """How far behind the flow it is, in seconds: it grows while nothing is evaluated."""
        if (at := self._reached_at) is None:
            return 0.0
        return self._behind_s + time.monotonic() - at


@dataclass(frozen=True, slots=True)
class Parts:
    """What an evaluation is put together from.

    Attributes:
        flow: Tells what is seen.
        sessions: And bars of sessions.
        history: What was before.
        table: The sessions.
        keeper: Keeps what is evaluated.
        clock: Tells the present.
        stop: Set when all is to end.
        health: Told how it goes.
        traces: Follows what fires.
    """

    flow: Flow
    sessions: SessionFlow
    history: History
    table: SessionTable
    keeper: Keeper
    clock: Clock
    stop: Event
    health: Health
    traces: Traces


def document(health: Health, keeper: Keeper | None) -> dict[str, Any]:
    """Return how evaluation and keeping go, as JSON has it; from any thread."""
    keeping = keeper.health if keeper else KeeperHealth()
    return {
        "rules": health.rules,
        "refused": keeping.refused,
        "evaluated": health.evaluated,
        "fired": health.fired,
        "uncommitted": keeping.uncommitted + health.unoffered,
        "behind_s": round(health.behind_s, 3),
        "away": {part: said for part, said in away(health, keeper).items() if said},
    }


def away(health: Health, keeper: Keeper | None) -> dict[str, str]:
    """Return what each part that evaluation needs said when it failed; empty: it answers."""
    said = keeper.health.away if keeper else ""
    return {"database": said, "lake": health.lake or health.sessions}


def measured(health: Health) -> Iterator[Measured]:
    """Yield what is measured of an evaluation; from any thread."""
    yield Measured(metrics.ALERTS_RULES, health.rules)
    yield Measured(metrics.ALERTS_FIRED, health.fired)
    yield Measured(metrics.ALERTS_LAG, health.behind_s)
