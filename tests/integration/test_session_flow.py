"""Bars of sessions as alerts see them, over a lake that batch commits to and a view beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fiblake.alerts.history import LakeHistory
from lake.alerts.history import BarsKey
from lake.alerts.seen import Seen, SeenBar, Tick
from lake.clock import SetClock
from lake.errors import StoreError, ViewError
from lake.interval import FIBONACCI, SESSION_INTERVALS, Interval
from lake.session import SessionTable, bucket_of
from serving_layer.merged import MergedReader
from serving_layer.query import BarsQuery
from serving_layer.reader import Reader
from speed_layer.alerts.ends import midnight
from speed_layer.alerts.session_flow import SessionFlow
from tests.conftest import NOW
from tests.integration.test_merged import SYMBOLS, World, worlds
from tests.integration.test_resample import new_lake

SOME: Final = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
VALUES: Final = ("open", "high", "low", "close", "volume")


def history(world: World) -> LakeHistory:
    return LakeHistory(Reader(world.lake.store, SetClock(NOW)), world.view)


def flow(world: World, *keys: BarsKey, rows: dict[str, str] | None = None) -> SessionFlow:
    """Return a flow that looks at the lake whenever it is asked."""
    made = SessionFlow(history(world), world.table, every_s=0, rows=rows)
    made.want(keys, keys)
    return made


def regular(symbol: str, interval: Interval | str) -> BarsKey:
    return (symbol, str(interval), "regular")


def day_of(world: World, symbol: str) -> SeenBar:
    """Return today's live 1d bar as the flow of events tells it."""
    row = world.days[symbol, world.today]
    prices = (row["open"], row["high"], row["low"], row["close"])
    start = midnight(world.today)
    return SeenBar(symbol, "1d", "regular", start, start + 1, *prices, row["volume"], "forming")


@SOME
@given(data=st.data())
def test_what_forms_is_what_is_served(
    blank_lake: Path, sessions: SessionTable, data: st.DataObject
) -> None:
    world = worlds(blank_lake, sessions, data)
    known = [symbol for symbol in SYMBOLS if (symbol, world.today) in world.days]
    keys = [regular(symbol, interval) for symbol in known for interval in SESSION_INTERVALS]
    made = flow(world, *keys)
    days: list[Seen] = [day_of(world, symbol) for symbol in known]

    made.take(world.today)
    formed = [bar for bar in made.formed(days, world.today) if isinstance(bar, SeenBar)]

    reader = MergedReader(Reader(world.lake.store, SetClock(NOW)), world.view)
    assert len(known) * len(SESSION_INTERVALS) == len(formed)
    for bar in formed:
        query = BarsQuery((bar.symbol,), Interval.parse(bar.interval), as_of=world.today)
        served = reader.bars(query).to_pylist()[-1]
        assert served["through"] == world.today
        assert (midnight(served["start"]), "forming") == (bar.start, bar.state)
        assert bar.time == midnight(world.today) + 1
        expected = [pytest.approx(served[name], rel=1e-12) for name in VALUES]
        assert expected == [getattr(bar, name) for name in VALUES]


@settings(SOME, max_examples=8)
@given(acts=st.lists(st.sampled_from(["end", "commit", "keep", "kill"]), min_size=6, max_size=16))
def test_each_bar_that_batch_commits_is_told_once_whenever_it_is_started_again(
    blank_lake: Path, sessions: SessionTable, acts: list[str]
) -> None:
    """What is told and kept is not told again; what is not kept, since it is killed, is."""
    world = World(new_lake(blank_lake), sessions)
    keys = [regular("AA", interval) for interval in ("1d", "3d", "5d")]
    made = flow(world, *keys)
    told = made.take(world.today)
    rows = kept_of(made)
    for act in (*acts, "end", "commit", "keep"):
        if act == "end":
            world.tick("AA", 10.0, 1.0)
            world.end_day()
        elif act == "commit":
            world.commit()
        elif act == "keep":
            told += made.take(world.today)
            rows |= kept_of(made)
        else:
            made.take(world.today)
            made = flow(world, *keys, rows=rows)

    assert sorted(told, key=lambda bar: bar.time) == told
    for _, interval, _ in keys:
        n = Interval.parse(interval).sessions
        days = [day for _, day in sorted(world.days)]
        buckets = {bucket_of(day, sessions_per_bar=n, table=sessions) for day in days}
        over = sorted(midnight(each.first) for each in buckets if each.last <= days[-1])
        assert over == [bar[3] for bar in told if bar[1] == interval]


def only_bars(seen: Iterable[Seen]) -> list[SeenBar]:
    return [each for each in seen if isinstance(each, SeenBar)]


def kept_of(made: SessionFlow) -> dict[str, str]:
    return {key: row for key, row in made.changed().items() if row is not None}


