"""Alerts beside the feed, and a lake that is away or slow: what it has is told, and only once."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

import pytest

from database import Database
from database.alert_flow import all_market, all_states
from lake.alerts.book import BarsKey
from lake.alerts.rule import Rule
from lake.alerts.seen import SeenBar
from lake.clock import SystemClock
from lake.errors import UnavailableError
from speed_layer.alerts.ends import midnight
from speed_layer.alerts.inlet import Inlet
from tests.embedded_alerts import Running, above, at, begun
from tests.evaluated_alerts import MADE, NoBars, put_alert, rule, told
from tests.feeding import eventually

EVE: Final = dt.date(2026, 1, 2)
TODAY: Final = dt.date(2026, 1, 5)
NEXT: Final = dt.date(2026, 1, 6)
DAY_S: Final = 86_400
Run = Callable[..., Running]


@pytest.fixture
def run_alerts(own_database: Database) -> Iterator[Run]:
    """Return what starts an evaluation of a replay beside a lake."""
    started: list[Running] = []

    def run(lake: Lake) -> Running:
        started.append(Running(own_database, None, Inlet(), "replay", SystemClock(), lake))
        return started[-1]

    yield run
    for each in started:
        stop(each)


def stop(running: Running) -> None:
    running.stop.set()
    running.end()


class Lake(NoBars):
    """A lake of one symbol's days, which is away in what of it is named so."""

    def __init__(self) -> None:
        self.committed = EVE
        self.away: set[str] = set()
        self.asked: set[str] = set()
        self.split: dict[str, float] = {}
        self.answers = threading.Event()
        self.answers.set()

    def _answer(self, what: str) -> None:
        self.asked.add(what)
        self.answers.wait(60)
        if what in self.away:
            fact = "The lake does not answer."
            raise UnavailableError(fact)

    def before(
        self, wanted: Mapping[BarsKey, tuple[int, int]], as_of: dt.date
    ) -> dict[BarsKey, list[SeenBar]]:
        del as_of
        self._answer("before")
        return {key: [day_of(key, EVE, 100.0)] for key in wanted}

    def boundary(self) -> dt.date | None:
        self._answer("boundary")
        return self.committed

    def closed(
        self, keys: Collection[BarsKey], after: Mapping[BarsKey, int], as_of: dt.date
    ) -> list[SeenBar]:
        del as_of
        self._answer("closed")
        days = [(EVE, 100.0), (TODAY, 200.0)]
        return [
            day_of(key, day, close)
            for day, close in days
            for key in keys
            if day <= self.committed and after[key] < midnight(day)
        ]

    def splits(self, session: dt.date) -> dict[str, float]:
        self._answer("splits")
        return self.split if session == NEXT else {}


def day_of(key: BarsKey, day: dt.date, close: float) -> SeenBar:
    start = midnight(day)
    closes = start + 21 * 3600 * 10**6
    return SeenBar(*key, start, closes, close, close, close, close, 9.0, "final")


def closes(relation: str, **than: Any) -> Rule:
    when = {"kind": "close", "interval": "1d", "relation": relation, "than": than}
    return rule("AAPL", when)


def seen_by(running: Running, count: int) -> bool:
    return eventually(lambda: running.health["evaluated"] >= count)


def test_a_bar_that_could_not_be_evaluated_is_told_at_the_next_start(
    own_database: Database, run_alerts: Run
) -> None:
    """The lake goes away between a bar of a session and those before it."""
    put_alert(own_database, "al_a", closes("above", average=1))
    lake = Lake()
    running = run_alerts(lake)
    assert begun(running, 1)
    running.inlet.put(at(0, 100.0))
    assert eventually(lambda: "boundary" in lake.asked)
    lake.away = {"before"}
    lake.committed = TODAY
    assert eventually(lambda: "before" in lake.asked)
    stop(running)
    assert {} == told(own_database)
    lake.away = set()

    again = run_alerts(lake)
    assert eventually(lambda: {"al_a.1.1"} == told(own_database).keys())
    assert begun(again, 1)


def test_a_split_that_could_not_be_asked_for_is_applied_at_the_next_start(
    own_database: Database, run_alerts: Run
) -> None:
    below = {"kind": "price", "relation": "below", "level": 60}
    put_alert(own_database, "al_a", rule("AAPL", below))
    lake = Lake()
    lake.split = {"AAPL": 2.0}
    running = run_alerts(lake)
    assert begun(running, 1)
    day = at(0, 99.0)
    running.inlet.put(day)
    assert seen_by(running, 1)
    lake.away = {"splits"}
    running.inlet.put(at(DAY_S, 49.5))
    assert eventually(lambda: bool(running.health["away"]))
    stop(running)
    assert {} == told(own_database)
    lake.away = set()

    again = run_alerts(lake)
    for piece in (day, at(DAY_S, 49.5), at(DAY_S + 1, 29.5)):
        again.inlet.put(piece)
    assert eventually(lambda: {"al_a.1.1": "AAPL 29.50 below 30.00"} == told(own_database))


