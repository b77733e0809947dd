"""Rules of alerts, and flows of what they see, as Hypothesis draws them."""

from __future__ import annotations

import random
from typing import Any

import hypothesis.strategies as st

from lake.alerts.rule import Rule
from lake.alerts.seen import Seen
from lake.bar import State
from lake.instant import from_microseconds, written
from tests.alerting import OPEN, SECOND_US, bar, rule_of, tick

LEVELS = (98.0, 99.5, 100.0, 101.0)
RELATIONS = ("above", "below", "crosses", "crosses_up", "crosses_down")
# Prices on a coarse grid meet the same level often, from both sides and exactly.
prices = st.integers(190, 206).map(lambda halves: halves / 2)
give = st.sampled_from([0.0, 0.5, 1.0, 40.0])


def priced() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.fixed_dictionaries(
            {
                "kind": st.just("price"),
                "relation": st.sampled_from(RELATIONS),
                "level": st.sampled_from(LEVELS),
                "hysteresis_percent": give,
            }
        ),
        st.fixed_dictionaries(
            {
                "kind": st.just("move"),
                "direction": st.sampled_from(["up", "down", "either"]),
                "percent": st.sampled_from([0.5, 1.0, 2.0]),
                "window": st.sampled_from(["1m", "5m", "1d", "3d"]),
                "hysteresis_percent": give,
            }
        ),
    )


@st.composite
def on_bars(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {
        "interval": draw(st.sampled_from(["5m", "1d", "13d"])),
        "state": draw(st.sampled_from(["final", "forming"])),
    }
    if draw(st.booleans()):
        times, average = draw(st.sampled_from([0.9, 1.0, 1.3])), draw(st.integers(1, 4))
        return found | {"kind": "volume", "times": times, "average": average}
    than = draw(
        st.one_of(
            st.sampled_from(LEVELS).map(lambda level: {"level": level}),
            st.integers(1, 4).map(lambda count: {"average": count}),
            st.integers(1, 4).map(lambda count: {"range": count}),
        )
    )
    relations = ("above", "below") if "range" in than else RELATIONS
    relation = draw(st.sampled_from(relations))
    rest = {"relation": relation, "than": than, "hysteresis_percent": draw(give)}
    return found | {"kind": "close"} | rest


def conditions() -> st.SearchStrategy[dict[str, Any]]:
    leaf = st.one_of(priced(), on_bars())

    def combined(part: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
        kinds = st.sampled_from(["all", "any"])
        parts = st.lists(part, min_size=1, max_size=2)
        return st.builds(lambda kind, of: {"kind": kind, "of": of}, kinds, parts)

    return st.one_of(leaf, leaf, combined(st.one_of(leaf, combined(leaf))))


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    rest: dict[str, Any] = {
        "symbol": draw(st.sampled_from(["AAPL", "IBM"])),
        "repeat": draw(st.booleans()),
        "cooldown_seconds": draw(st.sampled_from([0, 30, 90_000])),
    }
    if draw(st.integers(0, 3)) == 0:
        rest["active"] = draw(
            st.sampled_from(
                [
                    {"start": "09:31", "end": "09:40"},
                    {"days": ["tue", "fri"]},
                    {"days": ["mon", "wed"], "start": "12:00"},
                ]
            )
        )
    if draw(st.integers(0, 3)) == 0:
        ahead = draw(st.sampled_from([20, 600, 90_000]))
        rest["expires"] = written(from_microseconds(OPEN + ahead * SECOND_US))
    return rule_of(draw(conditions()), **rest)


@st.composite
def flows(draw: st.DrawFn) -> list[Seen]:
    """Ticks and bars in some order of time, some too late, some told twice."""
    seen: list[Seen] = []
    starts = {"5m": 0, "1d": 0, "13d": 0}
    now = 0
    for _ in range(draw(st.integers(1, 45))):
        now += draw(st.sampled_from([0, 1, 1, 3, 7, 20, 65, 400, 86_400]))
        symbol = draw(st.sampled_from(["AAPL", "AAPL", "IBM"]))
        what = draw(st.integers(0, 9))
        if what < 6:
            late = draw(st.sampled_from([0, 0, 0, 5]))
            seen.append(tick(now - late, draw(prices), symbol, draw(st.integers(0, 2))))
        elif what < 9 or not seen:
            interval = draw(st.sampled_from(["5m", "1d", "13d"]))
            starts[interval] += draw(st.sampled_from([0, 1, 1, 1, -1]))
            close, width = draw(prices), draw(st.sampled_from([0, 1]))
            seen.append(
                bar(
                    interval,
                    starts[interval],
                    close,
                    volume=draw(st.sampled_from([80.0, 100.0, 130.0])),
                    state=draw(st.sampled_from(["final", "final", "forming"])),
                    symbol=symbol,
                    high=close + width,
                    low=close - width,
                    time=now - draw(st.sampled_from([0, 0, 0, 40])),
                )
            )
        else:
            seen.append(draw(st.sampled_from(seen)))
    return seen


def long_flow(rng: random.Random, count: int) -> list[Seen]:
    """Mostly ticks that walk up and down, with bars among them."""
    seen: list[Seen] = []
    now, start = 0, 0
    walk = {"AAPL": 100.0, "IBM": 100.0}
    for _ in range(count):
        now += rng.choice([0, 1, 1, 2, 3, 5, 9, 30]) if rng.random() > 0.01 else 30_000
        symbol = rng.choice(["AAPL", "AAPL", "AAPL", "IBM"])
        walk[symbol] = min(104.0, max(95.0, walk[symbol] + rng.choice([-0.5, -0.25, 0, 0.25, 0.5])))
        if rng.random() > 0.05:
            late = rng.choice([0, 0, 0, 0, 4])
            seen.append(tick(now - late, walk[symbol], symbol, rng.randint(0, 2)))
        else:
            start += 1
            interval = rng.choice(["5m", "1d", "13d"])
            state: State = rng.choice(["final", "forming"])
            volume = rng.choice([80.0, 100.0, 130.0])
            close = walk[symbol]
            seen.append(
                bar(
                    interval,
                    start,
                    close,
                    volume=volume,
                    state=state,
                    symbol=symbol,
                    high=close + 0.5,
                    low=close - 0.5,
                    time=now,
                )
            )
        if rng.random() < 0.03:
            seen.append(rng.choice(seen[-20:]))
    return seen