@pytest.fixture
def world(blank_lake: Path, sessions: SessionTable) -> World:
    """A lake of one committed session of AA and B, and a live one of both after it."""
    made = World(new_lake(blank_lake), sessions)
    for symbol in ("AA", "B"):
        made.tick(symbol, 10.0, 1.0)
    made.end_day()
    made.commit()
    for symbol in ("AA", "B"):
        made.tick(symbol, 12.0, 2.0)
    return made


def test_a_bar_counts_when_the_regular_hours_of_its_last_session_closed(world: World) -> None:
    made = flow(world, regular("AA", "1d"))
    assert [] == made.take(world.today)
    session = world.today
    world.end_day()
    world.commit()

    (bar,) = made.take(session)

    closes = world.table.closes[world.table.ordinal(session) or 0]
    assert isinstance(bar, SeenBar)
    told = (bar.time, bar.state, bar.close)
    assert (int(closes.timestamp()) * 10**6, "final", 12.0) == told


def test_bars_that_were_known_before_they_were_wanted_are_not_told(world: World) -> None:
    made = flow(world, regular("B", "1d"))
    made.take(world.today)
    session = world.today
    world.end_day()
    world.commit()
    assert ["B"] == [bar.symbol for bar in made.take(session)]

    made.want([regular("AA", "1d"), regular("B", "1d")], ())
    assert [] == made.take(session)
    assert kept_of(made).keys() >= {"closed AA 1d"}
    made.want([regular("AA", "1d"), regular("AA", "3d")], ())
    world.tick("AA", 14.0, 1.0)
    session = world.today
    world.end_day()
    world.commit()

    assert ["AA", "AA"] == [bar.symbol for bar in made.take(session)]


def test_what_is_asked_beside_is_told_once_it_is_answered(world: World) -> None:
    questions: list[tuple[Callable[[], Any], Future[Any]]] = []

    def ask(question: Callable[[], Any]) -> Future[Any]:
        questions.append((question, Future()))
        return questions[-1][1]

    def answer() -> None:
        question, future = questions.pop()
        future.set_result(question())

    made = SessionFlow(history(world), world.table, every_s=0, ask=ask)
    made.begin(world.today)
    made.want([regular("AA", "1d")], [regular("AA", "5d")])
    assert ["closed AA 1d"] == list(kept_of(made))
    day, session = day_of(world, "AA"), world.today
    assert [day] == made.formed([day], session)
    answer()
    (formed,) = only_bars(made.formed([], session))
    assert ("5d", "forming", day.time) == (formed.interval, formed.state, formed.time)
    assert [] == made.formed([], session)
    assert [] == made.sampled(session, ["AA"], 77)
    answer()
    assert ["5d"] == [bar.interval for bar in only_bars(made.sampled(session, ["AA"], 78))]

    world.end_day()
    world.commit()
    assert [] == made.take(session)
    assert [] == made.take(session)
    made.want([regular("AA", "1d"), regular("AA", "3d")], ())
    answer()
    assert ["1d"] == [bar[1] for bar in made.take(session)]
    assert [] == made.take(session)
    made.want((), ())
    answer()
    assert [] == made.take(session)


def test_what_is_committed_of_a_symbol_late_is_told_when_batch_commits_next(world: World) -> None:
    made = flow(world, regular("AA", "1d"), regular("B", "1d"))
    made.take(world.today)
    world.end_day()
    world.import_days("B")
    world.resample()
    first = [bar.symbol for bar in made.take(world.today)]
    for symbol in ("AA", "B"):
        world.tick(symbol, 14.0, 1.0)
    world.end_day()
    world.commit()

    assert ["B"] == first
    assert ["AA", "AA", "B"] == [bar.symbol for bar in made.take(world.today)]


def test_after_a_split_what_was_before_is_on_the_session_s_basis(world: World) -> None:
    key = regular("AA", "34d")
    world.split("AA", 4.0)
    world.end_day()
    world.tick("AA", 3.0, 8.0)
    made = flow(world, key)
    made.take(world.today)

    formed = made.formed([day_of(world, "AA")], world.today)[-1]

    assert {"AA": 4.0} == history(world).splits(world.today)
    assert {} == history(world).splits(world.table[world.told - 1])
    assert (2.5, 3.0, 2.5, 3.0, 4 * 3 + 8) == formed[5:10]


