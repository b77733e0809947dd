"""One rule, how far it is, and what is seen next: pure, for the live service and the dry-run.

A rule *fires when its condition becomes true*, and again only after it was false: it is armed while
false, and firing disarms it. While it may not fire (cooldown, active hours) it stays armed, and
`until` says from when on a price may fire it; if it is still true at the next thing that it looks
at once it may, it fires at that. A cross is true at its one moment alone: it fires then, or is
lost.

    price above 100, cooldown 60 s, repeating

    time       0s    10s   20s   30s   80s
    price      101   99    102   103   103
    fires       x           -     -     x      true again at 20s, and blocked until 60s

Whatever is decided depends on the times of what is seen, never on the clock, and on nothing that
the rule does not look at: alone or among others, live or told again, it fires at the same moments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from lake.alerts.explaining import explained
from lake.alerts.leaves import (
    ANYTHING,
    CROSSED,
    IS_TRUE,
    REMEMBERED,
    BarLeaf,
    CloseLeaf,
    Fact,
    MoveLeaf,
    PricedLeaf,
)
from lake.alerts.plan import is_crossed, is_lasting
from lake.alerts.seen import Tick

if TYPE_CHECKING:
    from lake.alerts.leaves import Bounds, Leaf
    from lake.alerts.market import Market
    from lake.alerts.plan import Plan
    from lake.alerts.seen import Seen, SeenBar


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rule is.

    Attributes:
        marks: What each of its conditions remembers; bits of `lake.alerts.leaves`.
        facts: By place, what those conditions on bars that hold were true of; None of others.
        is_armed: Whether it fires once it is true.
        until: True, but blocked: when it may fire at a price; None otherwise.
        fired: How often it fired.
        last_fired: When it last did; None where it never did.
        is_done: Whether it fires no more.
        factor: By what its levels are divided, for splits since it began.
    """

    marks: tuple[int, ...]
    facts: tuple[Fact | None, ...] = ()
    is_armed: bool = True
    until: int | None = None
    fired: int = 0
    last_fired: int | None = None
    is_done: bool = False
    factor: float = 1.0

    def told(self) -> str:
        """Return as JSON what `fired`, `last_fired` and `is_done` do not tell."""
        document: dict[str, Any] = {"marks": self.marks}
        if any(self.facts):
            document["facts"] = [list(fact) if fact else None for fact in self.facts]
        if not self.is_armed:
            document["is_armed"] = False
        if self.until is not None:
            document["until"] = self.until
        if self.factor != 1.0:
            document["factor"] = self.factor
        return orjson.dumps(document).decode()


class Outcome(NamedTuple):
    """What came of what was seen.

    Attributes:
        progress: How far the rule is now; the same object where nothing changed.
        text: Why it fired; None where it did not.
    """

    progress: Progress
    text: str | None


def beginning(plan: Plan) -> Progress:
    """Return where a rule begins."""
    return _beginning(len(plan.leaves), has_bars=bool(plan.bars))


@lru_cache(maxsize=64)
def _beginning(count: int, *, has_bars: bool) -> Progress:
    return Progress((0,) * count, (None,) * count if has_bars else ())


def progress_of(
    plan: Plan, told: str, *, fired: int, last_fired: int | None, is_done: bool
) -> Progress:
    """Return how far a rule is by what `Progress.told` returned and the rest of it."""
    document = orjson.loads(told)
    facts = document.get("facts") or beginning(plan).facts
    return Progress(
        marks=tuple(document["marks"]),
        facts=tuple(None if fact is None else Fact(*fact) for fact in facts),
        is_armed=document.get("is_armed", True),
        until=document.get("until"),
        fired=fired,
        last_fired=last_fired,
        is_done=is_done,
        factor=document.get("factor", 1.0),
    )


def rebased(plan: Plan, was: Progress, factor: float) -> Progress:
    """Return how far a rule is on the basis after a split of `factor` new shares for one."""
    facts = tuple(
        fact._replace(value=fact.value / factor, reference=fact.reference / factor)
        if fact and isinstance(leaf, CloseLeaf)
        else fact
        for leaf, fact in zip(plan.leaves, was.facts, strict=False)
    )
    return replace(was, facts=facts, factor=was.factor * factor)


