"""What came and could not be read: what is noted of it, and when it is asked for."""

from __future__ import annotations

import pytest

from lake.coverage import Span
from speed_layer.feed.hearing import Hearing
from speed_layer.feed.source import Malformed
from speed_layer.feed.unread import Lost, Unread

LAST = 45
TOLD = "what came could not be read"


@pytest.fixture
def hearing() -> Hearing:
    hearing = Hearing(("trade",), ())
    hearing.begin(0)
    return hearing


@pytest.fixture
def unread(hearing: Hearing) -> Unread:
    return Unread(hearing, overlap_us=10, pace_us=100)


def of(received: int, *symbols: str) -> Malformed:
    return Malformed("{", received, frozenset(symbols) if symbols else None)


def test_it_takes_back_what_was_heard_and_is_heard_no_more(
    hearing: Hearing, unread: Unread
) -> None:
    """```
    told      |---------oooo)         an event at 45, at 50 what cannot be read
    lost            ########
    told                     |-----
    ```"""
    assert [Span(0, 51, "told"), Span(35, 51, "lost", (), TOLD)] == unread.found([of(50)], LAST)
    assert [Span(51, 90, "told")] == hearing.end(90)


def test_of_what_names_its_symbol_only_that_one_s_is_lost(unread: Unread) -> None:
    lost = unread.found([of(50, "B"), of(52, "A")], LAST)[-1]

    assert Span(35, 53, "lost", ("A", "B"), TOLD) == lost
    assert Lost(35, 53, frozenset("AB")) == unread.due(60)


def test_where_one_does_not_anyone_s_is(unread: Unread) -> None:
    unread.found([of(50, "B")], LAST)
    unread.found([of(70)], LAST)

    assert Lost(35, 71, None) == unread.due(80)


def test_more_of_it_is_asked_for_together(unread: Unread) -> None:
    unread.found([of(50)], LAST)
    first = unread.due(60)
    unread.found([of(70)], LAST)
    unread.found([of(90)], LAST)

    assert Lost(35, 51, None) == first
    assert unread.due(159) is None
    assert Lost(35, 91, None) == unread.due(160)
    assert unread.due(300) is None


def test_what_holds_nobody_s_event_loses_nothing(unread: Unread) -> None:
    assert [] == unread.found([Malformed("{}", 50, frozenset())], LAST)
    assert unread.due(60) is None


def test_before_anything_is_heard_all_is_lost_anyway() -> None:
    unread = Unread(Hearing(("trade",), ()), overlap_us=10, pace_us=100)

    assert [] == unread.found([of(50)], LAST)
    assert unread.due(60) is None
