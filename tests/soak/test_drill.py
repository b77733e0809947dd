"""The drill with many disasters: `make soak`, or `DISASTERS=20 make soak` for fewer of them."""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from tests.days import SHORT
from tests.disasters import DISASTERS, day_of_disasters
from tests.drilling import Drill
from tests.live_system import sold_day
from tests.receiving import Receiver
from tests.whole_system import WholeOf

# Files do not stand in for it: of those that wait Flink reads any one first, so the job trusts no
# watermark of theirs, and the last bars of a day that is sold this fast would never be final.
pytestmark = pytest.mark.usefixtures("connector")

_DISASTERS: Final = int(os.environ.get("DISASTERS", "100"))
_SEED: Final = int(os.environ.get("SEED", "1"))
_SYMBOLS: Final = 4
_EACH: Final = 10
"""So many trades of each symbol there are for each disaster."""


def test_whatever_befalls_its_parts_nothing_is_lost(
    whole_system_of: WholeOf, receive: Callable[..., Receiver]
) -> None:
    chosen = random.Random(_SEED)  # noqa: S311 - what breaks next is no secret
    befalls = chosen.choices(DISASTERS, k=_DISASTERS)
    days = [
        sold_day(_SYMBOLS, _EACH * _DISASTERS // 2, is_late=False),
        sold_day(_SYMBOLS, _EACH * _DISASTERS // 2, is_late=False, session=SHORT),
    ]
    system = whole_system_of(*days)
    drill = Drill(system, receive)
    begun, half = time.monotonic(), len(befalls) // 2
    with drill.watched():
        for day, some in zip(days, (befalls[:half], befalls[half:]), strict=True):
            drill.make_alerts(day)
            done = day_of_disasters(system, day, some, seed=_SEED)
            drill.end_day(day)
            told = ", ".join(f"{count} x {name}" for name, count in Counter(done).items())
            sys.stdout.write(f"{time.monotonic() - begun:6.0f} s  {day.session}: {told}\n")
            sys.stdout.flush()

    assert sum(each.restarts for each in system.services.values()) > 0
