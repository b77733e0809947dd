"""A flow of trades as bad as it gets: out of order, again, corrected, cancelled, late."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lake.event import Event
from lake.hours import SessionHours
from tests.trading import MINUTE_US, micros

_MOVES: Final = (7, 7, 7, 7, 4, 6, 2, 0)
_DELAYS_US: Final = (0, 0, 0, 1_000_000, 30_000_000, 5 * MINUTE_US, 14 * MINUTE_US)
_RESTATED_US: Final = (-5, 0, 2, 13, 16, 40)
"""Minutes after the trade; before it, the correction comes first."""


def rough_day(hours: SessionHours, counts: Sequence[int], seed: int) -> list[Event]:
    """Return a session's statements in order of receipt, so many trades of each symbol."""
    rolled = random.Random(seed)  # noqa: S311 - dice, no secret
    sent: list[tuple[int, Event]] = []
    for number, count in enumerate(counts):
        time = 0
        for sequence in range(count):
            # Some are of one instant, and their sequence orders them.
            if sequence % 7 or not time:
                time = _time(rolled, hours)
            event = _trade(rolled, hours, f"S{number}", time, sequence)
            sent += _sent(rolled, hours, event)
    return [event for _, event in sorted(sent, key=lambda each: each[0])]


def _time(rolled: random.Random, hours: SessionHours) -> int:
    # A tenth prints around the close, where closing prints are.
    if not rolled.randrange(10):
        return micros(hours.close) + rolled.randrange(-MINUTE_US, 2 * MINUTE_US)
    return rolled.randrange(micros(hours.dawn), micros(hours.dusk))


def _trade(
    rolled: random.Random, hours: SessionHours, symbol: str, time: int, sequence: int
) -> Event:
    return Event(
        "trade",
        symbol,
        time,
        sequence=rolled.choice([sequence, 10**12 + sequence]),
        minute=_minute(rolled, hours, time),
        moves=rolled.choice(_MOVES),
        price=round(rolled.uniform(99, 101), 2),
        size=float(rolled.choice([1, 50, 100, 300])),
        received=time + 5,
        source="test",
    )


def _minute(rolled: random.Random, hours: SessionHours, time: int) -> int:
    close = micros(hours.close)
    if close <= time < close + 2 * MINUTE_US and rolled.random() < 0.5:
        return close - MINUTE_US
    return time - time % MINUTE_US


def _sent(rolled: random.Random, hours: SessionHours, event: Event) -> list[tuple[int, Event]]:
    """Return when an event is sent, again, and restated."""
    late = 25 * MINUTE_US if rolled.random() < 0.02 else 0
    sent = [(event.time + rolled.choice(_DELAYS_US) + late, event)]
    if rolled.random() < 0.1:
        sent.append((sent[0][0] + rolled.randrange(5 * MINUTE_US), event))
    if rolled.random() < 0.15:
        restated = replace(
            event,
            revision=rolled.choice([1, 2]),
            minute=_minute(rolled, hours, event.time),
            price=round(rolled.uniform(90, 110), 2),
            moves=rolled.choice(_MOVES),
            cancelled=rolled.random() < 0.4,
        )
        sent.append((event.time + rolled.choice(_RESTATED_US) * MINUTE_US, restated))
        if rolled.random() < 0.3:
            again = replace(restated, revision=3, price=100.5, cancelled=rolled.random() < 0.5)
            sent.append((event.time + rolled.randrange(10 * MINUTE_US), again))
    return sent
