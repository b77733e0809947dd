"""The daily chain as it is synthesised, in an interpreter of Amazon's States Language.

First with real handlers against the local vendor, and real jobs as processes; then what it does
about all that can go wrong, with functions and jobs that are told to.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from batch_layer import handlers
from batch_layer.local_vendor import LocalVendor
from fiblake import Lake
from infra.chain import JOBS, KINDS
from lake.boundary import read_boundary
from lake.errors import MisuseError, VendorError
from lake.interval import Interval
from tests.batch import start_child
from tests.fetching import Fetching, asked, bars_of, sold
from tests.frames import silver
from tests.integration.test_handlers import Minutes
from tests.stepping import Aws, Event, Ran, StepFunctions, chain, hurried, stepping

START: Final = dt.date(2013, 1, 14)
END: Final = dt.date(2013, 1, 18)
SPAN: Final = {"start": "2013-01-14", "end": "2013-01-18"}
DONE: Final[Event] = {"state": "done", "next": None}
TELL: Final = "Tell of what failed"


@pytest.fixture(scope="module")
def machines() -> Iterator[tuple[Aws, StepFunctions]]:
    yield from stepping()


@pytest.fixture
def aws(machines: tuple[Aws, StepFunctions]) -> Aws:
    machines[0].forget()
    return machines[0]


@pytest.fixture(scope="module")
def machine(machines: tuple[Aws, StepFunctions]) -> str:
    return machines[1].create(hurried(chain("prod")))


@pytest.fixture
def run(machines: tuple[Aws, StepFunctions], machine: str, aws: Aws) -> Any:
    del aws

    def run_(asked_for: Event) -> Ran:
        return machines[1].run(machine, asked_for)

    return run_


def invoked(aws: Aws, kind: str) -> list[Event]:
    return [event for each, event in aws.invoked if each == kind]


def commands(aws: Aws) -> list[str]:
    return [order["containerOverrides"]["command"][0] for order in aws.submitted]


class Processes:
    """Jobs of AWS Batch as processes, all children at once."""

    def __init__(self, lake: Lake) -> None:
        self._told = {"FIBLAKE_LAKE": lake.store.location}
        self.children: list[int] = []

    def __call__(self, command: list[str], children: int) -> bool:
        self.children.append(children)
        with ExitStack() as stack:
            started = [
                stack.enter_context(start_child(self._told | _place(index, children), *command))
                for index in range(children)
            ]
            return all(child.finish()[0] == 0 for child in started)


def _place(index: int, children: int) -> dict[str, str]:
    if children == 1:
        return {}
    return {"AWS_BATCH_JOB_ARRAY_INDEX": str(index), "AWS_BATCH_JOB_ARRAY_SIZE": str(children)}


def test_an_evening_brings_what_is_missing_to_silver_function_by_function_and_job_by_job(
    aws: Aws,
    run: Any,
    fetching: Fetching,
    vendor: LocalVendor,
    vendor_lake_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake, alone = fetching(name="chained"), fetching(name="alone")
    monkeypatch.setenv("FIBLAKE_LAKE", lake.store.location)
    monkeypatch.setenv("FIBLAKE_FETCH_WORKERS", "1")

    def function(kind: str, event: Event) -> Event:
        # Time for some sessions, and not for all: the chain goes on with what is left.
        return dict(getattr(handlers, kind)(event, Minutes(left=15, cost=2.5)))

    aws.functions = function
    aws.jobs = processes = Processes(lake)

    ended = run({"daily": SPAN})

    assert ("SUCCEEDED", None) == (ended.status, ended.error)
    assert [] == aws.messages
    assert len(invoked(aws, "daily")) > 1
    assert "Go on with daily" in ended.states
    assert sold(vendor_lake_folder, START, END).equals(bars_of(lake.store, START, END))
    assert len(asked(vendor)) == len(set(asked(vendor)))
    assert [1, 4, 1] == processes.children
    assert list(JOBS) == commands(aws)
    assert END == read_boundary(lake.store).daily
    alone.fetch_daily(start=START, end=END)
    alone.resample()
    for interval in map(Interval.parse, ("3d", "13d")):
        assert silver(alone.store, interval).equals(silver(lake.store, interval))


def test_only_what_is_asked_for_is_fetched_and_daily_bars_always(aws: Aws, run: Any) -> None:
    assert "SUCCEEDED" == run({}).status
    assert [("daily", {})] == aws.invoked

    aws.forget()
    assert "SUCCEEDED" == run({"minutes": {}, "reference": SPAN}).status
    assert [("reference", SPAN), ("daily", {}), ("minutes", {})] == aws.invoked
    assert ["reference", "daily", "minutes"] == list(KINDS)


def test_jobs_are_submitted_as_the_image_and_the_definition_want_it(aws: Aws, run: Any) -> None:
    run({})

    trades, resample, reconcile = aws.submitted
    assert {"size": 4} == resample["arrayProperties"]
    assert "arrayProperties" not in trades | reconcile
    assert {True} == {"Definition" in each["jobDefinition"] for each in aws.submitted}
    assert {True} == {"Queue" in each["jobQueue"] for each in aws.submitted}


def test_who_holds_the_lease_of_a_source_is_waited_for(aws: Aws, run: Any) -> None:
    answers = iter([{"state": "busy", "source": "massive"}] * 2 + [DONE])
    aws.functions = lambda _kind, _event: next(answers)

    ended = run({"daily": SPAN})

    assert "SUCCEEDED" == ended.status
    assert 2 == ended.states.count("Wait for daily")
    assert [SPAN] * 3 == invoked(aws, "daily")


def test_what_is_left_is_asked_for_next(aws: Aws, run: Any) -> None:
    rest = {"source": "massive", "start": "2013-01-16"}
    answers = iter([{"state": "continue", "next": rest}, DONE])
    aws.functions = lambda _kind, _event: next(answers)

    assert "SUCCEEDED" == run({"daily": SPAN}).status
    assert [SPAN, rest] == invoked(aws, "daily")


def test_a_vendor_that_is_down_keeps_from_bronze_nothing_that_was_recorded(
    aws: Aws, run: Any
) -> None:
    def function(kind: str, _event: Event) -> Event:
        if kind == "daily":
            msg = "Massive does not answer"
            raise VendorError(msg)
        return DONE

    aws.functions = function

    ended = run({"minutes": {}})

    assert ("FAILED", "ChainFailed") == (ended.status, ended.error)
    assert 4 == len(invoked(aws, "daily"))  # it is tried again three times
    assert [{}] == invoked(aws, "minutes")
    assert list(JOBS) == commands(aws)
    (message,) = aws.messages
    assert {"daily"} == set(message["failed"])
    assert "VendorError" == message["failed"]["daily"]["Error"]
    assert {"minutes": {}} == message["input"]
    assert "Massive does not answer" in (ended.cause or "")


def test_what_cannot_be_asked_for_is_not_asked_for_again(aws: Aws, run: Any) -> None:
    def function(_kind: str, _event: Event) -> Event:
        msg = "The event has form."
        raise MisuseError(msg)

    aws.functions = function

    assert "FAILED" == run({"daily": {"form": "x"}}).status
    assert 1 == len(invoked(aws, "daily"))


@pytest.mark.parametrize("failing", JOBS)
def test_a_job_that_failed_is_noted_and_the_others_run(aws: Aws, run: Any, failing: str) -> None:
    aws.jobs = lambda command, _children: command != [failing]

    ended = run({})

    assert "FAILED" == ended.status
    assert [TELL, "Failed"] == ended.states[-2:]
    assert list(JOBS) == commands(aws)  # AWS Batch itself tries a job again, not the chain
    (message,) = aws.messages
    assert {failing} == set(message["failed"])


def test_all_that_failed_is_told_in_one_message(aws: Aws, run: Any) -> None:
    def function(_kind: str, _event: Event) -> Event:
        msg = "no right to read it"
        raise MisuseError(msg)

    aws.functions, aws.jobs = function, lambda _command, _children: False

    run({"minutes": {}, "reference": {}})

    (message,) = aws.messages
    assert {*KINDS, *JOBS} == set(message["failed"])


def test_a_job_that_cannot_be_submitted_is_submitted_again(aws: Aws, run: Any) -> None:
    aws.refusals = 2

    assert "SUCCEEDED" == run({}).status
    assert list(JOBS) == commands(aws)


def test_the_chain_of_a_small_system_is_the_same_without_an_array() -> None:
    whole, small = chain("prod"), chain("dev")

    resample = whole["States"]["resample"]["Parameters"]
    assert {"Size": 4} == resample.pop("ArrayProperties")
    assert whole == small


def test_every_state_is_reached_and_leads_to_an_end() -> None:
    definition = chain("prod")
    states: dict[str, Any] = definition["States"]
    reached, left = set[str](), [definition["StartAt"]]
    while left:
        name = left.pop()
        if name not in reached:
            reached.add(name)
            left += _next(states[name])

    assert set(states) == reached
    assert {"Done", "Failed"} == {name for name in states if not _next(states[name])}


def _next(state: dict[str, Any]) -> list[str]:
    catches = [each["Next"] for each in state.get("Catch", [])]
    choices = [each["Next"] for each in state.get("Choices", [])]
    ways = [state[name] for name in ("Next", "Default") if name in state]
    return [*ways, *catches, *choices]
