"""Why a rule fired, in a sentence of what was true: `AAPL 13d closed 182.10 above 180.00`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lake.alerts.leaves import (
    CROSSED,
    CROSSED_UP,
    CloseLeaf,
    Fact,
    MoveLeaf,
    PriceLeaf,
    VolumeLeaf,
)
from lake.alerts.plan import those_true

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lake.alerts.leaves import Leaf
    from lake.alerts.market import Market
    from lake.alerts.plan import Plan

_CENTS: Final = 2
_DOLLAR: Final = 1.0


def explained(
    plan: Plan, marks: Sequence[int], facts: Sequence[Fact | None], market: Market, factor: float
) -> str:
    """Return why a rule fired: each condition that makes it true, in order.

    Args:
        plan: The rule.
        marks: Of its conditions, with the crosses of this moment.
        facts: Of those on bars that are true.
        market: Its symbol's.
        factor: By what its levels are divided.
    """
    return "; ".join(
        _told(plan.leaves[place], marks[place], facts[place] if facts else None, market, factor)
        for place in those_true(plan.tree, marks)
    )


def price_text(price: float) -> str:
    """Return a price with two decimals, or as many as it has: up to four, below 1 up to six."""
    whole, _, decimals = f"{price:.{4 if price >= _DOLLAR else 6}f}".partition(".")
    return f"{whole}.{decimals[:_CENTS]}{decimals[_CENTS:].rstrip('0')}"


def _told(leaf: Leaf, mark: int, fact: Fact | None, market: Market, factor: float) -> str:
    if isinstance(leaf, PriceLeaf):
        return f"{market.symbol} {_price(leaf, mark, market.price or 0.0, leaf.level / factor)}"
    if isinstance(leaf, MoveLeaf):
        return f"{market.symbol} {_move(leaf, market)}"
    if fact is None:  # what is true on bars has its fact
        message = f"{leaf} is true of no bar"
        raise AssertionError(message)
    if isinstance(leaf, VolumeLeaf):
        times = f"{fact.value:.2f} times its {leaf.average}-bar average"
        return f"{market.symbol} {leaf.interval} volume {times}"
    return f"{market.symbol} {leaf.interval} {_close(leaf, mark, fact)}"


def _price(leaf: PriceLeaf, mark: int, price: float, level: float) -> str:
    if mark & CROSSED:
        return f"crossed {_way(mark)} {price_text(level)} at {price_text(price)}"
    return f"{price_text(price)} {_beyond(leaf, price, level)}"


def _move(leaf: MoveLeaf, market: Market) -> str:
    since, price = leaf.since(market) or 0.0, market.price or 0.0
    percent = (price / since - 1) * 100
    return f"moved {percent:+.2f}% in {leaf.window}, {price_text(since)} to {price_text(price)}"


def _close(leaf: CloseLeaf, mark: int, fact: Fact) -> str:
    close, reference = price_text(fact.value), price_text(fact.reference)
    verb = "closed" if fact.is_final else "stands at"
    if mark & CROSSED:
        text = f"crossed {_way(mark)} {reference}, {verb} {close}"
    else:
        text = f"{verb} {close} {_beyond(leaf, fact.value, fact.reference)}"
    if leaf.average:
        return f"{text}, prior {leaf.average}-bar average {reference}"
    if leaf.range:
        side = "high" if leaf.relation == "above" else "low"
        return f"{text}, prior {leaf.range}-bar {side} {reference}"
    return text


def _beyond(leaf: PriceLeaf | CloseLeaf, value: float, level: float) -> str:
    """Tell how a value lies to a level, which within its hysteresis it need not be beyond."""
    is_above = leaf.relation == "above"
    if value > level if is_above else value < level:
        return f"{leaf.relation} {price_text(level)}"
    edge = level * (1 - leaf.give) if is_above else level * (1 + leaf.give)
    word = "less" if is_above else "plus"
    return f"{leaf.relation} {price_text(edge)} ({price_text(level)} {word} {leaf.give * 100:g}%)"


def _way(mark: int) -> str:
    return "up" if mark & CROSSED_UP else "down"