def test_what_the_flow_lacks_is_sampled_as_it_is_served(world: World) -> None:
    now = [0.0]
    made = SessionFlow(history(world), world.table, clock=lambda: now[0])
    made.want((), [regular(symbol, each) for symbol in ("AA", "B") for each in ("1d", "8d")])
    made.take(world.today)

    first = made.sampled(world.today, ["AA", "C"], 77)
    now[0] = 1.9
    too_soon = made.sampled(world.today, ["AA"], 78)
    now[0] = 2.0
    same = made.sampled(world.today, ["AA"], 79)
    world.tick("AA", 15.0, 4.0)
    now[0] = 4.0
    news = made.sampled(world.today, ["AA"], 80)

    assert [("AA", "1d", 12.0, 2.0, 77), ("AA", "8d", 12.0, 3.0, 77)] == [
        (bar.symbol, bar.interval, bar.close, bar.volume, bar.time) for bar in only_bars(first)
    ]
    assert ([], []) == (too_soon, same)
    assert [("1d", 15.0, 6.0, 80), ("8d", 15.0, 7.0, 80)] == [
        (bar.interval, bar.close, bar.volume, bar.time) for bar in only_bars(news)
    ]
    assert {"forming"} == {bar[-1] for bar in first + news}


def test_who_did_not_trade_today_is_not_sampled(world: World) -> None:
    made = flow(world, regular("AA", "8d"))
    made.take(world.today)
    world.end_day()
    world.tick("B", 9.0, 1.0)

    assert [] == made.sampled(world.today, ["AA"], 77)


def test_prices_and_other_bars_pass_as_they_are(world: World) -> None:
    made = flow(world, regular("AA", "3d"))
    made.take(world.today)
    day = day_of(world, "AA")
    hour = day._replace(interval="1h")
    other = day._replace(start=midnight(world.table[world.told - 1]))
    seen: list[Seen] = [Tick("AA", 5, 1, 10.0), hour, other, day, Tick("AA", 6, 1, 10.0)]

    formed = made.formed(seen, world.today)

    assert seen == [each for each in formed if not (isinstance(each, SeenBar) and each[1] == "3d")]
    assert ("3d", seen[3][0]) == (formed[4][1], formed[4][0])


def test_a_session_that_batch_has_covered_forms_nothing_more(world: World) -> None:
    day, session = day_of(world, "AA"), world.today
    world.end_day()
    world.commit()
    made = flow(world, regular("AA", "3d"))
    made.take(session)

    assert [day] == made.formed([day], session)


class Failing(LakeHistory):
    """A history of a lake, or of a view, that does not answer now and then."""

    failing: type[StoreError | ViewError] | None = None
    asked = 0

    def boundary(self) -> dt.date | None:
        self._fail()
        return super().boundary()

    def forming(self, *asked: Any) -> dict[BarsKey, SeenBar]:
        self._fail()
        return super().forming(*asked)

    def _fail(self) -> None:
        self.asked += 1
        if self.failing:
            fact = "It is away."
            raise self.failing(fact)


@pytest.mark.parametrize("error", [StoreError, ViewError])
def test_while_the_lake_is_away_nothing_is_told_and_nothing_is_lost(
    world: World, error: type[StoreError | ViewError]
) -> None:
    now = [0.0]
    kept = Failing(Reader(world.lake.store, SetClock(NOW)), world.view)
    made = SessionFlow(kept, world.table, clock=lambda: now[0])
    made.want([regular("AA", "1d")], [regular("AA", "5d")])
    made.take(world.today)
    day, session = day_of(world, "AA"), world.today
    kept.failing = error

    assert ([day], "It is away.") == (made.formed([day], session), made.away)
    assert [day] == made.formed([day], session)
    assert 2 == kept.asked
    world.end_day()
    world.commit()
    now[0] = 2.0
    assert [] == made.take(session)
    kept.failing = None
    now[0] = 4.0

    assert ["1d"] == [bar[1] for bar in made.take(session)]
    assert made.away is None


def test_the_lake_is_not_looked_at_more_often_than_it_may_be(world: World) -> None:
    now = [0.0]
    kept = Failing(Reader(world.lake.store, SetClock(NOW)), world.view)
    made = SessionFlow(kept, world.table, every_s=2.0, clock=lambda: now[0])
    made.want([regular("AA", "1d")], ())
    for _ in range(10):
        made.take(world.today)
        now[0] += 0.5

    assert 3 == kept.asked


def test_rows_of_what_is_wanted_no_more_are_dropped(world: World) -> None:
    made = flow(world, regular("AA", "1d"), regular("AA", "3d"), ("AA", "1h", "regular"))
    made.take(world.today)
    rows = kept_of(made)
    assert {"closed AA 1d", "closed AA 3d"} == rows.keys()

    made.want([regular("AA", "3d")], ())
    assert {"closed AA 1d": None} == made.changed()

    again = flow(world, regular("AA", "3d"), rows=rows)
    again.take(world.today)
    assert {"closed AA 1d": None} == again.changed()


def test_every_longer_interval_is_formed(world: World) -> None:
    keys = [regular("AA", interval) for interval in FIBONACCI]
    made = flow(world, *keys)
    made.take(world.today)

    formed = made.formed([day_of(world, "AA")], world.today)

    assert ["1d", *map(str, FIBONACCI)] == [bar[1] for bar in formed]
