"""The REST API: bars, pages of them, symbols, commits, and the schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from fiblake import Lake
from serving_layer.routes import BarsAnswer
from tests.api import Api, as_json

DIALECTS = (
    "/udf/config",
    "/udf/history",
    "/udf/search",
    "/udf/symbols",
    "/udf/time",
    "/v2/assets",
    "/v2/stocks/bars",
    "/v2/stocks/bars/latest",
    "/v2/stocks/{symbol}/bars",
    "/v2/stocks/{symbol}/bars/latest",
    "/v2/aggs/grouped/locale/us/market/stocks/{date}",
    "/v2/aggs/ticker/{ticker}/prev",
    "/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}",
    "/v2/last/trade/{ticker}",
    "/v3/reference/dividends",
    "/v3/reference/splits",
    "/v3/reference/tickers",
)
INTERVALS = ("1d", "3d", "5d", "8d", "13d", "21d", "34d")
GOOGLE = {"symbol": "GOOG", "listing": "GOOG", "first": "2004-08-19", "last": "2013-03-01"}


@pytest.mark.parametrize("adjustment", ["raw", "split", "all"])
@pytest.mark.parametrize("interval", INTERVALS)
def test_the_bars_are_those_of_the_lake(
    api: Api, sample_lake: Lake, interval: str, adjustment: Any
) -> None:
    asked = {"interval": interval, "adjustment": adjustment, "limit": 50_000}
    response = api.get("/v1/bars/aapl", **asked)
    expected = sample_lake.bars("AAPL", interval, adjustment=adjustment).to_dicts()
    answer = TypeAdapter(BarsAnswer).validate_json(response.content)

    assert (200, "application/json") == (response.status_code, response.headers["content-type"])
    assert as_json(expected) == response.json()["bars"]
    assert as_json(answer) == response.json()
    assert ("AAPL", interval, adjustment, None) == (
        *(answer.symbol, answer.interval, answer.adjustment),
        answer.next_cursor,
    )
    assert ("2026-01-05" if adjustment != "raw" else None) == response.json()["as_of"]
    assert response.json()["boundary"] == "2013-03-01"


@pytest.mark.parametrize(
    ("symbol", "interval", "limit"),
    [("FB", "1d", 1), ("AAPL", "34d", 1), ("AAPL", "1d", 1000), ("MSFT", "3d", 7)],
)
def test_pages_make_the_whole(
    api: Api, sample_lake: Lake, symbol: str, interval: str, limit: int
) -> None:
    expected = as_json(sample_lake.bars(symbol, interval).to_dicts())

    assert expected == api.bars(symbol, interval=interval, limit=limit)


def test_a_full_last_page_says_that_it_is_the_last(api: Api) -> None:
    assert api.get("/v1/bars/FB", limit=196).json()["next_cursor"] is None
    assert api.get("/v1/bars/FB", limit=195).json()["next_cursor"] is not None


def test_a_range_includes_both_its_ends_and_may_be_empty(api: Api) -> None:
    asked = {"interval": "13d", "start": "2013-01-10", "end": "2013-01-30"}
    bars = api.bars("IBM", **asked, limit=1)

    assert [("2013-01-10", 203.9), ("2013-01-30", 200.98)] == [
        (bar["start"], bar["close"]) for bar in bars
    ]
    assert [] == api.bars("IBM", start="2020-01-01")


@pytest.mark.parametrize(
    ("as_of", "close", "volume"),
    [
        ("2000-06-20", 96.62, 3_517_900.0),
        ("2000-06-21", 48.31, 7_035_800.0),
        ("2005-02-27", 48.31, 7_035_800.0),
        ("2005-02-28", 24.155, 14_071_600.0),
    ],
)
def test_only_splits_effective_by_as_of_are_applied(
    api: Api, as_of: str, close: float, volume: float
) -> None:
    answer = api.get("/v1/bars/AAPL", as_of=as_of, start="2000-06-19", limit=1).json()

    assert as_of == answer["as_of"]
    assert (close, volume) == (answer["bars"][0]["close"], answer["bars"][0]["volume"])


@pytest.mark.parametrize("written", ["2026-01-05T12:00:00Z", "2026-01-05T07:00:00-05:00"])
@pytest.mark.parametrize(("interval", "limit"), [("1d", 1000), ("13d", 50)])
def test_pages_of_what_was_known_make_the_whole(
    own_sample_lake: Lake, tmp_path: Path, interval: str, limit: int, written: str
) -> None:
    lake = own_sample_lake
    then = lake.bars("AAPL", interval)
    path = tmp_path / "a.csv"
    header = "symbol,date,open,high,low,close,volume"
    path.write_text(f"{header}\nAAPL,2000-03-01,1,1,1,1,1\nAAPL,2013-03-04,1,1,1,1,1\n", "utf-8")
    Lake(lake.store.location).import_files(path)
    asked = {"interval": interval, "known_at": written}

    assert as_json(then.to_dicts()) == Api(lake).bars("AAPL", **asked, limit=limit)
    answer = Api(lake).get("/v1/bars/AAPL", **asked).json()
    assert ("2026-01-05T12:00:00Z", "2026-01-05") == (answer["known_at"], answer["as_of"])


def test_symbols_intervals_and_health_are_told(api: Api) -> None:
    offered = [{"interval": name, "sessions": int(name[:-1]), "stored": True} for name in INTERVALS]
    names = [each["symbol"] for each in api.get("/v1/symbols").json()["symbols"]]

    assert ["AAPL", "FB", "GOOG", "IBM", "MSFT"] == names
    assert {"symbols": [{**GOOGLE, "bars": 2148}]} == api.get("/v1/symbols", query="goo").json()
    found = api.get("/v1/symbols", query="m").json()["symbols"]
    assert ["MSFT", "IBM"] == [each["symbol"] for each in found]
    assert ["AAPL"] == [
        each["symbol"] for each in api.get("/v1/symbols", limit=1).json()["symbols"]
    ]
    assert {"symbols": []} == api.get("/v1/symbols", query="zz").json()
    assert {"intervals": offered, "live": False} == api.get("/v1/intervals").json()
    assert {"status": "live"} == api.get("/health/live").json()
    assert {"status": "ready"} == api.get("/health/ready").json()


def test_a_symbol_with_a_slash_has_bars(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    header = "symbol,date,open,high,low,close,volume"
    path.write_text(f"{header}\nBRK/B,2013-01-02,1,1,1,1,1\n", "utf-8")
    lake.import_files(path)

    assert Api(lake).get("/v1/bars/BRK%2FB").status_code == 200


def test_an_answer_shows_each_commit_at_once(own_sample_lake: Lake, tmp_path: Path) -> None:
    api, writer = Api(Lake(own_sample_lake.store.location)), own_sample_lake
    asked = {"start": "2013-02-19", "interval": "13d", "limit": 1}
    before = api.get("/v1/bars/IBM", **asked).json()
    path = tmp_path / "new.csv"
    header = "symbol,date,open,high,low,close,volume"
    path.write_text(
        f"{header}\nIBM,2013-03-04,205,999,200,210,100\nNEW,2013-03-04,1,1,1,1,1\n", "utf-8"
    )
    writer.import_files(path)
    imported = api.get("/v1/bars/IBM", **asked).json()
    daily = api.bars("IBM", start="2013-03-04")
    symbols = [each["symbol"] for each in api.get("/v1/symbols").json()["symbols"]]
    writer.resample()
    resampled = api.get("/v1/bars/IBM", **asked).json()

    assert before == imported
    assert [999.0] == [bar["high"] for bar in daily]
    assert ["AAPL", "FB", "GOOG", "IBM", "MSFT", "NEW"] == symbols
    assert ("2013-03-04", 999.0, 210.0, 10) == (
        resampled["boundary"],
        *(resampled["bars"][0][name] for name in ("high", "close", "sessions")),
    )


def test_the_schema_lists_the_routes(api: Api) -> None:
    schema = api.get("/openapi.json").json()
    bars = schema["paths"]["/v1/bars/{symbol}"]["get"]

    assert {
        *DIALECTS,
        "/v1/bars",
        "/v1/bars/{symbol}",
        "/v1/live/{symbol}",
        "/v1/prices",
        "/v1/prices/{symbol}",
        "/v1/backtest/bars",
        "/v1/backtest/matrix",
        "/v1/backtest/datasets/{dataset}",
        "/v1/alerts/dry-run",
        "/v1/sessions",
        "/v1/symbols",
        "/v1/splits/{symbol}",
        "/v1/dividends/{symbol}",
        "/v1/quality/{symbol}",
        "/v1/reconciliation/{symbol}",
        "/v1/intervals",
        "/health/live",
        "/health/ready",
    } == (set(schema["paths"]))
    assert [
        *("symbol", "interval", "start", "end", "adjustment", "as_of", "known_at"),
        *("session", "limit", "cursor", "order", "format"),
    ] == [parameter["name"] for parameter in bars["parameters"]]
    assert {"200", "400", "404", "406", "422", "503"} == set(bars["responses"])
    assert list(BarsAnswer.__dataclass_fields__) == (
        list(schema["components"]["schemas"]["BarsAnswer"]["properties"])
    )
