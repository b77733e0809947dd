"""What the REST API cannot answer, each as an RFC 9457 problem that says what to do."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from fiblake import Lake
from lake.horizon import move_horizon
from tests.api import Api, problem

CURSOR = "is not a cursor. Allowed: the next_cursor of an answer."
INSTANT = "is not an instant. Allowed: ISO 8601 with an offset or Z, as 2026-01-05T21:00:00Z."
OFFERED = (
    "is not an interval offered here. Allowed: "
    "1m, 5m, 15m, 1h, 2h, 4h, 1d, 3d, 5d, 8d, 13d, 21d, 34d."
)


def test_what_is_no_longer_kept_is_a_problem_with_a_hint(own_sample_lake: Lake) -> None:
    move_horizon(own_sample_lake.store, dt.datetime(2026, 1, 6, tzinfo=dt.UTC))
    told = problem(Api(own_sample_lake).get("/v1/bars/AAPL", known_at="2026-01-05T12:00:00Z"))

    assert (404, "FIBLAKE_HISTORY_DAYS says how long compact keeps it.") == (
        told["status"],
        told["hint"],
    )
    assert told["detail"].endswith("is no longer kept. Allowed: 2026-01-06T00:00:00Z and later.")


PROBLEMS = [
    ("/v1/bars/AAPL?interval=7d", 400, "Bad Request", f"'7d' {OFFERED}"),
    ("/v1/bars/AAPL?cursor=zzz", 400, "Bad Request", f"'zzz' {CURSOR}"),
    ("/v1/bars/AAPL?cursor=%C3%A9", 400, "Bad Request", f"'é' {CURSOR}"),
    (
        *("/v1/bars/AAPL?start=2013-01-02&end=2013-01-01", 400, "Bad Request"),
        "The start 2013-01-02 is after the end 2013-01-01.",
    ),
    ("/v1/bars/AAPL?known_at=2026-01-05", 400, "Bad Request", f"'2026-01-05' {INSTANT}"),
    (
        *("/v1/bars/AAPL?known_at=2026-01-05T12:00:00+00:00", 400, "Bad Request"),
        f"'2026-01-05T12:00:00 00:00' {INSTANT}",
    ),
    ("/nowhere", 404, "Not Found", "Not Found"),
    ("/web/nothing.js", 404, "Not Found", "Not Found"),
    ("/web/%2e%2e/app.py", 404, "Not Found", "Not Found"),
    (
        *("/v1/bars/AAPL?start=soon", 422, "Unprocessable Entity"),
        "start='soon': Value error, a date is written YYYY-MM-DD",
    ),
    (
        *("/v1/bars/AAPL?known_at=0001-01-01T00:00:00Z", 400, "Bad Request"),
        "0001-01-01T00:00:00+00:00 is out of range.",
    ),
    (
        *("/v1/splits/AAPL?known_at=9999-12-31T23:59:59-01:00", 400, "Bad Request"),
        "9999-12-31T23:59:59-01:00 is out of range.",
    ),
    ("/v1/bars/%00", 400, "Bad Request", r"'\x00' cannot be a symbol."),
    (
        *("/v1/bars/AAPL?limit=0", 422, "Unprocessable Entity"),
        "limit='0': Input should be greater than or equal to 1",
    ),
    (
        *("/v1/bars/AAPL?limit=50001", 422, "Unprocessable Entity"),
        "limit='50001': Input should be less than or equal to 50000",
    ),
]


@pytest.mark.parametrize(("path", "status", "title", "detail"), PROBLEMS)
def test_what_cannot_be_answered_is_a_problem(
    api: Api, path: str, status: int, title: str, detail: str
) -> None:
    told = problem(api.get(path))

    assert (status, title, detail) == (told["status"], told["title"], told["detail"])


def test_an_unknown_symbol_is_a_problem_with_a_hint(api: Api, sample_lake: Lake) -> None:
    assert {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": f"NOPE: no such symbol in the lake {sample_lake.store.location}.",
        "hint": "it has AAPL, FB, GOOG, IBM, MSFT.",
        "code": "unknown_symbol",
    } == problem(api.get("/v1/bars/nope"))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_method_that_is_not_offered_is_a_problem(api: Api, method: str) -> None:
    told = problem(api.request(method, "/v1/bars/AAPL"))

    assert (405, "Method Not Allowed") == (told["status"], told["title"])


def test_a_method_that_is_not_offered_says_which_are(api: Api) -> None:
    assert api.request("POST", "/v1/bars/AAPL").headers["allow"] == "GET"


@pytest.mark.parametrize("start", ["0", "1356998400"])
def test_a_number_is_not_a_date(api: Api, start: str) -> None:
    assert api.get("/v1/bars/AAPL", start=start).status_code == 422


def test_an_empty_lake_says_what_to_do_and_is_not_ready(lake: Lake) -> None:
    api = Api(lake)
    expected = {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": f"The lake {lake.store.location} is empty.",
        "hint": "fiblake import FILE, or fiblake import --sample.",
        "code": "empty_lake",
    }

    for path in ("/v1/bars/AAPL", "/v1/symbols"):
        assert expected == problem(api.get(path))
    assert problem(api.get("/health/ready"))["status"] >= 400
    assert api.get("/health/live").status_code == 200


def test_an_empty_lake_makes_the_service_unavailable(lake: Lake) -> None:
    assert problem(Api(lake).get("/health/ready"))["status"] == 503


def test_a_damaged_object_of_silver_makes_the_service_unavailable(own_sample_lake: Lake) -> None:
    damaged = own_sample_lake.store.uri("silver/interval=13d/year=2012/bars.parquet")
    Path(damaged).write_bytes(b"junk")
    told = problem(Api(own_sample_lake).get("/v1/bars/AAPL", interval="13d"))

    assert (503, "fiblake resample") == (told["status"], told["hint"][:16])


@pytest.mark.parametrize("damaged", ["bronze/splits.parquet", "meta/boundary.json"])
def test_any_damaged_object_makes_the_service_unavailable(
    own_sample_lake: Lake, damaged: str
) -> None:
    Path(own_sample_lake.store.uri(damaged)).write_bytes(b"junk")

    assert problem(Api(own_sample_lake).get("/v1/bars/AAPL"))["status"] == 503
