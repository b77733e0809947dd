"""Step Functions as moto has it, and what its machines put to work as a test stands in for it.

A machine runs in moto's interpreter as it was synthesised; only its waits are cut short. What it
asks of AWS Lambda, AWS Batch and SQS comes to `Aws`: functions are called, and jobs are told what
becomes of them, by what the test gives.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

import boto3

from tests.moto_serially import REGION
from tests.parts import S3Server
from tests.templates import resources, templates

ROLE: Final = "arn:aws:iam::123456789012:role/chain"
_NONE: Final[Mapping[str, str]] = {}
_ENDED_S: Final = 60
_KIND: Final = re.compile(r"function:(\w+)$")

Event = dict[str, Any]
Functions = Callable[[str, Event], Event]
"""Of a kind and its event; what it raises is the function's error."""
Jobs = Callable[[list[str], int], bool]
"""Of a command and so many children; whether all of them succeeded."""


@dataclass
class Aws:
    """What machines put to work.

    Attributes:
        functions: AWS Lambda's.
        jobs: AWS Batch's.
        invoked: Which functions were called, with what.
        submitted: Which jobs were submitted.
        messages: What SQS was sent.
        refusals: So many submissions are refused first.
    """

    functions: Functions = lambda _kind, _event: {"state": "done", "next": None}
    jobs: Jobs = lambda _command, _children: True
    invoked: list[tuple[str, Event]] = field(default_factory=list)
    submitted: list[dict[str, Any]] = field(default_factory=list)
    messages: list[Event] = field(default_factory=list)
    refusals: int = 0
    _ended: dict[str, bool] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.aws = self
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """Be as new."""
        fresh = Aws()
        for name in ("functions", "jobs", "invoked", "submitted", "messages", "refusals"):
            setattr(self, name, getattr(fresh, name))

    def invoke(self, arn: str, event: Event) -> tuple[Event, str | None]:
        """Return a function's answer, or its error as Lambda tells it, and of which kind it is."""
        found = _KIND.search(arn)
        assert found, arn
        self.invoked.append((found[1], event))
        try:
            return self.functions(found[1], event), None
        except Exception as error:  # noqa: BLE001 - Lambda tells whatever a handler raises
            return {"errorType": type(error).__name__, "errorMessage": str(error)}, "Unhandled"

    def submit(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """Let a job run to its end, and return its name and number; None: it is refused."""
        if self.refusals:
            self.refusals -= 1
            return None
        self.submitted.append(order)
        job = str(uuid.uuid4())
        children = order.get("arrayProperties", {}).get("size", 1)
        self._ended[job] = self.jobs(order["containerOverrides"]["command"], children)
        return {"jobId": job, "jobName": order["jobName"]}

    def describe(self, job: str) -> dict[str, Any]:
        """Return what became of a job."""
        status = "SUCCEEDED" if self._ended[job] else "FAILED"
        about = {"jobName": "job", "jobQueue": "queue", "jobDefinition": "it", "startedAt": 1}
        return {"jobs": [{"jobId": job, "status": status} | about]}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    aws: Aws


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        told: dict[str, Any] = json.loads(body or b"{}")
        aws, path = self.server.aws, urllib.parse.unquote(self.path)
        if path.endswith("/invocations"):
            answer, error = aws.invoke(path.split("/")[3], told)
            self._answer(answer, {"X-Amz-Function-Error": error} if error else {})
        elif path == "/v1/submitjob":
            taken = aws.submit(told)
            refusal = {"__type": "ServerException", "message": "come back later"}
            self._answer(taken or refusal, status=200 if taken else 500)
        elif path == "/v1/describejobs":
            self._answer(aws.describe(told["jobs"][0]))
        else:
            assert self.headers["X-Amz-Target"] == "AmazonSQS.SendMessage"
            aws.messages.append(json.loads(told["MessageBody"]))
            self._answer({"MessageId": str(uuid.uuid4())})

    def _answer(
        self, told: dict[str, Any], headers: Mapping[str, str] = _NONE, status: int = 200
    ) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Ran:
    """An execution that has ended.

    Attributes:
        status: SUCCEEDED or FAILED.
        states: Those that it entered, in order.
        error: Of one that failed.
        cause: Likewise.
    """

    status: str
    states: list[str]
    error: str | None
    cause: str | None


class StepFunctions(S3Server):
    """moto's, whose machines ask `aws`."""

    def __init__(self, aws: Aws) -> None:
        super().__init__()
        self._aws = aws

    def command(self) -> list[str]:
        """Return what starts it."""
        return [sys.executable, "-m", "tests.moto_stepping", str(self.port), str(self._aws.port)]

    @property
    def client(self) -> Any:
        """A client of it."""
        return boto3.client(
            "stepfunctions",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="key",
            aws_secret_access_key="secret",  # noqa: S106 - moto takes any
        )

    def create(self, definition: dict[str, Any]) -> str:
        """Create a machine, and return its ARN."""
        made = self.client.create_state_machine(
            name=f"chain-{uuid.uuid4().hex}", definition=json.dumps(definition), roleArn=ROLE
        )
        return str(made["stateMachineArn"])

    def run(self, machine: str, asked: Event) -> Ran:
        """Return what became of an execution, once it has ended."""
        client = self.client
        started = client.start_execution(
            stateMachineArn=machine, name=uuid.uuid4().hex, input=json.dumps(asked)
        )
        execution = started["executionArn"]
        deadline = time.monotonic() + _ENDED_S
        while (told := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < deadline, "the execution does not end"
            time.sleep(0.05)
        pages = client.get_execution_history(executionArn=execution, maxResults=1000)["events"]
        entered = [
            each["stateEnteredEventDetails"]["name"]
            for each in pages
            if "stateEnteredEventDetails" in each
        ]
        return Ran(told["status"], entered, told.get("error"), told.get("cause"))


def chain(size: str) -> dict[str, Any]:
    """Return the synthesised definition of the daily chain."""
    template = templates(size)["batch"]
    (machine,) = resources(template, "AWS::StepFunctions::StateMachine").values()
    kinds = {
        name: each["ImageConfig"]["Command"][0].rpartition(".")[2]
        for name, each in resources(template, "AWS::Lambda::Function").items()
        if "ImageConfig" in each
    }
    text = "".join(_resolved(each, kinds) for each in machine["DefinitionString"]["Fn::Join"][1])
    definition: dict[str, Any] = json.loads(text)
    return definition


def hurried(definition: dict[str, Any]) -> dict[str, Any]:
    """Return a definition that waits for nothing, and tries again after a second at most."""
    made: dict[str, Any] = json.loads(json.dumps(definition))
    for state in made["States"].values():
        if state["Type"] == "Wait":
            state["Seconds"] = 0
        for retry in state.get("Retry", []):
            retry |= {"IntervalSeconds": 1, "BackoffRate": 1}
    return made


def _resolved(part: Any, kinds: dict[str, str]) -> str:
    if isinstance(part, str):
        return part
    name = part["Ref"] if "Ref" in part else part["Fn::GetAtt"][0]
    return f"arn:aws:any:{REGION}:123456789012:function:{kinds.get(name, name)}"


def stepping() -> Iterator[tuple[Aws, StepFunctions]]:
    """Yield what stands in for AWS, and Step Functions before it."""
    with Aws() as aws:
        server = StepFunctions(aws)
        server.start()
        try:
            yield aws, server
        finally:
            server.stop()
