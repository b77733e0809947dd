"""The drill: two days through the whole of production, in the second each part killed in turn.

    day 1   |------------------------| batch, while all goes on
    day 2   |--X--X--X--X--X--X--X---| batch

At the end of each nothing is lost: bars, recorded events, notifications, what clients know.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.days import SHORT
from tests.disasters import DISASTERS, day_of_disasters
from tests.drilling import Drill
from tests.following import AWAY
from tests.live_system import sold_day
from tests.receiving import Receiver
from tests.whole_system import APIS, WholeOf

# Files do not stand in for it: of those that wait Flink reads any one first, so the job trusts no
# watermark of theirs, and the last bars of a day that is sold this fast would never be final.
pytestmark = pytest.mark.usefixtures("connector")

SYMBOLS = 4
EACH = 100


def test_a_day_and_one_of_disasters_lose_nothing(
    whole_system_of: WholeOf, receive: Callable[..., Receiver]
) -> None:
    first = sold_day(SYMBOLS, EACH)
    second = sold_day(SYMBOLS, EACH, is_late=False, session=SHORT)
    system = whole_system_of(first, second)
    drill = Drill(system, receive)
    with drill.watched():
        drill.make_alerts(first)
        system.sell(first.tape.height)
        drill.end_day(first)
        found = system.doctor()
        drill.make_alerts(second)
        done = day_of_disasters(system, second, DISASTERS, seed=1)
        drill.end_day(second)
        restarts = {name: each.restarts for name, each in system.services.items()}
    codes = system.stop()

    # A server that waits for one that is away says so; it never answers wrongly, or breaks.
    assert {200} == drill.statuses() - {AWAY, 503}
    assert {"backup.last": "warn"} == {each: it for each, it in found.items() if it != "ok"}
    assert [each.name for each in DISASTERS] == done
    killed = {each.service for each in DISASTERS if each.service}
    assert killed == {name for name, count in restarts.items() if count}
    assert all(each.breaks for each in drill.followers)
    assert dict.fromkeys([*killed, *APIS], 0) == codes
