"""Dry runs over HTTP: they take turns, and are given up when who asked has left."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from dataclasses import asdict
from typing import Any

import httpx
import pytest
from pydantic_core import to_jsonable_python

from fiblake import Lake
from lake.alerts.rule import parse_rule
from lake.errors import GivenUpError, TooManyRequestsError
from serving_layer.alerts.dry_run import DryRun, DryRuns
from serving_layer.alerts.dry_run_routes import DryRunTurns
from serving_layer.app import create_app
from tests.access import serving
from tests.api import Api, problem
from tests.dry_runs import rule_of, runs_of
from tests.past_lake import UP, run


def test_the_route_answers_what_the_lake_does(past_lake: Lake, past_runs: DryRuns) -> None:
    api = Api(past_lake)
    rule = rule_of(UP)

    answer = api.post("/v1/alerts/dry-run?start=2012-06-01&end=2012-07-31", rule)

    expected = asdict(run(past_runs, UP, dt.date(2012, 6, 1), dt.date(2012, 7, 31)))
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


def test_a_run_that_is_given_up_ends_between_two_parts(past_runs: DryRuns) -> None:
    stop = threading.Event()
    stop.set()

    with pytest.raises(GivenUpError):
        past_runs.run(parse_rule(rule_of(UP)), stop=stop)


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
