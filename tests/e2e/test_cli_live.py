"""What is misused of feeds, streams and views is said in one line, and nothing is begun."""

from __future__ import annotations

import pytest

from tests.command_line import Run

NO_FEED = (
    "Allowed: massive, replay:DAY, replay:SOURCE/DAY or replay:sample, as replay:2026-01-05; behind"
    " it a speed, as @60x or @max."
)


@pytest.mark.parametrize(
    "feed", ["polygon", "replay:", "replay:2026-02-30", "replay:sample@", "replay:sample@0x"]
)
@pytest.mark.parametrize("command", [("up", "--feed"), ("feed",)])
def test_what_is_no_feed_is_said_to_be_none(
    in_lake: Run, command: tuple[str, ...], feed: str
) -> None:
    assert (2, "", f"error: {feed!r} is not a feed. {NO_FEED}") == in_lake(*command, feed).said


def test_a_day_that_was_not_recorded_cannot_be_told_again(in_lake: Run) -> None:
    ran = in_lake("up", "--feed", "replay:2025-11-26@60x", "--port", "0")

    assert (1, "") == ran.said[:2]
    assert ran.err.startswith("error: No events of 2025-11-26 are recorded in ")


def test_without_a_key_there_is_no_live_feed(in_lake: Run) -> None:
    hint = "set FIBLAKE_MASSIVE_KEY to the key that massive.com/dashboard/keys shows."
    said = f"error: There is no key for Massive. Hint: {hint}"

    assert (1, "", said) == in_lake("up", "--feed", "massive", "--port", "0").said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            ("feed", "replay:sample"),
            (
                "A feed of its own needs a stream that others can read, and FIBLAKE_STREAM=memory."
                " Hint: set FIBLAKE_STREAM=kinesis, or run all in one process:"
                " fiblake up --feed ..."
            ),
        ),
        (
            ("flink", "run"),
            (
                "The job needs streams, and FIBLAKE_STREAM=memory."
                " Hint: set FIBLAKE_STREAM=kinesis, or name --events and --bars."
            ),
        ),
        (
            ("flink", "publish"),
            (
                "A publisher needs a view that others can read, and FIBLAKE_VIEW=memory."
                " Hint: set FIBLAKE_VIEW=redis, or dynamodb."
            ),
        ),
    ],
)
def test_parts_of_their_own_need_what_others_can_reach(
    in_lake: Run, command: tuple[str, ...], said: str
) -> None:
    assert (2, "", f"error: {said}") == in_lake(*command).said


def test_nothing_is_reconciled_where_nothing_was_live(in_sample: Run) -> None:
    assert (0, "the speed layer told of no session yet\n") == in_sample("reconcile").said[:2]
