"""The local vendor's faults on command, as plain and official clients see them."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError
from polygon.exceptions import BadResponse

from batch_layer.local_vendor import LocalVendor, Rate, Restatement
from lake.store import LocalStore
from tests.vendor import ask, official_client, s3_client

SESSION = dt.date(2012, 7, 2)
OTHER = dt.date(2012, 7, 3)
DAY_FILE = "us_stocks_sip/day_aggs_v1/2012/07/2012-07-02.csv.gz"


def grouped(session: dt.date) -> str:
    return f"/v2/aggs/grouped/locale/us/market/stocks/{session}?adjusted=false"


def flat_file(vendor: LocalVendor) -> bytes:
    return s3_client(vendor).get_object(Bucket="flatfiles", Key=DAY_FILE)["Body"].read()


def test_a_fault_strikes_as_often_as_told_and_only_its_session(vendor: LocalVendor) -> None:
    vendor.fail("throttled", session=SESSION, times=2, retry_after=7)
    answers = [ask(vendor, grouped(day)) for day in (OTHER, SESSION, SESSION, SESSION)]

    assert [200, 429, 429, 200] == [answer.status_code for answer in answers]
    assert "7" == answers[1].headers["Retry-After"]
    assert "maximum requests per minute" in answers[1].json()["error"]
    assert ["", "throttled", "throttled", ""] == [line.fault for line in vendor.requests]
    assert 0 == vendor.faults_left


def test_retry_after_may_be_a_date(vendor: LocalVendor) -> None:
    vendor.fail("throttled", retry_after=3600, as_date=True)
    told = parsedate_to_datetime(ask(vendor, grouped(SESSION)).headers["Retry-After"])

    assert told > dt.datetime.now(dt.UTC)


def test_faults_are_told_of_over_http_and_taken_back(vendor: LocalVendor) -> None:
    url = f"{vendor.url}/control/faults"
    wanted = [
        {"kind": "error", "status": status, "path": "grouped", "times": 1}
        for status in (500, 502, 503)
    ]
    assert 204 == httpx.post(url, json=wanted).status_code
    assert 204 == httpx.post(url, json={"kind": "html", "times": None}).status_code
    statuses = [ask(vendor, grouped(SESSION)).status_code for _ in range(4)]

    assert [500, 502, 503, 200] == statuses
    assert [("html", None)] == [(each["kind"], each["times"]) for each in httpx.get(url).json()]
    assert 204 == httpx.delete(url).status_code
    assert [] == httpx.get(url).json()


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "nonsense"},
        {"kind": "html", "times": 0},
        {"kind": "error", "status": 42},
        {"kind": "slow", "path": "("},
        {"of": 1},
        "slow",
        1,
    ],
)
def test_a_fault_that_cannot_be_is_refused(vendor: LocalVendor, wanted: Any) -> None:
    assert 400 == httpx.post(f"{vendor.url}/control/faults", json=wanted).status_code
    assert 0 == vendor.faults_left


def test_the_official_client_survives_a_burst_of_errors(vendor: LocalVendor) -> None:
    vendor.fail("error", status=502, times=2)
    client = official_client(vendor, retries=3)

    assert client.get_grouped_daily_aggs(SESSION, adjusted=False)
    assert [502, 502, 200] == [line.status for line in vendor.requests]


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("unauthorized", 401, "Unknown API Key"),
        ("not_in_plan", 403, "Your plan doesn't include this data timeframe"),
        ("not_ended", 403, "Attempted to request today's data before end of day"),
    ],
)
def test_what_is_not_for_this_key_is_refused(
    vendor: LocalVendor, kind: Any, status: int, words: str
) -> None:
    vendor.fail(kind, session=SESSION)

    with pytest.raises(BadResponse, match=words):
        official_client(vendor).get_grouped_daily_aggs(SESSION, adjusted=False)
    assert [status] == [line.status for line in vendor.requests]


def test_a_page_of_html_comes_with_status_200(vendor: LocalVendor) -> None:
    vendor.fail("html")
    answer = ask(vendor, grouped(SESSION))

    assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["Content-Type"])


def test_json_may_be_cut_short(vendor: LocalVendor) -> None:
    vendor.fail("cut", after=1000)
    answer = ask(vendor, grouped(SESSION))

    assert (200, 1000) == (answer.status_code, len(answer.content))
    with pytest.raises(ValueError, match="line 1"):
        json.loads(answer.content)


def test_a_count_may_disagree_with_the_rows(vendor: LocalVendor) -> None:
    vendor.fail("wrong_count")
    answer = ask(vendor, grouped(SESSION)).json()

    assert answer["resultsCount"] == len(answer["results"]) + 1 == answer["count"]


def test_a_connection_is_reset_in_the_middle_of_a_body(vendor: LocalVendor) -> None:
    vendor.fail("reset")

    with pytest.raises(httpx.TransportError):
        ask(vendor, grouped(SESSION))
    assert 200 == ask(vendor, grouped(SESSION)).status_code


def test_a_slow_body_comes_whole_to_who_waits(vendor: LocalVendor) -> None:
    whole = ask(vendor, grouped(SESSION)).json()["results"]
    vendor.fail("slow", seconds=0.2, times=1)
    assert whole == ask(vendor, grouped(SESSION)).json()["results"]

    vendor.fail("slow", seconds=60)
    headers = {"Authorization": f"Bearer {vendor.access.key}"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(vendor.url + grouped(SESSION), headers=headers, timeout=0.1)


def test_gzip_may_be_truncated(vendor: LocalVendor) -> None:
    whole = flat_file(vendor)
    vendor.fail("truncated", times=2)
    part = flat_file(vendor)

    assert whole[: len(whole) // 2] == part
    with pytest.raises(EOFError):
        gzip.decompress(part)
    assert "gzip" == ask(vendor, grouped(SESSION)).headers["Content-Encoding"]


def test_a_flat_file_may_be_cut_short_inside_its_gzip(vendor: LocalVendor) -> None:
    whole = gzip.decompress(flat_file(vendor))
    vendor.fail("cut", path="day_aggs", after=500)

    assert whole[:500] == gzip.decompress(flat_file(vendor))


def test_a_flat_file_may_end_with_its_connection(vendor: LocalVendor) -> None:
    vendor.fail("reset", path="day_aggs", after=100)

    with pytest.raises((IncompleteReadError, ResponseStreamingError)):
        flat_file(vendor)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("throttled", "SlowDown"),
        ("unauthorized", "InvalidAccessKeyId"),
        ("not_in_plan", "AccessDenied"),
        ("not_ended", "NoSuchKey"),
        ("error", "InternalError"),
    ],
)
def test_flat_files_fail_in_the_words_of_s3(vendor: LocalVendor, kind: Any, code: str) -> None:
    vendor.fail(kind, session=SESSION)

    with pytest.raises(ClientError, match=code):
        flat_file(vendor)


def test_a_restated_session_has_one_bar_corrected_one_withdrawn_and_one_late(
    vendor: LocalVendor,
) -> None:
    old = {row["T"]: row for row in ask(vendor, grouped(SESSION)).json()["results"]}
    file, told = flat_file(vendor), s3_client(vendor).head_object(Bucket="flatfiles", Key=DAY_FILE)
    vendor.restate(SESSION)
    new = {row["T"]: row for row in ask(vendor, grouped(SESSION)).json()["results"]}
    again = s3_client(vendor).head_object(Bucket="flatfiles", Key=DAY_FILE)
    first, *_, last = sorted(old)
    rows = pl.read_csv(io.BytesIO(gzip.decompress(flat_file(vendor))))

    assert ({"LATE"}, {last}) == (new.keys() - old.keys(), old.keys() - new.keys())
    assert [first] == [name for name in old.keys() & new.keys() if old[name] != new[name]]
    assert sorted(new) == rows["ticker"].to_list()
    assert file != flat_file(vendor)
    assert told["ETag"] != again["ETag"]
    assert told["LastModified"] < again["LastModified"]


def test_what_is_restated_may_be_told(vendor: LocalVendor) -> None:
    old = ask(vendor, grouped(SESSION)).json()["results"]
    symbol = old[3]["T"]
    wanted = {"session": f"{SESSION}", "corrected": {symbol: {"close": 12.5}}}
    assert 204 == httpx.post(f"{vendor.url}/control/restated", json=wanted).status_code
    vendor.restate(SESSION, Restatement(withdrawn=[old[5]["T"]]))
    new = {row["T"]: row for row in ask(vendor, grouped(SESSION)).json()["results"]}

    assert 12.5 == new[symbol]["c"]
    assert {old[5]["T"]} == {row["T"] for row in old} - new.keys()
    with pytest.raises(ValueError, match="nobody"):
        vendor.restate(SESSION, Restatement(withdrawn=["nobody"]))


def test_more_requests_a_minute_than_the_rate_are_refused(vendor_lake_folder: Path) -> None:
    now = [0.0]
    rate = Rate(3, now=lambda: now[0])
    with LocalVendor(LocalStore(vendor_lake_folder), rate=rate) as vendor:
        first = [ask(vendor, grouped(SESSION)) for _ in range(4)]
        now[0] = 20.5
        later = ask(vendor, grouped(SESSION))
        now[0] = 60.0
        last = ask(vendor, grouped(SESSION))

    assert [200, 200, 200, 429] == [answer.status_code for answer in first]
    assert ("60", "40") == (first[3].headers["Retry-After"], later.headers["Retry-After"])
    assert 200 == last.status_code
