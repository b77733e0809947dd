"""What each service tells who runs it: measures, logs, and the way of a price and of a request."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fiblake import Lake
from lake.metrics import CATALOGUE
from lake.settings import Settings
from lake.wire import encode_events
from tests.days import small_day
from tests.emf import emf_values, must_be_emf
from tests.feeding import eventually
from tests.flink import LONG_S
from tests.kinesis import KinesisServer
from tests.parts import RedisServer, environment, free_port
from tests.served import served

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
HOPS: Final = ("feed", "stream", "engine", "view", "api", "client")
LOGGED: Final = {
    "FIBLAKE_LOG_FORMAT": "json",
    "FIBLAKE_LOG_LEVEL": "info",
    "FIBLAKE_EMF": "true",
}


def scraped(port: int) -> dict[str, set[tuple[str, ...]]]:
    """Return what a service measures of itself: of each metric the labels that it is told with."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30)
    except httpx.TransportError:
        return {}
    assert "text/plain; version=0.0.4; charset=utf-8" == answer.headers["content-type"]
    return {
        f"{family.name}_total" if family.type == "counter" else family.name: {
            tuple(sorted(sample.labels.keys() - {"le"})) for sample in family.samples
        }
        for family in text_string_to_metric_families(answer.text)
        if family.name.startswith("fiblake")
    }


def catalogued(service: str) -> dict[str, set[tuple[str, ...]]]:
    """Return the same, as the catalogue says."""
    return {
        each.name: {tuple(sorted(each.labels))} for each in CATALOGUE if service in each.services
    }


def logged(log: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the lines of a log, and apart from them those for CloudWatch."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    plain = [line for line in lines if "_aws" not in line]
    return plain, [line for line in lines if "_aws" in line]


def must_be_whole(log: Path, service: str) -> None:
    """Check that each line tells whose it is, and each of CloudWatch's what it may."""
    plain, emf = logged(log)
    for line in plain:
        assert {"event", "level", "service", "timestamp"} <= line.keys(), line
    for line in emf:
        must_be_emf(json.dumps(line))
    assert {service} == {line["service"] for line in (*plain, *emf)}
    # Each metric that the service tells, in one line or another.
    names = {name for line in emf for name in line if name.startswith("fiblake_")}
    assert catalogued(service).keys() == names


def followed(log: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the hops that each price was seen at, in order, by its trace."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in logged(log)[0]:
        if line["event"] == "trace":
            found.setdefault(line["trace"], []).append(line)
    return found


@contextmanager
def running(log: Path, variables: Mapping[str, str], *arguments: str) -> Iterator[int]:
    """Run a service, and yield the port of its health."""
    port = free_port()
    code = "from fiblake.cli import main; main()"
    settings = {**variables, **LOGGED, "FIBLAKE_HEALTH_PORT": str(port)}
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stderr=errors, env=os.environ | settings
        ) as process,
    ):
        try:
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
    assert 0 == process.returncode, log.read_text()


def tells_all(port: int, service: str) -> bool:
    """Wait until a service measures what the catalogue says, and nothing else."""
    return eventually(lambda: catalogued(service) == scraped(port))


def test_a_price_and_a_request_are_followed_through_the_whole_system_in_one_process(
    sample_lake_folder: Path, tmp_path: Path
) -> None:
    log, port = tmp_path / "log", free_port()
    settings = {**LOGGED, "FIBLAKE_HEALTH_PORT": str(port), "FIBLAKE_TRACE_ONE_IN": "3"}
    options = ("--feed", "replay:sample@200x")
    with served(sample_lake_folder, log, *options, **settings) as url:
        headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        answers = [
            httpx.get(f"{url}{path}", headers=headers, timeout=30)
            for path in ("/v1/bars/AAPL?apiKey=fib_secret", "/v1/bars/NONE", "/metrics", "/x/y")
        ]
        seen = _heard(url, tmp_path / "heard")
        is_whole = tells_all(port, "embedded")

    assert is_whole, (catalogued("embedded"), scraped(port))
    assert [(200, TRACE), (404, TRACE), (404, TRACE), (404, TRACE)] == [
        (each.status_code, each.headers["x-request-id"]) for each in answers
    ]
    assert {TRACE} == {each.json()["trace"] for each in answers[1:]}
    must_be_whole(log, "embedded")
    assert "secret" not in log.read_text()
    requests = [line for line in logged(log)[0] if line["event"] == "request"]
    assert [(TRACE, "/v1/bars/{symbol:path}", 200), (TRACE, "/v1/bars/{symbol:path}", 404)] == [
        (line["trace"], line["route"], line["status"]) for line in requests[:2]
    ]
    assert {"unknown"} == {line["route"] for line in requests[2:4]}
    _must_pass_all_hops(followed(log), _told_on(seen))