def looks_at(plan: Plan, seen: Seen) -> bool:
    """Return whether a rule looks at what is seen, which is of its symbol."""
    return any(_sees(leaf, seen) for leaf in plan.leaves)


def evaluate(plan: Plan, was: Progress, seen: Seen, market: Market) -> Outcome:
    """Return what comes of the next thing that a rule looks at.

    Args:
        plan: The rule.
        was: How far it was.
        seen: A tick or bar of its symbol that it looks at, and that counts.
        market: Its symbol's, `seen` taken into it.
    """
    if was.is_done:
        return Outcome(was, None)
    if plan.expires is not None and seen.time >= plan.expires:
        return Outcome(replace(was, is_done=True, until=None), None)
    looked = [
        leaf.look(mark, seen, market, was.factor)
        for leaf, mark in zip(plan.leaves, was.marks, strict=True)
    ]
    # It waits for nothing and no mark moved: it is as it was, unless another bar is to be told of.
    if was.until is None and (*looked,) == was.marks and not any(was.facts):
        return Outcome(was, None)
    facts = was.facts if isinstance(seen, Tick) else _facts(plan, was, seen, market, looked)
    lasts, crosses = is_lasting(plan.tree, looked), is_crossed(plan.tree, looked)
    fires, until = _decided(plan, was, seen, lasts=lasts, crosses=crosses)
    now = Progress(
        marks=tuple([mark & REMEMBERED for mark in looked]),
        facts=tuple([fact if looked[at] & IS_TRUE else None for at, fact in enumerate(facts)]),
        is_armed=not lasts or (was.is_armed and not fires),
        until=until,
        fired=was.fired + fires,
        last_fired=seen.time if fires else was.last_fired,
        is_done=fires and not plan.repeat,
        factor=was.factor,
    )
    if fires:
        return Outcome(now, explained(plan, looked, facts, market, was.factor))
    return Outcome(was if now == was else now, None)


def bounds_of(plan: Plan, progress: Progress, market: Market) -> Bounds:
    """Return within which prices, and until when, no tick changes how far a rule is."""
    low, high, until = ANYTHING
    for leaf, mark in zip(plan.leaves, progress.marks, strict=True):
        if isinstance(leaf, PricedLeaf):
            least, most, end = leaf.bounds(mark, market, progress.factor)
            low, high, until = max(low, least), min(high, most), min(until, end)
    for end_or_none in (progress.until, plan.expires):
        if end_or_none is not None:
            until = min(until, end_or_none)
    return low, high, until


def _decided(
    plan: Plan, was: Progress, seen: Seen, *, lasts: bool, crosses: bool
) -> tuple[bool, int | None]:
    """Return whether it fires, and until when it waits."""
    waits = lasts and was.is_armed
    if not waits and not crosses:
        return False, None
    waits_on = waits and was.until is not None and seen.time < was.until
    # That is of prices: a bar may be of hours that were active, though it counts after them.
    if waits_on and not crosses and isinstance(seen, Tick):
        return False, was.until
    if plan.may_fire(seen, was.last_fired):
        return True, None
    if not waits:
        return False, None
    return False, was.until if waits_on else plan.free_from(seen.time, was.last_fired)


def _facts(
    plan: Plan, was: Progress, seen: SeenBar, market: Market, looked: list[int]
) -> tuple[Fact | None, ...]:
    """Return what the conditions on bars that are true now are true of."""

    def fact(place: int, leaf: Leaf) -> Fact | None:
        if not isinstance(leaf, BarLeaf) or not looked[place] & (IS_TRUE | CROSSED):
            return None
        return leaf.fact(seen, market, was.factor) if leaf.sees(seen) else was.facts[place]

    return tuple(fact(place, leaf) for place, leaf in enumerate(plan.leaves))


def _sees(leaf: PricedLeaf | BarLeaf, seen: Seen) -> bool:
    if isinstance(leaf, PricedLeaf):
        return isinstance(seen, Tick) or (
            isinstance(leaf, MoveLeaf)
            and leaf.is_daily
            and seen.interval == "1d"
            and seen.state == "final"
        )
    return leaf.sees(seen)