def test_an_alert_counts_from_the_instant_after_its_adoption_told_again_or_not(
    own_database: Database, run_alerts: Run
) -> None:
    """What comes late, while the clock is where it was at the adoption, is told again before it."""
    put_alert(own_database, "al_old", above(1000))
    running = run_alerts(Lake())
    assert begun(running, 1)
    clock = at(10, 50.0)
    running.inlet.put(clock)
    assert seen_by(running, 1)
    put_alert(own_database, "al_new", above(90), changed=SystemClock().now())
    assert eventually(lambda: "al_new" in adopted(own_database))
    late = [at(9, 80.0, symbol="MSFT"), at(10, 100.0, 2), at(10, 80.0, 3)]
    for piece in late:
        running.inlet.put(piece)
    assert seen_by(running, 3)
    stop(running)
    assert {} == told(own_database)

    again = run_alerts(Lake())
    for piece in (clock, *late, at(11, 101.0)):
        again.inlet.put(piece)
    assert eventually(lambda: {"al_new.1.1"} == told(own_database).keys())
    assert ["AAPL 101.00 above 90.00"] == list(told(own_database).values())


def adopted(database: Database) -> Collection[str]:
    with database.read() as connection:
        return all_states(connection).keys()


def test_an_alert_made_while_the_lake_is_away_is_told_what_is_committed_meanwhile(
    own_database: Database, run_alerts: Run
) -> None:
    put_alert(own_database, "al_old", above(1000))
    lake = Lake()
    running = run_alerts(lake)
    assert begun(running, 1)
    running.inlet.put(at(0, 100.0))
    lake.away = {"boundary"}
    put_alert(own_database, "al_new", closes("above", level=150), changed=SystemClock().now())
    assert eventually(lambda: "al_new" in adopted(own_database))
    with own_database.read() as connection:
        assert "closed AAPL 1d" in all_market(connection)
    assert eventually(lambda: bool(running.health["away"]))
    lake.committed = TODAY
    stop(running)
    assert {} == told(own_database)
    lake.away = set()

    run_alerts(lake).inlet.put(at(0, 100.0))
    assert eventually(lambda: {"al_new.1.1"} == told(own_database).keys())


def test_a_lake_that_does_not_answer_holds_up_no_prices(
    own_database: Database, run_alerts: Run
) -> None:
    put_alert(own_database, "al_bar", closes("above", level=150))
    put_alert(own_database, "al_price", above(90))
    lake = Lake()
    running = run_alerts(lake)
    assert begun(running, 2)
    running.inlet.put(at(0, 80.0))
    assert seen_by(running, 1)
    lake.asked.clear()
    lake.answers.clear()
    try:
        assert eventually(lambda: "boundary" in lake.asked)
        running.inlet.put(at(1, 100.0))
        assert eventually(lambda: {"al_price.1.1"} == told(own_database).keys())
    finally:
        lake.committed = TODAY
        lake.answers.set()
    assert eventually(lambda: {"al_price.1.1", "al_bar.1.1"} == told(own_database).keys())


def test_an_alert_whose_rule_is_not_known_keeps_its_count(
    own_database: Database, run_alerts: Run
) -> None:
    """As a version does that is older than the one that the rule was written for."""
    known = above(90)
    put_alert(own_database, "al_a", known)
    running = run_alerts(Lake())
    assert begun(running, 1)
    day = [at(0, 100.0), at(1, 80.0)]
    for piece in day:
        running.inlet.put(piece)
    assert seen_by(running, 2)
    strange: dict[str, Any] = {"definition": '{"strange": 1}', "changed": SystemClock().now()}
    # Only what is shown of a row tells that it changed: here, until when it is muted.
    put_alert(own_database, "al_a", None, **strange, muted_until=MADE)
    assert begun(running, 0)
    stop(running)
    assert {"al_a"} == adopted(own_database)

    put_alert(own_database, "al_a", known)
    again = run_alerts(Lake())
    for piece in (*day, at(2, 101.0)):
        again.inlet.put(piece)
    assert eventually(lambda: {"al_a.1.1", "al_a.1.2"} == told(own_database).keys())


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_split_that_is_learned_amid_its_session_moves_the_levels_from_before_alone(
    own_database: Database,
    run_alerts: Run,
    is_restarted: bool,  # noqa: FBT001 - a test's parameter
) -> None:
    put_alert(own_database, "al_old", above(100))
    lake = Lake()
    running = run_alerts(lake)
    assert begun(running, 1)
    day = [at(0, 99.0), at(DAY_S, 49.0)]
    for piece in day:
        running.inlet.put(piece)
    assert seen_by(running, 2)
    put_alert(own_database, "al_new", above(60), changed=SystemClock().now())
    assert eventually(lambda: "al_new" in adopted(own_database))
    if is_restarted:
        stop(running)
        running = run_alerts(lake)
        for piece in day:
            running.inlet.put(piece)
    lake.split = {"AAPL": 2.0}
    for _ in range(2):
        lake.asked.clear()
        assert eventually(lambda: "splits" in lake.asked)
    for piece in (at(DAY_S + 1, 55.0), at(DAY_S + 2, 65.0)):
        running.inlet.put(piece)
    assert eventually(lambda: len(told(own_database)) == 2)
    assert {
        "al_old.1.1": "AAPL 55.00 above 50.00",
        "al_new.1.1": "AAPL 65.00 above 60.00",
    } == told(own_database)
