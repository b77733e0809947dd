"""The conditions of a rule, each as a latch: what it remembers, and what moves it.

A leaf's mark is a few bits. `look` moves it by what is seen; `bounds` tells within which prices,
and until when, no tick would: so an index may leave the leaf alone as long as they hold.

    level 100, hysteresis 2 %, relation above

    price      99   101   99   98.5   98   99   100.5
    holds       -    x     x    x      -    -    x

Units: prices are USD a share, instants microseconds since 1970, UTC; `give` is a fraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nextafter
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from lake.alerts.seen import SeenBar

if TYPE_CHECKING:
    from lake.alerts.market import Market
    from lake.alerts.rule import Relation
    from lake.alerts.seen import Seen
    from lake.bar import Hours

HOLDS: Final = 1
"""Above, below, up by so much, or times the average."""
HOLDS_DOWN: Final = 2
"""Down by so much."""
_ABOVE: Final = 4
_BELOW: Final = 8
_UP_SPENT: Final = 16
"""It crossed up, and has not gone back far enough to do so again."""
_DOWN_SPENT: Final = 32
CROSSED_UP: Final = 64
"""Of what is seen now; not remembered."""
CROSSED_DOWN: Final = 128
IS_TRUE: Final = HOLDS | HOLDS_DOWN
CROSSED: Final = CROSSED_UP | CROSSED_DOWN
REMEMBERED: Final = CROSSED_UP - 1

Bounds: TypeAlias = tuple[float, float, float]
"""From and to which price, both inclusive, and until when, exclusive, nothing changes."""
ANYTHING: Final[Bounds] = (-inf, inf, inf)


class Fact(NamedTuple):
    """What a condition on bars was true of.

    Attributes:
        value: The close; or how many times the average the volume was.
        reference: What it was compared with.
        is_final: Whether the bar was complete.
    """

    value: float
    reference: float
    is_final: bool


def beyond(mark: int, value: float, level: float, relation: Relation, give: float) -> int:
    """Return the mark of a value that is above, below or crossing a level."""
    back = level * give
    if relation == "above":
        return int(value > level or (mark & HOLDS and value > level - back))
    if relation == "below":
        return int(value < level or (mark & HOLDS and value < level + back))
    if value <= level - back:
        mark &= ~_UP_SPENT
    if value >= level + back:
        mark &= ~_DOWN_SPENT
    if value == level:
        return mark
    side, other = (_ABOVE, _BELOW) if value > level else (_BELOW, _ABOVE)
    came = mark & other
    mark = (mark & ~other) | side
    if came and side == _ABOVE and relation != "crosses_down" and not mark & _UP_SPENT:
        return mark | _UP_SPENT | CROSSED_UP
    if came and side == _BELOW and relation != "crosses_up" and not mark & _DOWN_SPENT:
        return mark | _DOWN_SPENT | CROSSED_DOWN
    return mark


def beyond_bounds(mark: int, level: float, relation: Relation, give: float) -> Bounds:
    """Return the values that leave such a mark as it is."""
    lowest, highest = nextafter(level - level * give, inf), nextafter(level + level * give, -inf)
    if relation == "above":
        return (lowest, inf, inf) if mark & HOLDS else (-inf, level, inf)
    if relation == "below":
        return (-inf, highest, inf) if mark & HOLDS else (level, inf, inf)
    low = -inf if mark & _BELOW else level
    high = inf if mark & _ABOVE else level
    if mark & _UP_SPENT:
        low = max(low, lowest)
    if mark & _DOWN_SPENT:
        high = min(high, highest)
    return low, high, inf


@dataclass(frozen=True, slots=True)
class PriceLeaf:
    """The last price beyond a level; fields as of `lake.alerts.rule.Price`."""

    relation: Relation
    level: float
    give: float

    def look(self, mark: int, seen: Seen, market: Market, factor: float) -> int:
        """Return the mark after what is seen; `factor` is of the splits since the rule began."""
        if isinstance(seen, SeenBar) or market.price is None:
            return mark
        return beyond(mark, market.price, self.level / factor, self.relation, self.give)

    def bounds(self, mark: int, market: Market, factor: float) -> Bounds:  # noqa: ARG002 - as others
        """Return the prices that leave the mark as it is."""
        return beyond_bounds(mark, self.level / factor, self.relation, self.give)


@dataclass(frozen=True, slots=True)
class MoveLeaf:
    """A move of the price over a window of minutes, or of sessions.

    Attributes:
        direction: `up`, `down` or `either`.
        percent: By how much.
        window: As the rule says it.
        minutes: Of the window; 0: it is one of sessions.
        sessions: Likewise.
        give: Points.
    """

    direction: str
    percent: float
    window: str
    minutes: int
    sessions: int
    give: float

    @property
    def is_daily(self) -> bool:
        """Whether it is measured in sessions, and so looks at daily bars too."""
        return self.sessions > 0

    def since(self, market: Market) -> float | None:
        """Return the price that the move is measured from; None where it is not known."""
        if self.minutes:
            return market.windows[self.minutes].before()
        daily = market.bars["1d", "regular"].bars
        return daily[-self.sessions].close if len(daily) >= self.sessions else None

    def look(self, mark: int, seen: Seen, market: Market, factor: float) -> int:  # noqa: ARG002 - as others
        """Return the mark after what is seen: a tick, or a daily bar if it is measured in those."""
        if isinstance(seen, SeenBar) and (
            not self.is_daily or seen.interval != "1d" or seen.state == "forming"
        ):
            return mark
        since, price = self.since(market), market.price
        if since is None or price is None:
            return 0
        up, up_back, down, down_back = self._edges(since)
        found = 0
        if price >= up or (mark & HOLDS and price > up_back):
            found |= HOLDS
        if price <= down or (mark & HOLDS_DOWN and price < down_back):
            found |= HOLDS_DOWN
        return found

    def bounds(self, mark: int, market: Market, factor: float) -> Bounds:  # noqa: ARG002 - as others
        """Return the prices that leave the mark as it is, until what they are held to changes."""
        until = market.windows[self.minutes].until() if self.minutes else inf
        since = self.since(market)
        if since is None:
            return -inf, inf, until
        up, up_back, down, down_back = self._edges(since)
        low, high = -inf, inf
        if mark & HOLDS:
            low = min(up, nextafter(up_back, inf))
        else:
            high = nextafter(up, -inf)
        if mark & HOLDS_DOWN:
            high = min(high, max(down, nextafter(down_back, -inf)))
        else:
            low = max(low, nextafter(down, inf))
        return low, high, until

    def _edges(self, since: float) -> tuple[float, float, float, float]:
        """Return where it is up so far, where no longer, and the same of down."""
        far, near = self.percent / 100, (self.percent - self.give) / 100
        up = (since * (1 + far), since * (1 + near)) if self.direction != "down" else (inf, inf)
        down = (since * (1 - far), since * (1 - near)) if self.direction != "up" else (-inf, -inf)
        return *up, *down


@dataclass(frozen=True, slots=True)
class CloseLeaf:
    """A bar that closes beyond something; fields as of `lake.alerts.rule.Close` and its `Than`."""

    interval: str
    hours: Hours
    is_forming: bool
    relation: Relation
    level: float | None
    average: int
    range: int
    give: float

    @property
    def count(self) -> int:
        """How many bars before one it looks at."""
        return max(self.average, self.range) + (self.relation.startswith("crosses"))

    def sees(self, seen: Seen) -> bool:
        """Whether it looks at this."""
        return isinstance(seen, SeenBar) and _is_of(self, seen)

    def look(self, mark: int, seen: Seen, market: Market, factor: float) -> int:
        """Return the mark after what is seen."""
        if not isinstance(seen, SeenBar) or not _is_of(self, seen):
            return mark
        reference = self.reference(seen.start, market, factor)
        if reference is None:
            return mark & ~IS_TRUE
        if self.relation.startswith("crosses") and not mark & (_ABOVE | _BELOW):
            mark = self._came(mark, seen, market, factor)
        return beyond(mark, seen.close, reference, self.relation, self.give)

    def reference(self, start: int, market: Market, factor: float) -> float | None:
        """Return what the close of the bar that begins at `start` is compared with, if known."""
        if self.level is not None:
            return self.level / factor
        before = market.bars[self.interval, self.hours].before(start, self.average or self.range)
        if before is None:
            return None
        if self.average:
            return sum([bar.close for bar in before]) / self.average
        if self.relation == "above":
            return max([bar.high for bar in before])
        return min([bar.low for bar in before])

    def fact(self, seen: SeenBar, market: Market, factor: float) -> Fact | None:
        """Return what the bar is and what it is compared with."""
        reference = self.reference(seen.start, market, factor)
        return None if reference is None else Fact(seen.close, reference, seen.state == "final")

    def _came(self, mark: int, seen: SeenBar, market: Market, factor: float) -> int:
        """Return the mark that the bar before would have left."""
        bars = market.bars[self.interval, self.hours].before(seen.start, 1)
        reference = self.reference(bars[0].start, market, factor) if bars else None
        if not bars or reference is None:
            return mark
        return beyond(mark, bars[0].close, reference, self.relation, self.give) & REMEMBERED


@dataclass(frozen=True, slots=True)
class VolumeLeaf:
    """A bar of much volume; fields as of `lake.alerts.rule.Volume`."""

    interval: str
    hours: Hours
    is_forming: bool
    times: float
    average: int

    @property
    def count(self) -> int:
        """How many bars before one it looks at."""
        return self.average

    def sees(self, seen: Seen) -> bool:
        """Whether it looks at this."""
        return isinstance(seen, SeenBar) and _is_of(self, seen)

    def look(self, mark: int, seen: Seen, market: Market, factor: float) -> int:
        """Return the mark after what is seen."""
        if not isinstance(seen, SeenBar) or not _is_of(self, seen):
            return mark
        fact = self.fact(seen, market, factor)
        return int(fact is not None and fact.value >= self.times)

    def fact(self, seen: SeenBar, market: Market, factor: float) -> Fact | None:  # noqa: ARG002 - as others
        """Return how many times the average the volume is, and that average."""
        before = market.bars[self.interval, self.hours].before(seen.start, self.average)
        mean = sum([bar.volume for bar in before]) / self.average if before else 0.0
        return Fact(seen.volume / mean, mean, seen.state == "final") if mean else None


PricedLeaf: TypeAlias = PriceLeaf | MoveLeaf
BarLeaf: TypeAlias = CloseLeaf | VolumeLeaf
Leaf: TypeAlias = PricedLeaf | BarLeaf


def _is_of(leaf: BarLeaf, bar: SeenBar) -> bool:
    return (
        bar.interval == leaf.interval
        and bar.hours == leaf.hours
        and (leaf.is_forming or bar.state == "final")
    )
