"""The daily chain: what happens after a session's close, as a state machine of Step Functions.

    reference*, daily, minutes*     a function each, again while its `state` is `continue` or `busy`
    trades, resample, reconcile     a job of AWS Batch each, the second one an array
                                    (* where the input of the execution asks for it)

What fails is noted, and the chain goes on: a vendor that is down must not keep from bronze what was
recorded. At its end a chain that noted something tells a queue of it, and fails.

The input is a JSON object with some of `daily`, `minutes`, `reference`: each an event of
`batch_layer.handlers`, as `{}` or `{"start": "2025-10-03"}`. Daily bars are always fetched.

Source: https://states-language.net/spec.html, and Step Functions' service integrations.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KINDS: Final = ("reference", "daily", "minutes")
"""What is fetched, in this order: splits are known before bars that they are needed for."""
JOBS: Final = ("trades", "resample", "reconcile")
TIMEOUT_S: Final = 12 * 3600
_DEFAULTS: Final = json.dumps({"daily": {}}, separators=(",", ":"))
_LOOK_AGAIN_S: Final = {"continue": 1, "busy": 120}
"""Fetching goes on at once; who holds the lease of the source is waited for."""
_KEPT_S: Final = 120
"""Live bars are kept in the lake some seconds after batch has covered them; then reconcile."""
_ALL: Final = ("States.ALL",)
_NOT_SUBMITTED: Final = (
    "Batch.ServerException",
    "Batch.AWSBatchException",
    "Batch.SdkClientException",
)
"""Of a job that failed, Step Functions says `States.TaskFailed`, which would match all of these."""
_TELL: Final = "Tell of what failed"

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the chain puts to work, by ARN.

    Attributes:
        functions: Of AWS Lambda, by kind.
        queue: Of AWS Batch.
        definition: Of AWS Batch.
        dead_letters: URL of the queue that is told of what failed.
        shares: Children that resample together; of one, the job is no array.
    """

    functions: Mapping[str, str]
    queue: str
    definition: str
    dead_letters: str
    shares: int


def chain(parts: Parts) -> dict[str, Any]:
    """Return the definition of the state machine, in Amazon's States Language."""
    begin = {
        "Type": "Pass",
        "Parameters": {
            "asked.$": f"States.JsonMerge(States.StringToJson('{_DEFAULTS}'), $, false)",
            "failed": {},
        },
        "Next": _asked(KINDS[0]),
    }
    states: dict[str, State] = {"Begin": begin}
    for kind, then in zip(KINDS, (*(_asked(each) for each in KINDS[1:]), JOBS[0]), strict=True):
        states |= _fetching(parts, kind, then)
    for job, then in zip(JOBS, (*JOBS[1:], _is_over()), strict=True):
        states |= _working(parts, job, "Wait for live bars" if then == "reconcile" else then)
    states["Wait for live bars"] = {"Type": "Wait", "Seconds": _KEPT_S, "Next": "reconcile"}
    return {
        "Comment": "What happens after a session's close.",
        "StartAt": "Begin",
        "TimeoutSeconds": TIMEOUT_S,
        "States": states | _ending(parts),
    }


def _asked(kind: str) -> str:
    return f"Is {kind} asked for"


def _is_over() -> str:
    return "Did something fail"


def _fetching(parts: Parts, kind: str, then: str) -> dict[str, State]:
    """Return the states that fetch a kind, until nothing is left of it."""
    fetch, state = f"Fetch {kind}", f"$.{kind}.state"
    asked = {"Variable": f"$.asked.{kind}", "IsPresent": True, "Next": fetch}
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {
            "FunctionName": parts.functions[kind],
            "Payload.$": f"$.asked.{kind}",
        },
        "ResultSelector": {"state.$": "$.Payload.state", "answer.$": "$.Payload"},
        "ResultPath": f"$.{kind}",
        "Retry": [
            # What cannot be asked for cannot be asked for again either.
            {"ErrorEquals": ["MisuseError"], "MaxAttempts": 0},
            _again(interval_s=120, attempts=3),
        ],
        "Catch": [_noted(kind, then)],
        "Next": f"Look at {kind}",
    }
    look = {
        "Type": "Choice",
        "Choices": [
            {"Variable": state, "StringEquals": "continue", "Next": f"Go on with {kind}"},
            {"Variable": state, "StringEquals": "busy", "Next": f"Wait for {kind}"},
        ],
        "Default": then,
    }
    go_on = {
        "Type": "Pass",
        "InputPath": f"$.{kind}.answer.next",
        "ResultPath": f"$.asked.{kind}",
        "Next": f"Breathe before {kind}",
    }
    return {
        _asked(kind): {"Type": "Choice", "Choices": [asked], "Default": then},
        fetch: task,
        f"Look at {kind}": look,
        f"Go on with {kind}": go_on,
        f"Breathe before {kind}": _wait("continue", fetch),
        f"Wait for {kind}": _wait("busy", fetch),
    }


def _working(parts: Parts, command: str, then: str) -> dict[str, State]:
    """Return the state that runs a job to its end."""
    array = command == "resample" and parts.shares > 1
    return {
        command: {
            "Type": "Task",
            "Resource": "arn:aws:states:::batch:submitJob.sync",
            "Parameters": {
                "JobName": f"fiblake-{command}",
                "JobQueue": parts.queue,
                "JobDefinition": parts.definition,
                "ContainerOverrides": {"Command": [command]},
            }
            | ({"ArrayProperties": {"Size": parts.shares}} if array else {}),
            "ResultSelector": {"state": "done"},
            "ResultPath": f"$.{command}",
            # Batch itself tries a job again; this is for what keeps one from being submitted.
            "Retry": [_again(interval_s=10, attempts=5, errors=_NOT_SUBMITTED)],
            "Catch": [_noted(command, then)],
            "Next": then,
        }
    }


def _ending(parts: Parts) -> dict[str, State]:
    """Return the states that tell whether all went well."""
    noted = [
        {"Variable": f"$.failed.{part}", "IsPresent": True, "Next": _TELL}
        for part in (*KINDS, *JOBS)
    ]
    return {
        _is_over(): {"Type": "Choice", "Choices": noted, "Default": "Done"},
        _TELL: {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage",
            "Parameters": {
                "QueueUrl": parts.dead_letters,
                "MessageBody": {
                    "chain.$": "$$.Execution.Id",
                    "input.$": "$$.Execution.Input",
                    "failed.$": "$.failed",
                },
            },
            "ResultSelector": {"state": "done"},
            "ResultPath": "$.told",
            "Retry": [_again(interval_s=10, attempts=5)],
            "Next": "Failed",
        },
        "Failed": {
            "Type": "Fail",
            "Error": "ChainFailed",
            "CausePath": "States.JsonToString($.failed)",
        },
        "Done": {"Type": "Succeed"},
    }


def _wait(state: str, then: str) -> State:
    return {"Type": "Wait", "Seconds": _LOOK_AGAIN_S[state], "Next": then}


def _again(*, interval_s: int, attempts: int, errors: Sequence[str] = _ALL) -> State:
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": interval_s,
        "MaxAttempts": attempts,
        "BackoffRate": 2,
        "JitterStrategy": "FULL",
    }


def _noted(part: str, then: str) -> State:
    return {"ErrorEquals": list(_ALL), "ResultPath": f"$.failed.{part}", "Next": then}
