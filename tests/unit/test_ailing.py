"""Which destinations failed last, of so many."""

from __future__ import annotations

from database.outbox import Route
from speed_layer.delivery.ailing import Ailing

A, B, C = (Route("me", name) for name in "abc")


def test_what_failed_last_ails_until_it_does_not_fail() -> None:
    ailing = Ailing()
    ailing.add(A)
    ailing.add(B)
    ailing.discard(A)
    ailing.discard(C)

    assert [False, True, False] == [each in ailing for each in (A, B, C)]


def test_what_failed_the_longest_ago_is_forgotten_beyond_so_many() -> None:
    ailing = Ailing(most=2)
    for route in (A, B, A, C):
        ailing.add(route)

    assert [True, False, True] == [each in ailing for each in (A, B, C)]


def test_however_many_fail_no_more_are_kept() -> None:
    ailing = Ailing()
    for number in range(12_000):
        ailing.add(Route("me", f"hook{number}"))

    assert 10_000 == len(ailing)
