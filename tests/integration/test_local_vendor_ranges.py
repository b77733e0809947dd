"""The local vendor's bars of one ticker, and its minute files."""

from __future__ import annotations

import datetime as dt
import gzip
import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batch_layer.local_vendor import LocalVendor, Restatement
from lake.store import LocalStore
from tests.frames import bronze
from tests.vendor import FIRST, LAST, ask, official_client, s3_client

SESSION = dt.date(2012, 7, 3)
MINUTE_FILE = "us_stocks_sip/minute_aggs_v1/2012/07/2012-07-03.csv.gz"


@pytest.fixture
def bars(vendor_lake_folder: Path) -> pl.DataFrame:
    """All bars of the symbol that trades most on the session."""
    every = bronze(LocalStore(vendor_lake_folder))
    most = every.filter(pl.col("session") == SESSION).sort("volume")["symbol"][-1]
    return every.filter(pl.col("symbol") == most).sort("session")


def midnights(bars: pl.DataFrame) -> list[int]:
    zone = "America/New_York"
    starts = bars["session"].cast(pl.Datetime("ms")).dt.replace_time_zone(zone)
    return starts.dt.epoch("ms").to_list()


@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_the_official_client_reads_daily_bars_page_by_page(
    vendor: LocalVendor, bars: pl.DataFrame, sort: str
) -> None:
    found = list(
        official_client(vendor).list_aggs(
            bars["symbol"][0], 1, "day", FIRST, LAST, adjusted=False, sort=sort, limit=50
        )
    )
    expected = bars.sort("session", descending=sort == "desc")

    assert midnights(expected) == [bar.timestamp for bar in found]
    assert expected["close"].to_list() == [bar.close for bar in found]
    assert -(-bars.height // 50) == len(vendor.requests)
    assert {200} == {line.status for line in vendor.requests}


@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_minutes_come_page_by_page_and_merge_to_the_days(
    vendor: LocalVendor, bars: pl.DataFrame, sort: str
) -> None:
    week = bars.filter(pl.col("session").is_between(dt.date(2012, 7, 2), dt.date(2012, 7, 6)))
    first, last = week["session"][0], week["session"][-1]
    client, symbol = official_client(vendor), bars["symbol"][0]
    options: dict[str, Any] = {"adjusted": False, "sort": sort}
    found = list(client.list_aggs(symbol, 1, "minute", first, last, limit=100, **options))
    whole = list(client.list_aggs(symbol, 1, "minute", first, last, **options))
    starts = [bar.timestamp for bar in found]

    assert found == whole
    assert sorted(set(starts), reverse=sort == "desc") == starts
    assert week["volume"].sum() == sum(bar.volume for bar in found)
    assert week["trades"].sum() == sum(bar.transactions for bar in found)
    assert week["high"].max() == max(bar.high for bar in found)


def test_a_range_of_instants_cuts_minutes(vendor: LocalVendor, bars: pl.DataFrame) -> None:
    client, symbol = official_client(vendor), bars["symbol"][0]
    whole = client.get_aggs(symbol, 1, "minute", SESSION, SESSION, adjusted=False)
    first, last = whole[3].timestamp, whole[7].timestamp
    some = client.get_aggs(symbol, 1, "minute", first, last, adjusted=False)

    assert whole[3:8] == some


def test_a_range_without_bars_is_ok_and_empty(vendor: LocalVendor) -> None:
    path = f"/v2/aggs/ticker/NOBODY/range/1/day/{FIRST}/{LAST}?adjusted=false"
    answer = ask(vendor, path).json()

    assert ("NOBODY", "OK", 0) == (answer["ticker"], answer["status"], answer["resultsCount"])
    assert "results" not in answer


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("1/day/2012-01-03/2012-02-03", 400),
        ("1/day/2012-01-03/x?adjusted=false", 400),
        ("1/day/2012-01-03/2012-02-03?adjusted=false&limit=50001", 400),
        ("5/minute/2012-01-03/2012-02-03?adjusted=false", 404),
    ],
)
def test_a_range_that_cannot_be_is_refused(vendor: LocalVendor, path: str, status: int) -> None:
    assert status == ask(vendor, f"/v2/aggs/ticker/A/range/{path}").status_code


def test_a_minute_file_is_what_the_rest_says(vendor: LocalVendor, bars: pl.DataFrame) -> None:
    body = s3_client(vendor).get_object(Bucket="flatfiles", Key=MINUTE_FILE)["Body"].read()
    rows = pl.read_csv(io.BytesIO(gzip.decompress(body)))
    symbol = bars["symbol"][0]
    mine = rows.filter(pl.col("ticker") == symbol)
    told = official_client(vendor).get_aggs(symbol, 1, "minute", SESSION, SESSION, adjusted=False)
    day = official_client(vendor).get_grouped_daily_aggs(SESSION, adjusted=False)

    assert [bar.timestamp * 10**6 for bar in told] == mine["window_start"].to_list()
    assert [bar.close for bar in told] == mine["close"].to_list()
    assert {bar.ticker: bar.volume for bar in day} == dict(
        rows.group_by("ticker").agg(pl.col("volume").sum()).iter_rows()
    )
    assert rows["ticker"].is_sorted()


def test_minute_files_are_listed_though_in_short_pages(vendor: LocalVendor) -> None:
    pages = (
        s3_client(vendor)
        .get_paginator("list_objects_v2")
        .paginate(Bucket="flatfiles", Prefix="us_stocks_sip/minute_aggs_v1/2012/07/")
    )
    listed = [each for page in pages for each in page["Contents"]]
    july = [day for day in vendor.sessions if (day.year, day.month) == (2012, 7)]

    assert [f"{day}.csv.gz" for day in july] == [each["Key"][-17:] for each in listed]
    assert all(each["Size"] > 0 for each in listed)


def test_a_restated_session_is_restated_everywhere(vendor: LocalVendor, bars: pl.DataFrame) -> None:
    symbol = bars["symbol"][0]
    vendor.restate(SESSION, Restatement(corrected={symbol: {"volume": 7.0, "trades": 3}}))
    client = official_client(vendor)
    daily = client.get_aggs(symbol, 1, "day", FIRST, LAST, adjusted=False)
    minutes = client.get_aggs(symbol, 1, "minute", SESSION, SESSION, adjusted=False)
    expected = bars.with_columns(
        volume=pl.when(pl.col("session") == SESSION).then(7.0).otherwise("volume")
    )

    assert expected["volume"].to_list() == [bar.volume for bar in daily]
    assert (7.0, 3) == (sum(bar.volume for bar in minutes), sum(m.transactions for m in minutes))
