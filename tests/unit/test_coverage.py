"""What notes of a recorder cover, and which gaps they leave."""

from __future__ import annotations

import pytest

from lake.coverage import Coverage, Span, gaps, holes, parse_span, unseen

DAY = (0, 100)


def coverage(*notes: Span) -> Coverage:
    return Coverage(notes, "trade")


def told(since: int, until: int, *symbols: str) -> Span:
    return Span(since, until, "told", symbols)


def shape(found: list[Span]) -> list[tuple[int, int, str, tuple[str, ...]]]:
    return [(gap.since, gap.until, gap.why, gap.symbols) for gap in found]


def test_what_nothing_is_noted_of_is_a_gap_of_all() -> None:
    assert [(0, 100, "absent", ())] == shape(gaps([], DAY, "AB"))
    assert [] == unseen([], DAY)


def test_before_between_and_behind_what_is_covered_there_are_gaps() -> None:
    """```
    told      |  --  ------  |
    gaps      |==  ==      ==|
    ```"""
    notes = coverage(told(10, 20), told(30, 60), told(60, 80), told(70, 75))

    assert [(0, 10), (20, 30), (80, 100)] == holes(notes.covered("A"), DAY)


def test_what_was_lost_is_a_gap_until_it_is_filled_by_name() -> None:
    """```
    told      |--------------|
    lost           ####          of all
    filled         ====          of A
    ```"""
    lost = Span(40, 60, "lost", (), "no connection")
    notes = coverage(told(0, 100), lost, Span(30, 60, "filled", ("A",)))

    assert [(40, 60, "lost", ("B",))] == shape(gaps([notes], DAY, "AB"))
    assert [(40, 60, "unseen", ())] == shape(unseen([notes], DAY))


def test_what_was_given_up_is_a_gap_though_it_was_listened_to() -> None:
    notes = coverage(told(0, 50), Span(40, 60, "shed"), told(60, 100))

    assert [(40, 60, "shed", ())] == shape(gaps([notes], DAY, "AB"))


def test_the_last_reason_is_told() -> None:
    notes = coverage(Span(0, 60, "lost"), Span(0, 60, "unfilled", ("A",), "no"), told(60, 100))

    assert [(0, 60, "lost", ("B",)), (0, 60, "unfilled", ("A",))] == shape(
        gaps([notes], DAY, ["A", "B"])
    )


def test_whom_nobody_listened_to_lacks_all() -> None:
    notes = coverage(told(0, 100, "A"))

    assert [(0, 100, "absent", ("B",))] == shape(gaps([notes], DAY, "AB"))
    assert [] == unseen([notes], DAY)


def test_what_one_source_told_is_no_gap_of_another_s() -> None:
    assert [] == gaps([coverage(told(0, 60)), coverage(told(50, 100))], DAY, "A")


def test_events_of_another_kind_cover_nothing() -> None:
    notes = Coverage([told(0, 100)], "minute")

    assert [(0, 100, "absent", ())] == shape(gaps([notes], DAY, "A"))


def test_thousands_of_notes_of_listening_are_few_spans() -> None:
    """While it is listened to all, one symbol after the other is asked for from the beginning."""
    notes = [Span(0, 10, "lost")]
    for each in range(10, 5_000):
        notes += [
            told(each, each + 1),
            Span(0, 10, "filled" if each % 2 else "unfilled", (f"S{each}",)),
        ]
    found = gaps([coverage(*notes)], (0, 5_000), ["S11", "S12", "S9000"])

    assert [(0, 10, "lost", ("S9000",)), (0, 10, "unfilled", ("S12",))] == shape(found)


def test_what_goes_on_after_a_loss_does_not_hide_it() -> None:
    notes = coverage(told(0, 50), Span(40, 80, "shed"), told(50, 60), told(80, 100))

    assert [(40, 50), (60, 80)] == holes(notes.covered("A"), DAY)


def test_a_note_is_read_as_it_was_written() -> None:
    note = Span(1, 2, "unfilled", ("A", "B"), "no", "second")

    assert note == parse_span(note.line)
    for line in (b"", b"{}", b"[]", b'{"since": 1, "symbols": []}'):
        with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
            parse_span(line)
