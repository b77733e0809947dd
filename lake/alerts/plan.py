"""A rule as it is evaluated: its conditions as leaves, its times as numbers. Slim: there are many.

Units: instants are microseconds since 1970, UTC.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from lake.alerts.leaves import (
    CROSSED,
    IS_TRUE,
    BarLeaf,
    CloseLeaf,
    Leaf,
    MoveLeaf,
    PricedLeaf,
    PriceLeaf,
    VolumeLeaf,
)
from lake.alerts.rule import WEEKDAYS, AllOf, AnyOf, Close, Move, Price
from lake.alerts.seen import Tick
from lake.exchange import ZONE
from lake.instant import from_microseconds, microseconds
from lake.interval import SESSION_INTERVALS, Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lake.alerts.rule import Active, Condition, Relation, Rule
    from lake.alerts.rule import Leaf as RuleLeaf
    from lake.alerts.seen import Seen
    from lake.bar import Hours

_SECOND_US: Final = 1_000_000
_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class Both:
    """Conditions that are combined.

    Attributes:
        is_all: Whether all must be true; else any.
        parts: What is combined.
    """

    is_all: bool
    parts: tuple[Tree, ...]


Tree: TypeAlias = int | Both
"""A leaf's place, or what is combined."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A rule as it is evaluated.

    Attributes:
        symbol: Of what.
        leaves: Its conditions, in order.
        tree: How they combine.
        repeat: Whether it fires more than once.
        cooldown: Microseconds.
        active: When it may fire; None: always.
        expires: From when on it does not; None: never.
        has_prices: Whether it looks at prices.
        has_daily_moves: Whether it measures moves in sessions.
    """

    symbol: str
    leaves: tuple[Leaf, ...]
    tree: Tree
    repeat: bool
    cooldown: int
    active: Active | None
    expires: int | None
    has_prices: bool
    has_daily_moves: bool

    @property
    def windows(self) -> frozenset[int]:
        """The windows of its moves that are of minutes, in those."""
        return frozenset(
            leaf.minutes for leaf in self.leaves if isinstance(leaf, MoveLeaf) and leaf.minutes
        )

    @property
    def bars(self) -> dict[tuple[str, Hours], int]:
        """By interval and hours of the bars that it looks at, how many before one it needs."""
        found: dict[tuple[str, Hours], int] = {}
        for leaf in self.leaves:
            if isinstance(leaf, BarLeaf):
                key = leaf.interval, leaf.hours
                found[key] = max(found.get(key, 0), leaf.count)
            elif isinstance(leaf, MoveLeaf) and leaf.is_daily:
                found["1d", "regular"] = max(found.get(("1d", "regular"), 0), leaf.sessions)
        return found

    def may_fire(self, seen: Seen, last_fired: int | None) -> bool:
        """Return whether it may fire at what is seen, which is of before it expires."""
        if self._cooled(seen.time, last_fired) > seen.time:
            return False
        if self.active is None:
            return True
        judged = _judged(seen)
        return _active(self.active, judged) == judged

    def free_from(self, time: int, last_fired: int | None) -> int:
        """Return from when on it may fire at a price, `time` or later; at most when it expires."""
        found = self._cooled(time, last_fired)
        if self.active:
            found = _active(self.active, found)
        return found if self.expires is None else min(found, self.expires)

    def _cooled(self, time: int, last_fired: int | None) -> int:
        """Return when no cooldown is, at `time` or later.

        One follows a firing: a daily bar of 16:00 that is told in the evening is of before what
        fired at 17:00.
        """
        if last_fired is None or time < last_fired:
            return time
        return max(time, last_fired + self.cooldown)


def plan_of(rule: Rule) -> Plan:
    """Return how a rule is evaluated."""
    leaves: list[Leaf] = []
    tree = _planned(rule.when, leaves)
    return Plan(
        symbol=intern(rule.symbol),
        leaves=tuple(leaves),
        tree=tree,
        repeat=rule.repeat,
        cooldown=_cooldown(rule.cooldown_seconds),
        active=rule.active,
        expires=None if rule.expires is None else microseconds(rule.expires),
        has_prices=any(isinstance(leaf, PricedLeaf) for leaf in leaves),
        has_daily_moves=any(isinstance(leaf, MoveLeaf) and leaf.is_daily for leaf in leaves),
    )


def is_lasting(tree: Tree, marks: Sequence[int]) -> bool:
    """Return whether a condition is true, its crosses left out."""
    if isinstance(tree, int):
        return bool(marks[tree] & IS_TRUE)
    parts = (is_lasting(part, marks) for part in tree.parts)
    return all(parts) if tree.is_all else any(parts)


def is_crossed(tree: Tree, marks: Sequence[int]) -> bool:
    """Return whether a condition is true by a cross, at this moment."""
    if isinstance(tree, int):
        return bool(marks[tree] & CROSSED)
    if not any(is_crossed(part, marks) for part in tree.parts):
        return False
    return not tree.is_all or all(
        is_lasting(part, marks) or is_crossed(part, marks) for part in tree.parts
    )


def those_true(tree: Tree, marks: Sequence[int]) -> list[int]:
    """Return the places of the leaves that make a condition true, in order; none if it is not."""
    if isinstance(tree, int):
        return [tree] if marks[tree] & (IS_TRUE | CROSSED) else []
    parts = [those_true(part, marks) for part in tree.parts]
    if tree.is_all and not all(parts):
        return []
    return [place for part in parts for place in part]


def _planned(condition: Condition, leaves: list[Leaf]) -> Tree:
    if isinstance(condition, AllOf | AnyOf):
        parts = tuple(_planned(part, leaves) for part in condition.of)
        return Both(isinstance(condition, AllOf), parts)
    leaves.append(_leaf(condition))
    return len(leaves) - 1


def _leaf(condition: RuleLeaf) -> Leaf:
    if isinstance(condition, Price):
        give = condition.hysteresis_percent / 100
        return PriceLeaf(_one(condition.relation), condition.level, give)
    if isinstance(condition, Move):
        window = Interval.parse(condition.window)
        return MoveLeaf(
            intern(condition.direction),
            condition.percent,
            intern(condition.window),
            window.minutes,
            window.sessions,
            condition.hysteresis_percent,
        )
    is_forming = condition.state == "forming"
    if isinstance(condition, Close):
        than = condition.than
        return CloseLeaf(
            intern(condition.interval),
            _hours(condition.interval, condition.hours),
            is_forming,
            _one(condition.relation),
            than.level,
            than.average or 0,
            than.range or 0,
            condition.hysteresis_percent / 100,
        )
    hours = _hours(condition.interval, condition.hours)
    return VolumeLeaf(
        intern(condition.interval), hours, is_forming, condition.times, condition.average
    )


def _hours(interval: str, hours: Hours) -> Hours:
    """Return the hours that bars of an interval have: those of sessions are of whole days."""
    is_extended = hours == "extended" and Interval.parse(interval).is_intraday
    return "extended" if is_extended else "regular"


def _one(relation: Relation) -> Relation:
    """Return the same text for the same relation: rules are many, and relations few."""
    return cast("Relation", intern(relation))


@lru_cache(maxsize=1024)
def _cooldown(seconds: int) -> int:
    return seconds * _SECOND_US


def _judged(seen: Seen) -> int:
    """Return the instant that has to be active, for a rule to fire at what is seen.

    Of a complete bar of minutes or hours, when it began: the last one of a day counts after its
    end. Of one of sessions, the last instant before the close, at which it counts.
    """
    if isinstance(seen, Tick) or seen.state == "forming":
        return seen.time
    return seen.time - 1 if seen.interval in _OF_SESSIONS else seen.start


_OF_SESSIONS: Final = frozenset(map(str, SESSION_INTERVALS))


def _active(active: Active, time: int) -> int:
    """Return the first time, at `time` or later, that is active."""
    local = from_microseconds(time).astimezone(ZONE)
    for ahead in range(_WEEK + 1):
        day = local.date() + dt.timedelta(days=ahead)
        if WEEKDAY_NAMES[day.weekday()] not in active.days:
            continue
        begin, end = _span(active, day)
        if time < end:
            return max(time, begin)
    message = f"{active} is never active"  # no rule says so: days is not empty
    raise AssertionError(message)


WEEKDAY_NAMES: Final = (*WEEKDAYS, "sat", "sun")


@lru_cache(maxsize=4096)
def _span(active: Active, day: dt.date) -> tuple[int, int]:
    """Return from when to when it is active on a day, by the exchange's clock."""
    begin = dt.datetime.combine(day, active.start, ZONE)
    end = dt.datetime.combine(day, active.end, ZONE)
    return microseconds(begin), microseconds(end)
