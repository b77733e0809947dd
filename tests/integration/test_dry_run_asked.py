"""What is asked of dry runs, over HTTP too: spans, outcomes, recorded events; what is refused."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import shutil
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic_core import to_jsonable_python

from batch_layer.generating.trading.recording import record
from fiblake import Lake
from fiblake.alerts.dry_run import dry_runs
from fiblake.alerts.recorded_events import RecordedEvents
from lake.alerts.rule import parse_rule
from lake.clock import SetClock
from lake.errors import (
    EmptyLakeError,
    FiblakeError,
    GivenUpError,
    InvalidRangeError,
    MisuseError,
    NoFeedError,
    NotFoundError,
    TooManyRequestsError,
    UnknownSymbolError,
)
from lake.event import Event
from lake.session import SessionTable
from serving_layer.alerts import dry_run
from serving_layer.alerts.dry_run import DryRun, DryRuns, parse_resolution
from serving_layer.alerts.dry_run_routes import DryRunTurns
from serving_layer.alerts.outcomes import HORIZONS, Outcome, Summary, summaries
from serving_layer.alerts.span import Limits
from serving_layer.app import create_app
from serving_layer.merged import MergedReader
from tests.access import serving
from tests.alert_oracle import Told, told_of_prices
from tests.api import Api, problem
from tests.dry_runs import (
    FIRST,
    LAST,
    MINUTES,
    RENAMED,
    SPLIT,
    Market,
    filled,
    made_up,
    rule_of,
    runs_of,
)
from tests.frames import KNOWN
from tests.minutes import ZONE, at
from tests.trading import frame, trade

DAY = dt.timedelta(days=1)
HIGH = {"kind": "close", "interval": "13d", "relation": "above", "than": {"range": 1}}
UP = {"kind": "price", "relation": "above", "level": 50.0}
FIVE = {"kind": "close", "interval": "5m", "relation": "above", "than": {"level": 50.0}}
QUICK = {"kind": "move", "percent": 1, "window": "15m"}


@pytest.fixture(scope="module")
def market(sessions: SessionTable) -> Market:
    return made_up(sessions, 1)


@pytest.fixture(scope="module")
def past_lake(blank_lake: Path, tmp_path_factory: pytest.TempPathFactory, market: Market) -> Lake:
    folder = tmp_path_factory.mktemp("asked") / "lake"
    shutil.copytree(blank_lake, folder)
    return filled(folder, market)


@pytest.fixture(scope="module")
def runs(past_lake: Lake) -> DryRuns:
    return runs_of(past_lake)


def run(runs: DryRuns, condition: dict[str, Any], *asked: Any, **said: Any) -> DryRun:
    symbol = said.pop("symbol", "PLAIN")
    return runs.run(parse_rule(rule_of(condition, symbol, **said)), *asked)


def test_a_run_is_of_all_there_is_or_of_the_sessions_asked_for(runs: DryRuns) -> None:
    spans = [
        run(runs, UP),
        run(runs, UP, dt.date(2012, 6, 2), dt.date(2012, 6, 10)),
        run(runs, UP, dt.date(2012, 9, 1), dt.date(2030, 1, 1)),
        run(runs, UP, None, None, "1m"),
    ]

    assert [
        (FIRST, LAST, 148),
        (dt.date(2012, 6, 4), dt.date(2012, 6, 8), 5),
        (dt.date(2012, 9, 4), LAST, 19),
        (MINUTES[0], MINUTES[-1], 3),
    ] == [(each.start, each.end, each.sessions) for each in spans]


def test_sessions_without_prices_are_counted(runs: DryRuns, market: Market) -> None:
    found = run(runs, HIGH)

    assert 148 - len(market.days["PLAIN"]) == found.untold > 0


def test_a_rule_that_fires_once_ends_the_run(runs: DryRuns) -> None:
    once, all_ = (run(runs, UP, repeat=repeat) for repeat in (False, True))

    assert 1 == once.fired < all_.fired
    assert all_.firings[:1] == once.firings
    assert once.seen < all_.seen


def test_cooldown_and_hours_of_the_day_hold_as_they_do_live(runs: DryRuns) -> None:
    free = run(runs, UP)
    rare = run(runs, UP, cooldown_seconds=10 * 86_400)
    morning = run(runs, UP, active={"start": "09:30", "end": "10:00"})

    times = [each.time for each in rare.firings]
    assert 1 < len(times) < free.fired
    assert all(later - time >= 10 * DAY for time, later in itertools.pairwise(times))
    assert morning.fired
    assert {dt.time(9, 30)} == {each.time.astimezone(ZONE).time() for each in morning.firings}


def test_outcomes_are_the_closes_so_many_sessions_later(
    runs: DryRuns, market: Market, sessions: SessionTable
) -> None:
    found = run(runs, UP)

    closes = {row["session"]: row["close"] for row in market.days["PLAIN"]}
    last = max(closes)
    assert found.firings
    for firing in found.firings:
        ordinal = sessions.ordinal(firing.time.date())
        assert ordinal is not None
        for outcome, ahead in zip(firing.outcomes, (1, 3, 5, 8, 13), strict=True):
            session = sessions[ordinal + ahead]
            if session > last:
                assert Outcome(ahead, None, None, None) == outcome
                continue
            close = closes[max(day for day in closes if day <= session)]
            percent = pytest.approx(100 * (close - firing.price) / firing.price)
            assert (ahead, session, close) == (outcome.sessions, outcome.session, outcome.close)
            assert percent == outcome.change_percent
    assert None in {each.close for each in found.firings[-1].outcomes}


def test_a_summary_is_of_the_outcomes_that_are_known() -> None:
    def outcomes(*changes: float | None) -> list[Outcome]:
        return [
            Outcome(ahead, FIRST, 1.0, change)
            for ahead, change in zip(HORIZONS, changes, strict=True)
        ]

    found = summaries([outcomes(1, -1, None, 2, None), outcomes(2, -2, 4, 2, None)])
    found += summaries([])

    none = [Summary(ahead, 0, None, None, None) for ahead in HORIZONS]
    assert [
        Summary(1, 2, 1.5, 1.5, 1.0),
        Summary(3, 2, -1.5, -1.5, 0.0),
        Summary(5, 1, 4, 4, 1.0),
        Summary(8, 2, 2, 2, 1.0),
        *none[4:],
        *none,
    ] == found


def test_only_the_first_firings_are_listed_and_all_are_counted(
    runs: DryRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(runs, UP)
    monkeypatch.setattr(dry_run, "MOST_LISTED", 3)

    found = run(runs, UP)

    assert whole.fired == found.fired > 3
    assert whole.firings[:3] == found.firings
    assert whole.outcomes == found.outcomes


REFUSED: list[tuple[dict[str, Any], tuple[Any, ...], type[FiblakeError], str]] = [
    (UP, (LAST, FIRST), InvalidRangeError, "The start 2012-09-28 is after the end 2012-03-01"),
    (UP, (dt.date(1999, 1, 4),), InvalidRangeError, "has daily bars from 2012-03-01 on"),
    (UP, (dt.date(2020, 1, 2),), InvalidRangeError, "has daily bars until 2012-09-28"),
    (UP, (dt.date(2012, 6, 2), dt.date(2012, 6, 3)), InvalidRangeError, "ask for more days"),
    (UP, (FIRST, None, "1m"), InvalidRangeError, "has 1m bars from 2012-07-02 on"),
    (FIVE, (FIRST,), InvalidRangeError, "has 5m bars from 2012-07-02 on, and the start is 2012-03"),
    (QUICK, (), MisuseError, "A move over 15m is not to be seen in daily bars. Hint: ask for"),
    (UP, (None, None, "ticks"), NoFeedError, "What was recorded of the live flow is not told here"),
]


@pytest.mark.parametrize(("condition", "asked", "kind", "told"), REFUSED)
def test_what_cannot_be_is_refused(
    runs: DryRuns, condition: Any, asked: Any, kind: type[FiblakeError], told: str
) -> None:
    with pytest.raises(kind, match=told):
        run(runs, condition, *asked)


def test_what_the_lake_has_not_is_told(sample_lake: Lake, past_lake: Lake, lake: Lake) -> None:
    sample = runs_of(sample_lake)

    with pytest.raises(UnknownSymbolError, match="NOPE: no such symbol in the lake"):
        run(sample, UP, symbol="NOPE")
    with pytest.raises(EmptyLakeError, match=r"holds no 1m bars yet. Hint: fiblake fetch minutes"):
        run(sample, UP, None, None, "1m", symbol="AAPL")
    with pytest.raises(EmptyLakeError, match="holds no 5m bars yet"):
        run(sample, FIVE, symbol="AAPL")
    with pytest.raises(NotFoundError, match="No events are recorded in"):
        run(dry_runs(past_lake), UP, None, None, "ticks")
    with pytest.raises(EmptyLakeError, match=r"is empty|holds no 1d bars"):
        run(runs_of(lake), UP)
    with pytest.raises(MisuseError, match=r"'1h' is not a resolution. Allowed: 1d, 1m, ticks"):
        parse_resolution("1h")


def test_who_asks_over_http_may_ask_for_so_much(past_lake: Lake) -> None:
    reader = past_lake.reader
    few = DryRuns(reader, MergedReader(reader), limits=Limits(looks=2 * 2 * 960))
    forming = {**FIVE, "state": "forming"}
    several = {"kind": "all", "of": [FIVE, forming, {**FIVE, "hours": "extended"}]}

    with pytest.raises(InvalidRangeError, match=r"3 sessions of 1m bars are too many at a time"):
        run(few, UP, MINUTES[0], None, "1m")

    assert 3 == run(few, FIVE, *MINUTES[::2]).sessions
    assert 2 == run(few, UP, *MINUTES[:2], "1m").sessions
    # Each condition counts, and what forms with each minute; without a start the last ones are run.
    latest = [run(few, each, None, None, "1m") for each in (UP, FIVE, several)]
    assert [(MINUTES[1], 2), (MINUTES[0], 3), (MINUTES[2], 1)] == [
        (each.start, each.sessions) for each in latest
    ]


def test_a_session_that_is_told_again_is_still_to_come(past_lake: Lake) -> None:
    reader = past_lake.reader
    again = DryRuns(reader, MergedReader(reader, told_again=MINUTES[1]))

    for resolution in ("1d", "1m"):
        found = run(again, UP, None, LAST, resolution)

        whole = run(runs_of(past_lake), UP, None, MINUTES[0], resolution)
        assert MINUTES[0] == found.end
        assert [(each.time, each.text) for each in whole.firings] == [
            (each.time, each.text) for each in found.firings
        ]
        known = [each.session for firing in found.firings for each in firing.outcomes]
        assert found.firings
        assert all(each <= MINUTES[0] for each in known if each)


def test_as_many_bars_before_the_start_are_found_as_a_rule_looks_at(
    past_lake: Lake, market: Market
) -> None:
    any_volume = {"kind": "volume", "interval": "5m", "times": 0.001, "average": 40}

    found = run(runs_of(past_lake), any_volume, MINUTES[2], None, "1m")
    none = run(runs_of(past_lake), {**any_volume, "average": 240}, MINUTES[2], None, "1m")

    opens = at(MINUTES[2], "09:30")
    first = min(row["start"] for row in market.minutes if row["start"] >= opens)
    assert first < opens + dt.timedelta(minutes=5)
    assert [opens + dt.timedelta(minutes=5)] == [each.time for each in found.firings]
    assert 0 == none.fired


def recorded(past_lake: Lake, tmp_path: Path, events: Sequence[Event]) -> Lake:
    """Return a copy of a lake in which events are recorded."""
    shutil.copytree(past_lake.store.location, tmp_path / "lake", copy_function=shutil.copy2)
    lake = Lake(tmp_path / "lake", clock=SetClock(KNOWN))
    by_session: dict[dt.date, list[Event]] = {}
    for event in events:
        by_session.setdefault(_session(event), []).append(event)
    for session, told in by_session.items():
        record(lake.store, "test", session, frame(told))
    return lake


def _session(event: Event) -> dt.date:
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=event.time)).date()


def times(first: str, count: int, seconds: int) -> list[str]:
    begin = dt.datetime.combine(FIRST, dt.time.fromisoformat(first))
    return [
        (begin + each * dt.timedelta(seconds=seconds)).time().isoformat() for each in range(count)
    ]


def test_recorded_prices_are_seen_under_the_name_and_on_the_basis_of_the_present(
    past_lake: Lake, tmp_path: Path
) -> None:
    eve = SPLIT - DAY
    prices = [48.0, 51.0, 49.5, 52.0, 50.0, 50.5]
    told = list(zip(times("10:00:00", 6, 700), prices, strict=True))
    events = [trade(RENAMED - DAY, time, price, symbol="OLD") for time, price in told]
    events += [trade(RENAMED, time, price, symbol="NEW") for time, price in told]
    # Another one's old name, and others: they are not of the rule's symbol.
    events += [trade(RENAMED, time, 99.0, symbol="OLD") for time, _ in told]
    events += [trade(eve, time, 2 * price, symbol="SPLIT") for time, price in told]
    events += [trade(SPLIT, time, price, symbol="SPLIT") for time, price in told]
    runs = dry_runs(recorded(past_lake, tmp_path, sorted(events, key=lambda each: each.time)))

    renamed, divided = (
        run(runs, UP, first, last, "ticks", symbol=symbol)
        for symbol, first, last in (("NEW", RENAMED - DAY, RENAMED), ("SPLIT", eve, SPLIT))
    )

    for found, days in ((renamed, (RENAMED - DAY, RENAMED)), (divided, (eve, SPLIT))):
        path: Told = [(at(day, time), price) for day in days for time, price in told]
        expected = told_of_prices(path, UP)
        assert expected == [(each.time, each.price) for each in found.firings]
        assert (6, 0, 2) == (found.fired, found.untold, found.sessions)


def test_recorded_events_make_bars_as_they_do_live(past_lake: Lake, tmp_path: Path) -> None:
    session = MINUTES[0]
    lows, highs = ([48.0] * 3, [52.0] * 3)
    prices = [*lows, *highs, *lows, *highs]
    told = list(zip(times("10:00:10", 12, 100), prices, strict=True))
    events = [trade(session, time, price, symbol="PLAIN") for time, price in told]
    # Of others: it tells that time goes by.
    events += [trade(session, "15:00:00", 9.0, symbol="OTHER")]
    runs = dry_runs(recorded(past_lake, tmp_path, events))

    five = run(runs, FIVE, session, session, "ticks")
    with pytest.raises(UnknownSymbolError, match=r"NOPE: no such symbol in the lake, nor in what"):
        run(runs, UP, None, None, "ticks", symbol="NOPE")
    other = run(runs, {**UP, "level": 8.0}, None, None, "ticks", symbol="OTHER")
    high = run(runs, {**HIGH, "interval": "1d"}, None, None, "ticks")
    by_days = run(runs, {**HIGH, "interval": "1d"}, session, session)

    grace = dt.timedelta(seconds=5)
    assert [at(session, "10:10") + grace, at(session, "10:20") + grace] == [
        each.time for each in five.firings
    ]
    assert {52.0} == {each.price for each in five.firings}
    assert (session, session) == (high.start, high.end)
    assert by_days.firings == high.firings
    assert [(at(session, "15:00"), 9.0, {None})] == [
        (each.time, each.price, {outcome.close for outcome in each.outcomes})
        for each in other.firings
    ]


def test_events_of_several_sources_are_told_in_order_and_counted(
    past_lake: Lake, tmp_path: Path
) -> None:
    session = MINUTES[0]
    prices = [48.0, 52.0, 49.0, 51.0, 47.0, 53.0, 48.5, 51.5]
    told = list(zip(times("10:00:00", 8, 90), prices, strict=True))
    events = [trade(session, time, price, symbol="PLAIN") for time, price in told]
    lake = recorded(past_lake, tmp_path, events[::2])
    record(lake.store, "other", session, frame(events[1::2]), each=2)
    found = run(dry_runs(lake), UP, None, None, "ticks")
    reader = lake.reader
    events_of = RecordedEvents(lake.store, lake.settings)
    merged = MergedReader(reader)
    few, enough = (DryRuns(reader, merged, events_of, Limits(events=most)) for most in (7, 8))

    path: Told = [(at(session, time), price) for time, price in told]
    assert told_of_prices(path, UP) == [(each.time, each.price) for each in found.firings]
    assert 4 == found.fired == run(enough, UP, None, None, "ticks").fired
    with pytest.raises(InvalidRangeError, match=r"From 2012-07-02 to .* more than 7 events are"):
        run(few, UP, None, None, "ticks")


def test_the_route_answers_what_the_lake_does(past_lake: Lake, runs: DryRuns) -> None:
    api = Api(past_lake)
    rule = rule_of(UP)

    answer = api.post("/v1/alerts/dry-run?start=2012-06-01&end=2012-07-31", rule)

    expected = asdict(run(runs, UP, dt.date(2012, 6, 1), dt.date(2012, 7, 31)))
    assert 200 == answer.status_code
    assert to_jsonable_python(expected) == answer.json()
    assert answer.json()["rule"]["when"] == rule["when"] | {"hysteresis_percent": 0.0}
    one = answer.json()["firings"][0]
    assert {"time", "price", "text", "outcomes"} == set(one)
    assert {"sessions", "session", "close", "change_percent"} == set(one["outcomes"][0])
    assert {"sessions", "count", "mean_percent", "median_percent", "up_share"} == set(
        answer.json()["outcomes"][0]
    )


@pytest.mark.parametrize(
    ("asked", "rule", "status", "told"),
    [
        ("", rule_of(UP, "NOPE"), 404, "NOPE: no such symbol in the lake"),
        ("?start=2012-07-02&end=2012-07-01", rule_of(UP), 400, "is after the end 2012-07-01"),
        ("?start=yesterday", rule_of(UP), 422, "a date is written YYYY-MM-DD"),
        ("?resolution=1h", rule_of(UP), 422, "resolution='1h'"),
        ("?resolution=ticks", rule_of(UP), 404, "is not told here"),
        ("", rule_of({"kind": "price"}), 422, "level: Field required"),
        ("", {"symbol": "PLAIN"}, 422, "when: Field required"),
    ],
)
def test_what_cannot_be_asked_for_is_a_problem(
    past_lake: Lake, asked: str, rule: Any, status: int, told: str
) -> None:
    answer = Api(past_lake).post(f"/v1/alerts/dry-run{asked}", rule)

    assert status == answer.status_code
    assert told in problem(answer)["detail"]


async def stays() -> bool:
    return False


def test_runs_take_turns_and_no_more_than_some_wait() -> None:
    free, begun = threading.Event(), threading.Event()
    at_once, most = [0], [0]

    def work(*_: object) -> Any:
        at_once[0] += 1
        most[0] = max(at_once[0], most[0])
        begun.set()
        assert free.wait(30)
        at_once[0] -= 1
        return "done"

    async def ask() -> list[Any]:
        turns = DryRunTurns(None)  # type: ignore[arg-type]
        asked = [asyncio.create_task(turns.do(str(each), stays, work)) for each in range(10)]
        assert await asyncio.to_thread(begun.wait, 30)
        late = [each for each in asked if each.done()]
        free.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [found[-1]] == [each.exception() for each in late]
        return [*found, await turns.do("0", stays, work)]

    *found, again = asyncio.run(ask())

    assert ["done"] * 9 == found[:9]
    assert isinstance(found[9], TooManyRequestsError)
    assert ("done", 1) == (again, most[0])


def test_one_owner_leaves_places_for_others() -> None:
    free = threading.Event()

    def work(*_: object) -> Any:
        assert free.wait(30)
        return "done"

    async def ask() -> list[Any]:
        turns = DryRunTurns(None)  # type: ignore[arg-type]
        asked = [asyncio.create_task(turns.do(each, stays, work)) for each in "aaaab"]
        await asyncio.sleep(0)
        free.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    *found, third, fourth, other = asyncio.run(ask())

    assert ["done"] * 3 == [*found, other]
    assert "2 of your dry runs are under way. Hint: ask again." == str(third) == str(fourth)


def test_a_run_is_given_up_when_who_asked_leaves(past_lake: Lake) -> None:
    """One that waits, too; the one that runs keeps its place until it has ended."""
    begun, free = threading.Event(), threading.Event()
    left: list[bool] = []

    def work(runs: DryRuns, stop: threading.Event) -> DryRun:
        begun.set()
        assert stop.wait(30)
        assert free.wait(30)
        return runs.run(parse_rule(rule_of(UP)), stop=stop)

    async def is_gone() -> bool:
        return bool(left)

    async def ask() -> list[Any]:
        turns = DryRunTurns(runs_of(past_lake))
        asked = [asyncio.create_task(turns.do("a", is_gone, work)) for _ in range(2)]
        assert await asyncio.to_thread(begun.wait, 30)
        left.append(True)
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert ["a"] == [each.owner for each in turns._here]  # noqa: SLF001 - nothing else tells
        free.set()
        rule = parse_rule(rule_of(UP))
        return [*found, await turns.do("a", stays, lambda runs, stop: runs.run(rule, stop=stop))]

    first, second, after = asyncio.run(ask())

    assert ["Who asked has left."] * 2 == [str(first), str(second)]
    assert after.fired


def test_the_server_sees_that_who_asked_has_left(past_lake: Lake) -> None:
    app = create_app(past_lake.reader)
    begun, ended = threading.Event(), threading.Event()

    def wait(*asked: Any) -> DryRun:
        begun.set()
        assert asked[-1].wait(30)
        ended.set()
        raise GivenUpError("given up")  # noqa: EM101, TRY003 - as a run does

    app.state.dry_runs.runs.run = wait
    with serving(app) as host:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"http://{host}/v1/alerts/dry-run", json=rule_of(UP), timeout=0.5)
        assert begun.wait(30)
        assert ended.wait(30)


def test_a_run_that_is_given_up_ends_between_two_parts(runs: DryRuns) -> None:
    stop = threading.Event()
    stop.set()

    with pytest.raises(GivenUpError):
        runs.run(parse_rule(rule_of(UP)), stop=stop)


def test_the_end_of_the_server_gives_up_all_runs() -> None:
    begun = threading.Event()

    def work(_: DryRuns, stop: threading.Event) -> DryRun:
        begun.set()
        assert stop.wait(30)
        raise GivenUpError("given up")  # noqa: EM101, TRY003 - as a run does

    async def ask() -> list[Any]:
        turns = DryRunTurns(None)  # type: ignore[arg-type]
        asked = [asyncio.create_task(turns.do(each, stays, work)) for each in "ab"]
        assert await asyncio.to_thread(begun.wait, 30)
        turns.end()
        asked.append(asyncio.create_task(turns.do("c", stays, work)))
        return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(ask())

    assert ["given up", "The server ends.", "The server ends."] == list(map(str, found))


def test_a_rule_that_is_over_is_told_to_be(runs: DryRuns) -> None:
    over, later = "2012-03-05T00:00:00Z", "2013-01-01T00:00:00Z"

    found = [run(runs, UP, repeat=True, **said) for said in ({}, {"expires": over})]
    lasting = run(runs, UP, expires=later)

    assert (None, None) == (found[0].expired, lasting.expired)
    assert dt.datetime(2012, 3, 5, tzinfo=dt.UTC) == found[1].expired
    assert found[1].fired < found[0].fired == lasting.fired
    assert lasting.fired == found[0].fired


def test_a_run_does_not_hold_up_the_loop(past_lake: Lake) -> None:
    app = create_app(past_lake.reader)
    free = threading.Event()
    runs = app.state.dry_runs.runs
    real = runs.run

    def slow(*asked: Any) -> DryRun:
        assert free.wait(30)
        found: DryRun = real(*asked)
        return found

    runs.run = slow

    async def ask() -> tuple[int, int]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            dry = asyncio.create_task(client.post("/v1/alerts/dry-run", json=rule_of(UP)))
            await asyncio.sleep(0)
            alive = await client.get("/health/live")
            free.set()
            return alive.status_code, (await dry).status_code

    assert (200, 200) == asyncio.run(ask())
