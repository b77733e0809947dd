"""The drill: two days through the whole of production, the second with each part killed in turn.

At the end of each day nothing is lost: bars, recorded events, notifications, what clients know.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import boto3
import polars as pl
import pytest

from database import open_database
from fiblake.client import Price
from lake.alerts.rule import rule_document
from lake.envelope import decode_envelope
from lake.live_bars import in_force
from lake.recorded import all_recorded
from tests.batch import ROLE
from tests.days import SHORT, Day
from tests.evaluated_alerts import many_rules, told
from tests.feeding import identities
from tests.following import Follower, Poller
from tests.live_system import sold_day
from tests.moto_serially import REGION
from tests.parity.through import assert_same_bars, through_law
from tests.receiving import SECRET, Receiver, Told, answer
from tests.whole_system import APIS, WholeOf, WholeSystem

pytestmark = pytest.mark.usefixtures("connector")

SYMBOLS: Final = 4
EACH: Final = 100


def test_a_day_and_one_of_kills_lose_nothing(
    whole_system_of: WholeOf, receive: Callable[..., Receiver]
) -> None:
    days = sold_day(SYMBOLS, EACH), sold_day(SYMBOLS, EACH, is_late=False, session=SHORT)
    receiver = receive(grudging)
    system = whole_system_of(*days)
    make_alerts(system, days[0], receiver)
    with watched(system) as watchers:
        whole_day(system, days[0])
        check_day(system, days[0], watchers, receiver)
    batch(system, days[0])


def whole_day(system: WholeSystem, day: Day) -> None:
    system.sell(system.vendor.market.told + day.tape.height)
    system.let_it_be_over(day)


def batch(system: WholeSystem, day: Day) -> None:
    """Let batch make a day's bars, and servers answer them without a restart."""
    system.done("resample")
    (told,) = json.loads(system.done("reconcile", "--json").out)["sessions"][-1:]
    assert {} == told["differences"]
    assert str(day.session) == told["session"]
    assert told["speed"] == told["batch"] == told["agreed"] > 0


@dataclass(frozen=True)
class Watchers:
    """Who listens to each API, and who asks it."""

    followers: list[Follower]
    pollers: list[Poller]


@contextmanager
def watched(system: WholeSystem) -> Iterator[Watchers]:
    with ExitStack() as stack:
        watchers = Watchers([], [])
        for name in APIS:
            follower = Follower(system.urls[name], system.key, "price:*", "bars:1m:*", "bars:1d:*")
            watchers.followers.append(stack.enter_context(follower))
            paths = "/v1/live/S0000?interval=1h", "/v1/bars/S0001?interval=5d", "/v1/prices/S0002"
            poller = Poller(system.urls[name], system.key, *paths)
            watchers.pollers.append(stack.enter_context(poller))
        yield watchers


def check_day(system: WholeSystem, day: Day, watchers: Watchers, receiver: Receiver) -> None:
    """Hold all that is told of a day in the end to what the law makes of its tape."""
    expected = through_law(day.tape, day.hours)
    system.wait(lambda: system.bars(day).height >= expected.height, "the view has all bars")
    system.wait(lambda: system.bars(day).equals(expected) or is_same(system, day, expected))
    assert_same_bars(expected, system.bars(day))
    recorded = all_recorded(system.store, "massive", day.session)
    assert identities(day.tape) == identities(recorded)


def is_same(system: WholeSystem, day: Day, expected: pl.DataFrame) -> bool:
    try:
        assert_same_bars(expected, system.bars(day))
    except AssertionError:
        return False
    return True


def make_alerts(system: WholeSystem, day: Day, receiver: Receiver) -> None:
    """Make alerts of many kinds, told to a webhook and to SNS."""
    hook = {"url": receiver.url, "secret": SECRET}
    system.put("PUT", "/v1/alerts/destinations/hook", hook)
    symbols = day.bars["symbol"].to_list()
    for rule in many_rules(day.bars, symbols, ("hook", "sns")).values():
        system.put("POST", "/v1/alerts", rule_document(rule))


def grudging(told: Told) -> Iterable[bytes]:
    """Say of one delivery in five that it was not taken, which it was: it comes again."""
    is_taken = zlib.crc32(told.body + told.headers["webhook-timestamp"].encode()) % 5
    return [answer("204 No Content" if is_taken else "503 Service Unavailable")]
