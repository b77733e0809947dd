"""What REST does not tell is asked for again, together with what is lost meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
import pytest

from lake.coverage import Span
from lake.errors import VendorUnavailableError
from speed_layer.feed import Health
from speed_layer.feed.filling import Asked, Filler
from tests.feeding import eventually


class Rest:
    """A vendor's REST that may be away, and tells nothing else."""

    is_away = True

    def since(self, *_: object) -> Iterator[pl.DataFrame]:
        if self.is_away:
            fact = "It is away."
            raise VendorUnavailableError(fact)
        yield pl.DataFrame()

    def close(self) -> None:
        pass


def asked(since: int, until: int, symbols: str) -> Asked:
    return Asked(since, until, frozenset(symbols), ("trade",))


@contextmanager
def filling(rest: Any, told: list[Span], health: Health) -> Iterator[Filler]:
    filler = Filler(rest, lambda _: None, told.extend, health, settle_s=0, again_s=0.01)
    try:
        yield filler
    finally:
        filler.close()


def test_what_is_lost_again_and_again_while_rest_is_away_is_asked_for_as_one() -> None:
    """```
    lost      ####             of A
                ####           of A and B
                    ####       of A
    filled    ==========       of both
    ```"""
    rest, told, health = Rest(), list[Span](), Health()
    with filling(rest, told, health) as filler:
        for each in (asked(0, 40, "A"), asked(20, 60, "AB"), asked(60, 100, "A")):
            filler.fill(each)
        assert eventually(lambda: len(told) == 3)
        rest.is_away = False
        assert eventually(lambda: len(told) == 4)

    assert Span(0, 100, "filled", ("A", "B")) == told[-1]
    assert 0 == health.counts["unfilled"]


@pytest.mark.parametrize("other", [asked(50, 60, "A"), asked(20, 60, "B")])
def test_what_costs_more_together_is_asked_for_apart(other: Asked) -> None:
    rest, told, health = Rest(), list[Span](), Health()
    with filling(rest, told, health) as filler:
        filler.fill(asked(0, 40, "A"))
        filler.fill(other)
        assert eventually(lambda: len(told) == 2)
        rest.is_away = False
        assert eventually(lambda: len(told) == 4)

    assert {(0, 40), (other.since, other.until)} == {
        (each.since, each.until) for each in told if each.why == "filled"
    }
