"""The local vendor as the official clients see it."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import io
import json
from pathlib import Path

import httpx
import polars as pl
import pytest
from botocore.exceptions import ClientError
from polygon.exceptions import BadResponse

from batch_layer.local_vendor import LocalVendor
from lake.store import LocalStore
from tests.frames import bronze
from tests.vendor import FIRST, LAST, ask, official_client, s3_client

SESSION = dt.date(2012, 7, 2)
GROUPED = f"/v2/aggs/grouped/locale/us/market/stocks/{SESSION}?adjusted=false"
DAY_FILE = "us_stocks_sip/day_aggs_v1/2012/07/2012-07-02.csv.gz"
HEADER = b"ticker,volume,open,close,high,low,window_start,transactions\n"


def sold(folder: Path, session: dt.date) -> pl.DataFrame:
    bars = bronze(LocalStore(folder))
    return bars.filter(pl.col("session") == session).sort("symbol")


def test_the_official_client_reads_a_session_of_the_whole_market(
    vendor: LocalVendor, vendor_lake_folder: Path
) -> None:
    expected = sold(vendor_lake_folder, SESSION)
    bars = official_client(vendor).get_grouped_daily_aggs(SESSION, adjusted=False)
    at_four = dt.datetime(2012, 7, 2, 20, tzinfo=dt.UTC).timestamp() * 1000

    assert expected["symbol"].to_list() == [bar.ticker for bar in bars]
    for name in ("open", "high", "low", "close", "volume", "vwap"):
        assert expected[name].to_list() == [getattr(bar, name) for bar in bars]
    assert expected["trades"].to_list() == [bar.transactions for bar in bars]
    assert {at_four} == {bar.timestamp for bar in bars}


@pytest.mark.parametrize("day", [dt.date(2012, 7, 4), dt.date(2012, 7, 7), dt.date(2030, 1, 2)])
def test_a_day_without_bars_is_ok_and_empty(vendor: LocalVendor, day: dt.date) -> None:
    path = f"/v2/aggs/grouped/locale/us/market/stocks/{day}?adjusted=false"
    answer = ask(vendor, path).json()

    assert {"queryCount": 0, "resultsCount": 0, "adjusted": False, "status": "OK"} == {
        name: value for name, value in answer.items() if name != "request_id"
    }
    assert [] == official_client(vendor).get_grouped_daily_aggs(day, adjusted=False)


def test_a_session_is_empty_until_it_is_published(vendor: LocalVendor) -> None:
    vendor.published = SESSION - dt.timedelta(days=3)
    assert [] == official_client(vendor).get_grouped_daily_aggs(SESSION, adjusted=False)

    answer = httpx.post(f"{vendor.url}/control/published", json={"session": SESSION.isoformat()})
    assert 204 == answer.status_code
    assert official_client(vendor).get_grouped_daily_aggs(SESSION, adjusted=False)


def test_adjusted_bars_are_refused(vendor: LocalVendor) -> None:
    with pytest.raises(BadResponse, match="unadjusted bars only"):
        official_client(vendor).get_grouped_daily_aggs(SESSION)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        (GROUPED, "API Key was not provided"),
        (f"{GROUPED}&apiKey=wrong", "Unknown API Key"),
    ],
)
def test_a_wrong_key_is_refused_as_massive_does(vendor: LocalVendor, url: str, error: str) -> None:
    answer = httpx.get(vendor.url + url)

    assert 401 == answer.status_code
    assert ("ERROR", error) == (answer.json()["status"], answer.json()["error"])


def test_the_official_client_is_told_of_a_wrong_key(vendor: LocalVendor) -> None:
    with pytest.raises(BadResponse, match="Unknown API Key"):
        official_client(vendor, "wrong").get_grouped_daily_aggs(SESSION, adjusted=False)


def test_the_log_has_every_request_and_never_the_key(vendor: LocalVendor) -> None:
    httpx.get(f"{vendor.url}{GROUPED}&apiKey={vendor.access.key}")
    ask(vendor, "/v2/nothing", key="wrong")
    lines = httpx.get(f"{vendor.url}/control/requests").json()

    assert [(1, 200), (2, 401)] == [(line["number"], line["status"]) for line in lines]
    assert ["adjusted=false", ""] == [line["query"] for line in lines]
    assert vendor.access.key not in json.dumps(lines)
    vendor.forget()
    assert [] == vendor.requests


def test_the_log_is_a_file_too(vendor_lake_folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "requests.jsonl"
    with LocalVendor(LocalStore(vendor_lake_folder), log=log) as vendor:
        for _ in range(3):
            ask(vendor, GROUPED)
        lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]

    assert [1, 2, 3] == [line["number"] for line in lines]


def test_boto3_lists_all_flat_files_page_by_page(vendor: LocalVendor) -> None:
    prefix = "us_stocks_sip/day_aggs_v1/"
    pages = list(
        s3_client(vendor)
        .get_paginator("list_objects_v2")
        .paginate(Bucket="flatfiles", Prefix=prefix, PaginationConfig={"PageSize": 100})
    )
    keys = [each["Key"] for page in pages for each in page["Contents"]]

    assert 4 == len(pages)
    assert [f"{prefix}{day:%Y/%m}/{day}.csv.gz" for day in vendor.sessions] == keys
    assert (FIRST, LAST) == (vendor.sessions[0], vendor.sessions[-1])


def test_a_delimiter_lists_folders(vendor: LocalVendor) -> None:
    listed = s3_client(vendor).list_objects_v2(
        Bucket="flatfiles", Prefix="us_stocks_sip/day_aggs_v1/", Delimiter="/"
    )

    assert ["2012/", "2013/"] == [
        each["Prefix"].removeprefix("us_stocks_sip/day_aggs_v1/")
        for each in listed["CommonPrefixes"]
    ]
    assert "Contents" not in listed


def test_a_days_flat_file_is_the_sessions_bars(
    vendor: LocalVendor, vendor_lake_folder: Path
) -> None:
    expected = sold(vendor_lake_folder, SESSION)
    found = s3_client(vendor).get_object(Bucket="flatfiles", Key=DAY_FILE)["Body"].read()
    text = gzip.decompress(found)
    rows = pl.read_csv(io.BytesIO(text))
    midnight = int(dt.datetime(2012, 7, 2, 4, tzinfo=dt.UTC).timestamp()) * 10**9

    assert text.startswith(HEADER)
    assert expected["symbol"].to_list() == rows["ticker"].to_list()
    for name in ("open", "high", "low", "close", "volume"):
        assert expected[name].to_list() == rows[name].to_list()
    assert expected["trades"].to_list() == rows["transactions"].to_list()
    assert [midnight] == rows["window_start"].unique().to_list()


def test_what_a_listing_and_head_tell_of_an_object_is_so(vendor: LocalVendor) -> None:
    client = s3_client(vendor)
    body = client.get_object(Bucket="flatfiles", Key=DAY_FILE)["Body"].read()
    head = client.head_object(Bucket="flatfiles", Key=DAY_FILE)
    listed = client.list_objects_v2(Bucket="flatfiles", Prefix=DAY_FILE)["Contents"][0]
    etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'

    assert (len(body), etag) == (head["ContentLength"], head["ETag"])
    assert (len(body), etag) == (listed["Size"], listed["ETag"])
    assert head["LastModified"] == listed["LastModified"]


@pytest.mark.parametrize("span", ["bytes=10-99", "bytes=100-", "bytes=-50"])
def test_a_range_of_an_object_is_had(vendor: LocalVendor, span: str) -> None:
    client = s3_client(vendor)
    whole = client.get_object(Bucket="flatfiles", Key=DAY_FILE)["Body"].read()
    part = client.get_object(Bucket="flatfiles", Key=DAY_FILE, Range=span)
    first, _, last = span.removeprefix("bytes=").partition("-")
    expected = whole[int(first) : int(last or len(whole)) + 1] if first else whole[-int(last) :]

    assert expected == part["Body"].read()
    assert 206 == part["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"key_id": "wrong"}, "InvalidAccessKeyId"),
        ({"secret": "wrong"}, "SignatureDoesNotMatch"),
    ],
)
def test_wrong_access_keys_are_refused_as_s3_does(
    vendor: LocalVendor, keys: dict[str, str], code: str
) -> None:
    with pytest.raises(ClientError, match=code):
        s3_client(vendor, **keys).get_object(Bucket="flatfiles", Key=DAY_FILE)
    assert [403] == [line.status for line in vendor.requests]


@pytest.mark.parametrize(
    "key", ["us_stocks_sip/day_aggs_v1/2012/07/2012-07-04.csv.gz", "us_stocks_sip/other.csv.gz"]
)
def test_an_object_that_is_not_there_is_no_such_key(vendor: LocalVendor, key: str) -> None:
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3_client(vendor).get_object(Bucket="flatfiles", Key=key)


def test_the_bytes_are_the_same_each_time(vendor_lake_folder: Path) -> None:
    bodies = set()
    for _ in range(2):
        with LocalVendor(LocalStore(vendor_lake_folder)) as vendor:
            found = s3_client(vendor).get_object(Bucket="flatfiles", Key=DAY_FILE)
            bodies.add(found["Body"].read())

    assert 1 == len(bodies)
