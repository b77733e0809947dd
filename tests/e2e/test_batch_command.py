"""`fiblake batch`: what it prints, where, and its exit code (0 done, 1 failed, 2 misused)."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.batch import QUEUE, ROLE, Batch
from tests.command_line import FIBLAKE, Run

ID = r"[0-9a-f-]{36}"
SUBMIT = ("batch", "submit", "--lake", "s3://bucket/prefix")
SUCCEEDED = """job {job}: fiblake-resample, SUCCEEDED

children  SUBMITTED  PENDING  RUNNABLE  STARTING  RUNNING  SUCCEEDED  FAILED
────────  ─────────  ───────  ────────  ────────  ───────  ─────────  ──────
                  0        0         0         0        0          4       0
"""
FAILED = """job {job}: fiblake-resample, FAILED

children  SUBMITTED  PENDING  RUNNABLE  STARTING  RUNNING  SUCCEEDED  FAILED
────────  ─────────  ───────  ────────  ────────  ───────  ─────────  ──────
                  0        0         0         0        0          3       1

{job}:2 failed, exit code 1, attempts 3: Essential container in task exited
  it began well
  and ended badly
"""


@pytest.fixture
def in_batch(run: Run, batch: Batch) -> Run:
    """Run `fiblake` where AWS Batch is within reach."""
    assert batch.url
    return run


def job_in(text: str) -> str:
    found = re.search(ID, text)
    assert found
    return found[0]


def test_a_job_is_submitted_and_looked_at_later(in_batch: Run) -> None:
    told = in_batch(*SUBMIT, "--partitions", 4)
    job = job_in(told.out)

    hint = f"look at it: fiblake batch status {job}\n"
    assert (0, f"submitted {job} to {QUEUE}, partitions: 4\n{hint}", "") == told.said
    assert (0, SUCCEEDED.format(job=job), "") == in_batch("batch", "status", job).said


def test_a_job_is_waited_for(in_batch: Run) -> None:
    told = in_batch(*SUBMIT, "--partitions", 4, "--wait")
    job = job_in(told.out)

    noted = f"submitted {job}\njob {job}: 4 SUCCEEDED"
    assert (0, SUCCEEDED.format(job=job), noted) == told.said


def test_a_failed_child_fails_the_command_and_shows_the_end_of_its_log(
    in_batch: Run, batch: Batch
) -> None:
    job = job_in(in_batch(*SUBMIT, "--partitions", 4).out)
    batch.become(
        f"{job}:2",
        status="FAILED",
        exit_code=1,
        job_stopped_reason="Essential container in task exited",
        attempts=[{}, {}, {}],
        log_stream_name=job,
    )
    batch.become(job, status="FAILED")
    batch.write_log(job, "it began well", "and ended badly")

    assert (1, FAILED.format(job=job), "") == in_batch("batch", "status", job).said
    waited = in_batch("batch", "status", job, "--wait")
    assert (1, FAILED.format(job=job)) == (waited.code, waited.out)
    assert f"job {job}: 3 SUCCEEDED, 1 FAILED" == waited.err.strip()


def test_reports_are_json_where_asked(in_batch: Run) -> None:
    submitted = json.loads(in_batch(*SUBMIT, "--partitions", 2, "--json").out)
    told = in_batch("batch", "status", submitted["job"], "--json")
    state = json.loads(told.out)

    assert (2, QUEUE, "fiblake-resample") == (
        submitted["partitions"],
        submitted["queue"],
        submitted["definition"],
    )
    assert (submitted["job"], "SUCCEEDED", [], 2) == (
        state["job"],
        state["status"],
        state["failures"],
        state["children"]["SUCCEEDED"],
    )


def test_the_job_goes_on_when_the_watcher_does_not(in_batch: Run, batch: Batch) -> None:
    job = job_in(in_batch(*SUBMIT, "--partitions", 2).out)
    for each in (f"{job}:0", f"{job}:1", job):
        batch.become(each, status="RUNNING")
    command = [str(FIBLAKE), "batch", "status", job, "--wait"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stderr is not None
        assert f"job {job}: 2 RUNNING\n" == watching.stderr.readline()
        watching.send_signal(signal.SIGINT)
        said = watching.stderr.read()

    told = f"the job goes on; look at it: fiblake batch status {job}"
    # Interrupted while it prints, it prints the line before once more.
    assert (130, told) == (watching.returncode, said.splitlines()[-1])
    assert "RUNNING" in in_batch("batch", "status", job).out


SET_UP = "Hint: check AWS_PROFILE, AWS_DEFAULT_REGION and AWS's other variables."
TO_SUBMIT = "Hint: check the queue and the definition."
FOLDER = "The lake data is a folder, which AWS Batch's workers cannot reach."
UNKNOWN = "AWS Batch in us-east-1 knows no job 'nope'."
FORGOTTEN = "Hint: check the id and the region; a job is forgotten some days after its end."
OFFERED = (
    "'7d' is not an interval offered here. Allowed: 5m, 15m, 1h, 2h, 4h, 3d, 5d, 8d, 13d, 21d, 34d."
)
REFUSED = [
    ("submit", 2, f"{FOLDER} Hint: name a lake on S3, as --lake s3://bucket/prefix."),
    ("submit --lake s3://b --interval 7d", 2, OFFERED),
    (
        "submit --lake s3://b --queue nope",
        1,
        f"Could not submit the job: Job queue nope does not exist. {TO_SUBMIT}",
    ),
    (
        "submit --lake s3://b --definition nope",
        1,
        f"Could not submit the job: Job definition nope does not exist. {TO_SUBMIT}",
    ),
    ("status nope", 1, f"{UNKNOWN} {FORGOTTEN}"),
]


@pytest.mark.parametrize(("arguments", "code", "told"), REFUSED)
def test_what_cannot_be_is_refused_in_one_line(
    in_batch: Run, arguments: str, code: int, told: str
) -> None:
    assert (code, "", f"error: {told}") == in_batch("batch", *arguments.split()).said


UNSET = [
    ("FIBLAKE_BATCH_QUEUE", 2, "No job queue is named. Hint: --queue NAME, or set {variable}."),
    (
        "FIBLAKE_BATCH_DEFINITION",
        2,
        "No job definition is named. Hint: --definition NAME, or set {variable}.",
    ),
    ("AWS_DEFAULT_REGION", 1, f"Could not reach AWS Batch: You must specify a region. {SET_UP}"),
]


@pytest.mark.parametrize(("variable", "code", "told"), UNSET)
def test_what_is_not_set_is_named(
    in_batch: Run, monkeypatch: pytest.MonkeyPatch, variable: str, code: int, told: str
) -> None:
    monkeypatch.delenv(variable)

    assert (code, "", f"error: {told.format(variable=variable)}") == in_batch(*SUBMIT).said


def test_missing_credentials_are_named(in_batch: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ROLE:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "none")

    told = f"error: Could not submit the job: Unable to locate credentials. {SET_UP}"
    assert (1, "", told) == in_batch(*SUBMIT).said


def test_what_must_be_installed_is_named(in_batch: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "batch_layer.jobs.service", raising=False)

    told = "error: boto3 is not installed. Hint: pip install 'fiblake[s3]'."
    assert (1, "", told) == in_batch("batch", "status", "1").said


class Denying(BaseHTTPRequestHandler):
    """Answers as AWS does a user who lacks a permission; moto's answer is of another form."""

    def do_POST(self) -> None:
        body = b'{"message": "User: arn:aws:iam::1:user/me is not authorized to perform: x"}'
        self.send_response(403)
        self.send_header("x-amzn-ErrorType", "AccessDeniedException")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing on standard error."""


@pytest.fixture
def denying() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Denying) as server, ThreadPoolExecutor(1) as threads:
        threads.submit(server.serve_forever, 0.01)
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_missing_permission_is_named(
    in_batch: Run, monkeypatch: pytest.MonkeyPatch, denying: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", denying)

    fact = "User: arn:aws:iam::1:user/me is not authorized to perform: x."
    hint = "Hint: give this user the permissions listed in docs/batch.md."
    for command, what in ((SUBMIT, "submit"), (("batch", "status", "1"), "look at")):
        told = in_batch(*command).said
        assert (1, "", f"error: Could not {what} the job: {fact} {hint}") == told
