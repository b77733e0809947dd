"""What a process measures, as Prometheus and CloudWatch are told it."""

import json
import socket
import struct
from collections.abc import Iterator
from typing import NoReturn

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

import lake.emf
import lake.job_told
from lake import metrics
from lake.emf import Emf
from lake.health_server import HealthServer
from lake.job_told import job_told
from lake.measuring import Measured, Measures, Spread, each_of
from lake.settings import Settings
from speed_layer.alerts.parts import Health as Evaluating
from speed_layer.feed.health import Health
from tests.emf import must_be_emf


class Part:
    """Counts, as a part of a process does."""

    def __init__(self) -> None:
        self.accepted = 0
        self.took: list[int] = [0, 0, 0]

    def measured(self) -> Iterator[Measured | Spread]:
        yield from each_of(metrics.FEED_EVENTS, {"accepted": self.accepted, "shed": 0})
        yield Measured(metrics.FEED_LAG, 0.25)
        yield Spread(metrics.REQUEST_SECONDS, (0.1, 1.0), tuple(self.took), 7.0, ("/v1/a",))
        yield Spread(metrics.REQUEST_SECONDS, (0.1, 1.0), tuple(self.took), 7.0, ("/v1/b",))


def broken() -> Iterator[Measured]:
    raise ZeroDivisionError
    yield


@pytest.fixture
def part() -> Part:
    return Part()


@pytest.fixture
def measures(part: Part) -> Measures:
    made = Measures("feed")
    made.add(part.measured)
    return made


def told(measures: Measures) -> dict[str, float]:
    """Return what a scrape reads, by name and labels."""
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(measures.text().decode())
        for sample in family.samples
    }


def lines(emf: Emf, written: list[str]) -> list[dict[str, object]]:
    """Return the lines that are written by one look, each held to the specification."""
    written.clear()
    emf.tell()
    found = [json.loads(line) for line in written]
    for line, text in zip(found, written, strict=True):
        must_be_emf(text)
        directive = line["_aws"]["CloudWatchMetrics"][0]
        assert directive["Namespace"] == "fiblake"
        named = [each["Name"] for each in directive["Metrics"]]
        assert {"_aws", *named, *directive["Dimensions"][0]} == line.keys()
    return found


def test_a_scrape_tells_what_is_counted_by_then_and_the_process_itself(
    part: Part, measures: Measures
) -> None:
    part.accepted, part.took = 7, [2, 1, 1]

    found = told(measures)

    assert (7, 0, 0.25) == (
        found["fiblake_feed_events_total['accepted']"],
        found["fiblake_feed_events_total['shed']"],
        found["fiblake_feed_lag_seconds[]"],
    )
    assert (2, 3, 4, 4, 7.0) == (
        found["fiblake_request_seconds_bucket['/v1/a', '0.1']"],
        found["fiblake_request_seconds_bucket['/v1/a', '1.0']"],
        found["fiblake_request_seconds_bucket['+Inf', '/v1/a']"],
        found["fiblake_request_seconds_count['/v1/a']"],
        found["fiblake_request_seconds_sum['/v1/a']"],
    )
    assert 0 < found["process_resident_memory_bytes[]"]


def test_what_several_parts_tell_is_one_value(part: Part, measures: Measures) -> None:
    part.accepted = 7
    measures.add(lambda: [Measured(metrics.FEED_EVENTS, 3, ("accepted",))])
    measures.add(lambda: [Measured(metrics.FEED_LAG, 2.5)])

    found = told(measures)

    assert (10, 2.5) == (
        found["fiblake_feed_events_total['accepted']"],
        found["fiblake_feed_lag_seconds[]"],
    )


def test_a_part_that_cannot_be_measured_hides_no_other_and_is_logged_once(
    measures: Measures,
) -> None:
    measures.add(broken)

    with capture_logs() as logs:
        found = [told(measures)["fiblake_feed_lag_seconds[]"] for _ in range(3)]

    assert [0.25] * 3 == found
    assert ["a part cannot be measured"] == [line["event"] for line in logs]


def test_two_processes_worth_of_measures_share_nothing() -> None:
    one, other = Measures("feed"), Measures("api")
    one.add(lambda: [Measured(metrics.FEED_LAG, 1)])

    assert ("fiblake" in one.text().decode(), "fiblake" in other.text().decode()) == (True, False)


def test_lines_for_cloudwatch_tell_growth_states_and_spread_without_routes(
    part: Part, measures: Measures
) -> None:
    written: list[str] = []
    emf = Emf(measures, written.append, now=lambda: 1_767_000_000.5)
    part.accepted, part.took = 7, [2, 1, 1]
    lines(emf, written)
    part.accepted, part.took = 9, [3, 1, 1]

    found = lines(emf, written)

    by_outcome = {line["outcome"]: line for line in found if "outcome" in line}
    assert (2, 0) == (
        by_outcome["accepted"]["fiblake_feed_events_total"],
        by_outcome["shed"]["fiblake_feed_events_total"],
    )
    (rest,) = (line for line in found if "outcome" not in line)
    assert ("feed", 0.25, [0.1, 0.1]) == (
        rest["service"],
        rest["fiblake_feed_lag_seconds"],
        rest["fiblake_request_seconds"],
    )
    assert {1_767_000_000_500} == {line["_aws"]["Timestamp"] for line in found}  # type: ignore[index]


