from __future__ import annotations

import random

from serving_layer.stream.barrier import Barrier


def barrier(**how: int) -> Barrier:
    made = Barrier(**how)
    made.learn([])
    return made


def test_a_start_is_complete_once_no_bar_of_it_is_forming() -> None:
    # A forming ── final
    # B    forming ─────────── final
    held = barrier()
    held.hear("A", 0, is_final=False)
    held.hear("B", 0, is_final=False)
    held.hear("A", 0, is_final=True)
    assert [] == held.completed()

    held.hear("B", 0, is_final=True)
    assert [(0, 2)] == held.completed()
    assert [] == held.completed()


def test_a_late_symbol_is_told_again_once_it_is_final() -> None:
    held = barrier()
    held.hear("A", 0, is_final=True)
    assert [(0, 1)] == held.completed()

    held.hear("A", 0, is_final=True)
    held.hear("C", 0, is_final=False)
    assert [] == held.completed()

    held.hear("C", 0, is_final=True)
    assert [(0, 2)] == held.completed()


def test_a_bar_that_vanished_holds_up_nobody() -> None:
    held = barrier()
    held.hear("A", 0, is_final=True)
    held.hear("B", 0, is_final=False)
    assert [] == held.completed()

    held.hear("B", 0, is_final=False, is_vanished=True)
    assert [(0, 1)] == held.completed()


def test_a_bar_that_vanished_while_all_was_learnt_holds_up_nobody() -> None:
    held = Barrier()
    held.hear("A", 0, is_final=True)
    held.hear("B", 0, is_final=False, is_vanished=True)
    held.learn([("A", 0, False), ("B", 0, False)])

    assert [(0, 1)] == held.completed()


def test_a_start_of_no_bars_is_not_complete() -> None:
    held = barrier()
    held.hear("B", 0, is_final=True, is_vanished=True)

    assert [] == held.completed()


def test_nothing_is_complete_before_all_is_known() -> None:
    held = Barrier()
    held.hear("A", 60, is_final=True)
    assert [] == held.completed()

    # 0 was complete before anybody asked, B is still forming at 60.
    held.learn([("A", 0, True), ("A", 60, False), ("B", 60, False)])
    assert [] == held.completed()

    held.hear("B", 60, is_final=True)
    assert [(60, 2)] == held.completed()


def test_what_became_complete_while_it_was_learnt_is_told() -> None:
    held = Barrier()
    held.hear("A", 0, is_final=True)
    held.learn([("A", 0, False)])

    assert [(0, 1)] == held.completed()


def test_after_a_loss_nothing_is_told_before_all_is_known_again() -> None:
    held = barrier()
    held.hear("A", 0, is_final=False)
    held.hear("B", 0, is_final=False)
    held.unlearn()
    held.hear("A", 0, is_final=True)
    assert [] == held.completed()

    # The final bar of 60 was among what was lost.
    held.learn([("A", 0, True), ("B", 0, True), ("A", 60, True)])
    assert [(0, 2), (60, 1)] == held.completed()


def test_of_starts_that_are_long_over_nothing_is_told() -> None:
    held = barrier(most=2)
    for start in (0, 60, 120):
        held.hear("A", start, is_final=True)
    assert [(60, 1), (120, 1)] == held.completed()

    held.hear("B", 0, is_final=True)
    assert [] == held.completed()


def test_in_any_order_a_start_is_told_exactly_when_all_its_bars_are_final() -> None:
    rolled = random.Random(7)  # noqa: S311 - dice, no secret
    for _ in range(200):
        held, states = barrier(), dict[tuple[str, int], bool]()
        told: dict[int, int] = {}
        for _ in range(30):
            key = (rolled.choice("ABC"), rolled.choice([0, 60]))
            states[key] = states.get(key, False) or rolled.random() < 0.5
            held.hear(*key, is_final=states[key])
            told |= dict(held.completed())
            for start in {start for _, start in states}:
                finals = [final for (_, each), final in states.items() if each == start]
                if all(finals):
                    assert len(finals) == told[start]
