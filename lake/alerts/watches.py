"""The rules of one symbol by what would change them: a price beyond a bound, or a time.

Three heaps hold the bounds below, the bounds above and the alarms, so that a tick meets only what
it passes. A bound that was moved since is left where it is, and passed over when it comes up.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lake.alerts.evaluate import Progress
    from lake.alerts.plan import Plan

AT_ONCE: Final = -1.0
"""An alarm that any tick sets off."""
_SLACK: Final = 8


class Watch:
    """A rule that is evaluated.

    Attributes:
        alert: Whose.
        revision: Of the rule.
        plan: The rule.
        progress: How far it is.
        low: The lowest price that changes nothing; -inf: any.
        high: The highest; inf: any.
        alarm: From when on the next tick may change something whatever its price; inf: never.
    """

    __slots__ = ("alarm", "alert", "high", "low", "plan", "progress", "revision")

    def __init__(self, alert: str, revision: int, plan: Plan, progress: Progress) -> None:
        self.alert = alert
        self.revision = revision
        self.plan = plan
        self.progress = progress
        self.low = -inf
        self.high = inf
        self.alarm: float = inf

    def __lt__(self, other: Watch) -> bool:
        """Order by alert: that is the order in which rules fire at one moment."""
        return self.alert < other.alert


class Watches:
    """The rules of one symbol that look at its prices."""

    __slots__ = ("_alarms", "_ceiling", "_floor", "_highs", "_lows", "_next", "count")

    def __init__(self) -> None:
        self.count = 0
        # What the heaps begin with, at hand: most ticks are told by these three to pass nothing.
        self._floor, self._ceiling, self._next = -inf, inf, inf
        self._lows: list[tuple[float, Watch]] = []
        self._highs: list[tuple[float, Watch]] = []
        self._alarms: list[tuple[float, Watch]] = []

    def add(self, watch: Watch) -> None:
        """Watch a rule, from the next tick on."""
        self.count += 1
        self.bind(watch, watch.low, watch.high, AT_ONCE)

    def remove(self, watch: Watch) -> None:
        """Watch a rule no more."""
        self.count -= 1
        watch.low, watch.high, watch.alarm = -inf, inf, inf
        self._tidy()

    def bind(self, watch: Watch, low: float, high: float, alarm: float) -> None:
        """Set what changes a rule."""
        if low != watch.low:
            watch.low = low
            if low != -inf:
                heappush(self._lows, (-low, watch))
        if high != watch.high:
            watch.high = high
            if high != inf:
                heappush(self._highs, (high, watch))
        if alarm != watch.alarm:
            watch.alarm = alarm
            if alarm != inf:
                heappush(self._alarms, (alarm, watch))
        self._tidy()

    def passed(self, time: int, price: float) -> list[Watch]:
        """Return the rules that a tick may change, in order, their bounds taken off."""
        if self._floor <= price <= self._ceiling and time < self._next:
            return []
        lows, highs, alarms = self._lows, self._highs, self._alarms
        found: set[Watch] = set()
        while lows and lows[0][0] < -price:
            bound, watch = heappop(lows)
            if watch.low == -bound:
                watch.low = -inf
                found.add(watch)
        while highs and highs[0][0] < price:
            bound, watch = heappop(highs)
            if watch.high == bound:
                watch.high = inf
                found.add(watch)
        while alarms and alarms[0][0] <= time:
            bound, watch = heappop(alarms)
            if watch.alarm == bound:
                watch.alarm = inf
                found.add(watch)
        self._tidy()
        return sorted(found) if len(found) > 1 else list(found)

    def _tidy(self) -> None:
        """Drop what was moved since, where that is more than what holds; note what is first."""
        if len(self._lows) > 2 * self.count + _SLACK:
            self._lows = [(bound, watch) for bound, watch in self._lows if watch.low == -bound]
            heapify(self._lows)
        if len(self._highs) > 2 * self.count + _SLACK:
            self._highs = [(bound, watch) for bound, watch in self._highs if watch.high == bound]
            heapify(self._highs)
        if len(self._alarms) > 2 * self.count + _SLACK:
            self._alarms = [(bound, watch) for bound, watch in self._alarms if watch.alarm == bound]
            heapify(self._alarms)
        self._floor = -self._lows[0][0] if self._lows else -inf
        self._ceiling = self._highs[0][0] if self._highs else inf
        self._next = self._alarms[0][0] if self._alarms else inf