def test_many_values_are_told_by_a_hundred_that_keep_the_quantiles(
    part: Part, measures: Measures
) -> None:
    written: list[str] = []
    part.took = [4_000, 900, 100]  # of two routes: 80 %, 18 %, 2 %

    found = lines(Emf(measures, written.append), written)

    (values,) = (line["fiblake_request_seconds"] for line in found if "outcome" not in line)
    assert [0.1] * 80 + [1.0] * 20 == values


def test_a_count_that_began_anew_is_told_from_nothing(part: Part, measures: Measures) -> None:
    written: list[str] = []
    emf = Emf(measures, written.append)
    part.accepted = 100
    lines(emf, written)
    part.accepted = 4

    found = lines(emf, written)

    assert [4] == [
        line["fiblake_feed_events_total"] for line in found if line.get("outcome") == "accepted"
    ]


def test_what_is_no_number_costs_no_other_its_line(measures: Measures) -> None:
    written: list[str] = []
    measures.add(lambda: [Measured(metrics.FEED_SILENCE, float("inf"))])

    found = lines(Emf(measures, written.append), written)

    assert [0.25] == [line["fiblake_feed_lag_seconds"] for line in found if "outcome" not in line]
    assert "fiblake_feed_silence_seconds" not in "".join(written)


@pytest.mark.parametrize("ends", ["done", "failed"])
def test_a_job_tells_how_it_ended_though_the_lake_cannot_be_asked(
    ends: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> NoReturn:
        raise ConnectionError

    monkeypatch.setattr(lake.job_told, "open_store", away)
    settings = Settings(emf=True)
    try:
        with job_told("batch", "resample", settings):
            assert ends == "done"
    except AssertionError:
        assert ends == "failed"

    told = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "_aws" in line]
    jobs = {line["outcome"]: line["fiblake_jobs_total"] for line in told if "outcome" in line}
    assert {"done": ends == "done", "failed": ends == "failed"} == jobs


def test_a_line_that_cannot_be_written_fails_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: str) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lake.emf, "_to_stderr", full)
    with capture_logs() as logs, job_told("batch", "resample", Settings(emf=True)):
        pass

    assert "metrics cannot be told" in [line["event"] for line in logs]


def test_the_lag_of_a_feed_that_is_silent_is_not_told() -> None:
    now = 100.0
    health = Health(lambda: now)
    health.accepted(1, 0, 40_000_000)
    told = [{each.metric: each.value for each in health.measured()}]
    now += 61
    told.append({each.metric: each.value for each in health.measured()})

    assert [40.0, None] == [each.get(metrics.FEED_LAG) for each in told]
    assert [0.0, 61.0] == [each[metrics.FEED_SILENCE] for each in told]


def test_alerts_that_are_not_evaluated_fall_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    health = Evaluating()
    health.reached(2.0)
    now += 70
    stuck = health.behind_s
    health.ended()

    assert (72.0, 0.0) == (stuck, health.behind_s)


class Ailing:
    """Fails when it is asked how it is ready."""

    is_live = True

    @property
    def is_ready(self) -> bool:
        raise ZeroDivisionError

    def document(self) -> dict[str, object]:
        return {"live": True}


def test_who_asks_and_goes_leaves_no_word_and_what_fails_one_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lake.health_server._Handler.timeout", 0.2)
    reset = struct.pack("ii", 1, 0)
    with capture_logs() as logs, HealthServer(Ailing(), measures=Measures("feed")) as server:
        place = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        for _ in range(20):
            with socket.create_connection(place) as asking:
                asking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                asking.send(b"GET /metrics HTTP/1.0\r\n\r\n")
        with socket.create_connection(place, timeout=30) as silent:
            assert silent.recv(1) == b""
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{server.url}/health/ready", timeout=30)
        assert 200 == httpx.get(f"{server.url}/health/live", timeout=30).status_code

    assert ["a question of how it is was not answered"] == [line["event"] for line in logs]
    assert ("", "") == capfd.readouterr()


def test_a_metric_s_dimensions_are_its_labels_but_routes() -> None:
    assert [("service",), ("service", "status"), ("service",), ("service", "cache", "outcome")] == [
        each.dimensions
        for each in (
            metrics.FEED_LAG,
            metrics.REQUESTS,
            metrics.REQUEST_SECONDS,
            metrics.CACHE,
        )
    ]
