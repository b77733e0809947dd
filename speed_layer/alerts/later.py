"""Alerts that are adopted, and evaluated once the flow is past the instant at which they were.

What comes at that very instant, before an alert was adopted or after it, is not told to it: told
again, which of it came before could not be said.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lake.alerts.book import RuleState
from lake.alerts.evaluate import beginning
from lake.alerts.plan import plan_of
from lake.alerts.rule import Price, leaves
from speed_layer.alerts.sessions import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lake.alerts.book import BarsKey
    from lake.alerts.rule import Rule
    from speed_layer.alerts.watched import Watched


@dataclass(order=True, frozen=True, slots=True)
class _Adopted:
    at: int
    alert: str
    symbol: str = field(compare=False)
    keys: tuple[BarsKey, ...] = field(compare=False)
    state: RuleState | None = field(compare=False)


class Later:
    """Alerts in the order of the instants, of the flow, at which they were adopted."""

    def __init__(self) -> None:
        self._heap: list[_Adopted] = []
        self._waiting: dict[str, _Adopted] = {}

    @property
    def first(self) -> int:
        """The instant of the first of them; never, where there is none."""
        while self._heap and self._waiting.get(self._heap[0].alert) is not self._heap[0]:
            heapq.heappop(self._heap)
        return self._heap[0].at if self._heap else NEVER

    @property
    def symbols(self) -> frozenset[str]:
        """What they are of."""
        return frozenset(each.symbol for each in self._waiting.values())

    @property
    def keys(self) -> frozenset[BarsKey]:
        """The bars that they look at."""
        return frozenset(key for each in self._waiting.values() for key in each.keys)

    def put(self, alert: str, rule: Rule, at: int, state: RuleState | None) -> None:
        """Add an alert.

        Args:
            alert: Its id.
            rule: When it fires.
            at: When it was adopted.
            state: How far it is; None: it begins.
        """
        keys = () if state is not None and state.is_done else _keys_of(rule)
        adopted = self._waiting[alert] = _Adopted(at, alert, rule.symbol, keys, state)
        heapq.heappush(self._heap, adopted)

    def remove(self, alert: str) -> bool:
        """Remove an alert; return whether it was here."""
        return self._waiting.pop(alert, None) is not None

    def until(self, instant: int) -> Iterator[tuple[str, RuleState | None]]:
        """Remove and yield those that were adopted by an instant, and how far each is."""
        while self.first <= instant and self._heap:
            adopted = heapq.heappop(self._heap)
            del self._waiting[adopted.alert]
            yield adopted.alert, adopted.state


def first_state(watched: Watched) -> RuleState:
    """Return how far an alert is that begins."""
    state = beginning(plan_of(watched.rule)).told()
    return RuleState(watched.revision, state, 0, None, is_done=False)


def _keys_of(rule: Rule) -> tuple[BarsKey, ...]:
    # Most are of prices alone, and to plan a rule takes a while.
    if all(isinstance(leaf, Price) for leaf in leaves(rule.when)):
        return ()
    return tuple((rule.symbol, *pair) for pair in plan_of(rule).bars)
