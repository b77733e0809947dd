"""Conditions of rules in words, as lists show them."""

from __future__ import annotations

from lake.alerts.rule import AllOf, AnyOf, Close, Condition, Move, Price, Volume


def in_words(condition: Condition) -> str:
    """Return a condition in words, as `13d closes above the high of 13 bars`."""
    match condition:
        case Price():
            return f"price {_related(condition.relation)} {condition.level:.12g}"
        case Move():
            way = "" if condition.direction == "either" else f" {condition.direction}"
            return f"moves{way} {condition.percent:.12g}% in {condition.window}"
        case Close():
            is_cross = condition.relation.startswith("crosses")
            verb = f"{'close' if is_cross else 'closes'} {_related(condition.relation)}"
            return f"{_bar(condition)} {verb} {_than(condition)}"
        case Volume():
            of = f"{condition.times:.12g} times its {condition.average}-bar average"
            return f"{_bar(condition)} volume {of}"
        case AllOf():
            return " and ".join(map(_within, condition.of))
        case AnyOf():
            return " or ".join(map(_within, condition.of))


def _within(condition: Condition) -> str:
    told = in_words(condition)
    return f"({told})" if isinstance(condition, AllOf | AnyOf) else told


def _related(relation: str) -> str:
    return relation.replace("_", " ")


def _bar(condition: Close | Volume) -> str:
    words = ("forming" if condition.state == "forming" else "", condition.interval)
    hours = "" if condition.hours == "regular" else condition.hours
    return " ".join(filter(None, (*words, hours)))


def _than(condition: Close) -> str:
    than = condition.than
    if than.level is not None:
        return f"{than.level:.12g}"
    if than.average is not None:
        return f"its {than.average}-bar average"
    side = "high" if condition.relation == "above" else "low"
    return f"the {side} of {than.range} bars"