def _heard(url: str, log: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what a client in a process of its own was told of, followed likewise."""
    code = f"""
from fiblake import Client
with Client({url!r}) as client, client.watch("price:*") as told:
    for number, event in enumerate(told):
        if number > 300:
            break
"""
    variables = {**LOGGED, "FIBLAKE_TRACE_ONE_IN": "3", "FIBLAKE_SERVICE": "reader"}
    with log.open("w") as errors:
        subprocess.run(
            [sys.executable, "-c", code],
            stderr=errors,
            env=os.environ | variables,
            check=True,
            timeout=120,
        )
    return followed(log)


def test_a_price_is_followed_on_to_the_alert_that_fires_by_it_and_to_its_delivery(
    sample_lake_folder: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    settings = {**LOGGED, "FIBLAKE_TRACE_ONE_IN": "1", "FIBLAKE_STATE": str(tmp_path / "state")}
    when = {"kind": "price", "relation": "above", "level": 1}
    with served(sample_lake_folder, log, "--feed", "replay:sample@200x", **settings) as url:
        rule = {"symbol": "AAPL", "when": when, "deliver": ["log"]}
        made = httpx.post(f"{url}/v1/alerts", json=rule)
        assert 201 == made.status_code, made.text
        assert eventually(lambda: '"hop": "delivery"' in log.read_text())
    (lines,) = [
        lines for lines in followed(log).values() if "delivery" in {line["hop"] for line in lines}
    ]
    fired, delivered = (
        next(line for line in lines if line["hop"] == hop) for hop in ("alerts", "delivery")
    )

    assert {"AAPL"} == {line["symbol"] for line in lines}
    assert "feed" == lines[0]["hop"]
    assert fired["timestamp"] <= delivered["timestamp"]
    assert "log" == delivered["destination"]
    assert delivered["firing"].startswith(made.json()["alert"])
    told = [line for line in logged(log)[0] if "traces" in line]
    assert [[lines[0]["trace"]]] == [line["traces"] for line in told]


def _told_on(client: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return a client's, but for what it was told on coming: that is read, not followed."""
    first = {lines[0]["symbol"]: trace for trace, lines in reversed(client.items())}
    return {trace: lines for trace, lines in client.items() if trace not in first.values()}


def _must_pass_all_hops(
    server: Mapping[str, list[dict[str, Any]]], client: Mapping[str, list[dict[str, Any]]]
) -> None:
    whole = {
        trace: [*server[trace], *client[trace]]
        for trace in server.keys() & client.keys()
        if HOPS == tuple(line["hop"] for line in (*server[trace], *client[trace]))
    }
    assert whole, (list(server.items())[:3], list(client.items())[:3])
    for lines in whole.values():
        assert 1 == len({(line["symbol"], line["time_us"]) for line in lines})
        assert all(one["timestamp"] <= other["timestamp"] for one, other in pairwise(lines))
        assert all(one["age_ms"] <= other["age_ms"] for one, other in pairwise(lines))


def test_the_server_alone_tells_what_the_catalogue_says_and_what_its_web_server_says(
    sample_lake_folder: Path, tmp_path: Path
) -> None:
    log, port = tmp_path / "log", free_port()
    settings = {**LOGGED, "FIBLAKE_HEALTH_PORT": str(port)}
    with served(sample_lake_folder, log, **settings) as url:
        assert 200 == httpx.get(f"{url}/v1/bars/AAPL").status_code
        at = httpx.URL(url)
        with socket.create_connection((at.host, at.port or 80), timeout=30) as stranger:
            stranger.sendall(b"no request at all\r\n\r\n")
            assert stranger.recv(100).startswith(b"HTTP/1.1 400")
        is_whole = tells_all(port, "api")

    assert is_whole
    must_be_whole(log, "api")
    assert ["warning"] == [
        line["level"] for line in logged(log)[0] if line["event"].startswith("Invalid HTTP request")
    ]
    # All lines are JSON, but for what a user is told.
    assert [f"fiblake serves {url}/ until Ctrl-C"] == [
        line for line in log.read_text().splitlines() if not line.startswith("{")
    ]


@pytest.fixture(scope="module")
def wired_redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def wiring(
    kinesis_server: KinesisServer, wired_redis: RedisServer, own_sample_lake: Lake, tmp_path: Path
) -> Settings:
    """The settings of services whose streams and view are a test's own."""
    return Settings.model_validate(
        kinesis_server.settings(
            stream="kinesis",
            kinesis_events=kinesis_server.stream(),
            kinesis_bars=kinesis_server.stream(),
            view="redis",
            redis_url=wired_redis.url,
            lake=own_sample_lake.store.location,
            state=str(tmp_path / "state"),
        )
    )


@pytest.mark.usefixtures("flink")
def test_the_engine_tells_what_the_job_counts_in_flink(
    own_sample_lake: Lake, tmp_path: Path
) -> None:
    lines = [*encode_events(small_day().tape.head(200)), b"no event"]
    (events := tmp_path / "events").mkdir()
    (events / "0.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    places = ("--events", str(events), "--bars", str(tmp_path / "bars"))
    pace = ("--follow-ms", "200", "--checkpoint-ms", "500", "--parallelism", "1")
    variables = {"FIBLAKE_LAKE": own_sample_lake.store.location}
    log = tmp_path / "log"
    with running(log, variables, "flink", "run", *places, *pace) as port:
        until = time.monotonic() + LONG_S  # a cluster starts slowly on a busy machine
        while not is_counted(port, len(lines)) and time.monotonic() < until:
            time.sleep(0.5)
        found, values = scraped(port), counted(port)

    assert catalogued("engine") == found, log.read_text()
    assert (1, 1, 0) == (
        values["fiblake_engine_running"],
        values["fiblake_engine_events_total poison"],
        values["fiblake_engine_restarts_total"],
    )
    # They are of a session long past, which the job is not told of.
    assert 200 == values["fiblake_engine_events_total foreign"]
    assert values["fiblake_engine_checkpoint_bytes"] > 0


def counted(port: int) -> dict[str, float]:
    """Return the values of a service's measures, by name and labels."""
    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    except httpx.TransportError:
        return {}
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def is_counted(port: int, lines: int) -> bool:
    """Return whether the engine has told of so many lines, and of a checkpoint."""
    values = counted(port)
    events = [each for name, each in values.items() if name.startswith("fiblake_engine_events")]
    return sum(events) >= lines and "fiblake_engine_checkpoint_bytes" in values


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("feed", ("feed", "replay:sample@60x")),
        ("publisher", ("flink", "publish")),
        ("alerts", ("alerts", "run")),
    ],
)
def test_a_service_tells_what_the_catalogue_says(
    service: str,
    command: tuple[str, ...],
    wiring: Settings,
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    with running(log, environment(wiring), *command) as port:
        is_whole = tells_all(port, service)
        found = scraped(port)

    assert is_whole, (catalogued(service), found, log.read_text())
    must_be_whole(log, service)


def test_jobs_tell_what_the_catalogue_says_each_once_at_its_end(own_sample_lake: Lake) -> None:
    variables = {**LOGGED, "FIBLAKE_LAKE": own_sample_lake.store.location}
    found: dict[tuple[str, ...], Any] = {}
    for job in ("resample", "reconcile", "backup"):
        done = subprocess.run(
            [sys.executable, "-m", "batch_layer.entry", job],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | variables,
        )
        found |= emf_values(done.stderr)

    assert catalogued("batch").keys() == {name for name, *_ in found}
    assert {"batch"} == {service for _, service, *_ in found}
    assert [1, 1, 1] == [
        found["fiblake_jobs_total", "batch", job, "done"]
        for job in ("resample", "reconcile", "backup")
    ]
