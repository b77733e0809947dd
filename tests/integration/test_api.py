"""The REST API and the page: what is asked for, and every error as an RFC 9457 problem."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter
from pydantic_core import to_json

from fiblake import Lake
from lake.horizon import move_horizon
from serving_layer.app import WEB, create_app
from serving_layer.routes import BarsAnswer

FIBLAKE = Path(sys.executable).with_name("fiblake")
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
KINDS = {".js": "text/javascript", ".css": "text/css"}
PARTS = sorted(
    path.relative_to(WEB)
    for path in WEB.rglob("*")
    if path.suffix in KINDS and "vendor" not in path.parts
)
INTERVALS = ("1d", "3d", "5d", "8d", "13d", "21d", "34d")
GOOGLE = {"symbol": "GOOG", "listing": "GOOG", "first": "2004-08-19", "last": "2013-03-01"}
CURSOR = "is not a cursor. Allowed: the next_cursor of an answer."
INSTANT = "is not an instant. Allowed: ISO 8601 with an offset or Z, as 2026-01-05T21:00:00Z."
OFFERED = (
    f"is not an interval offered here. Allowed: 1m, 5m, 15m, 1h, 2h, 4h, {', '.join(INTERVALS)}."
)


class Api:
    """An app to ask, in this process."""

    def __init__(self, lake: Lake) -> None:
        self.app: FastAPI = create_app(lake.reader)

    def request(self, method: str, path: str, **parameters: object) -> httpx.Response:
        """Return the answer to a request."""
        return asyncio.run(self._request(method, path, parameters))

    def get(self, path: str, **parameters: object) -> httpx.Response:
        """Return the answer to a GET."""
        return self.request("GET", path, **parameters)

    def accepting(self, accept: str, path: str) -> httpx.Response:
        """Return the answer to a GET that accepts some forms alone."""
        return asyncio.run(self._send("GET", path, headers={"accept": accept}))

    def post(self, path: str, body: object, accept: str = "*/*") -> httpx.Response:
        """Return the answer to a JSON document."""
        # In ASCII: whatever a text holds can be sent.
        content, headers = json.dumps(body), {"Accept": accept, "Content-Type": "application/json"}
        return asyncio.run(self._send("POST", path, content=content, headers=headers))

    def bars(self, symbol: str, **parameters: object) -> list[dict[str, Any]]:
        """Return all bars of a symbol, page by page."""
        found: list[dict[str, Any]] = []
        asked = dict(parameters)
        while True:
            answer = self.get(f"/v1/bars/{symbol}", **asked).json()
            found += answer["bars"]
            if answer["next_cursor"] is None:
                return found
            asked["cursor"] = answer["next_cursor"]

    async def _request(self, method: str, path: str, asked: dict[str, object]) -> httpx.Response:
        parameters = {name: str(value) for name, value in asked.items()}
        return await self._send(method, path, params=parameters or None)

    async def _send(self, method: str, path: str, **asked: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://fiblake") as client:
            return await client.request(method, path, **asked)


@pytest.fixture
def api(sample_lake: Lake) -> Api:
    return Api(sample_lake)


def as_json(rows: object) -> Any:
    return json.loads(to_json(rows))


def problem(answer: httpx.Response) -> dict[str, Any]:
    """Return a problem, once it is one in form."""
    body: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("about:blank", answer.status_code) == (body["type"], body["status"])
    assert answer.headers["x-request-id"] == body.pop("trace")
    return body


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


def test_what_is_no_longer_kept_is_a_problem_with_a_hint(own_sample_lake: Lake) -> None:
    move_horizon(own_sample_lake.store, dt.datetime(2026, 1, 6, tzinfo=dt.UTC))
    told = problem(Api(own_sample_lake).get("/v1/bars/AAPL", known_at="2026-01-05T12:00:00Z"))

    assert (404, "FIBLAKE_HISTORY_DAYS says how long compact keeps it.") == (
        told["status"],
        told["hint"],
    )
    assert told["detail"].endswith("is no longer kept. Allowed: 2026-01-06T00:00:00Z and later.")


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


def test_a_symbol_with_a_slash_has_bars(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    header = "symbol,date,open,high,low,close,volume"
    path.write_text(f"{header}\nBRK/B,2013-01-02,1,1,1,1,1\n", "utf-8")
    lake.import_files(path)

    assert Api(lake).get("/v1/bars/BRK%2FB").status_code == 200


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


def resources(page: str) -> list[str]:
    """Return what a page loads: scripts, styles, icons; not the links one may follow."""
    found = re.findall(r'<(?:script|link|img)[^>]*?(?:src|href)="([^"]+)"', page)
    return [url for url in found if not url.startswith("data:")]


@pytest.mark.parametrize(("page", "loaded"), [("/", 6), ("/docs", 3), ("/redoc", 2)])
def test_a_page_loads_nothing_from_elsewhere(api: Api, page: str, loaded: int) -> None:
    answer = api.get(page)
    urls = resources(answer.text)

    assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert loaded == len(urls)
    assert [] == [url for url in urls if "//" in url]
    assert [200] * loaded == [api.get(f"/{url.lstrip('/')}").status_code for url in urls]
    scripts = re.sub(r"<a .*?</a>", "", answer.text, flags=re.DOTALL)
    assert [] == re.findall(r"https?://(?!www\.w3\.org/2000/svg)", scripts)


@pytest.mark.parametrize("path", PARTS, ids=str)
def test_the_pages_parts_are_small_of_their_kind_and_name_no_other_server(
    api: Api, path: Path
) -> None:
    part = api.get(f"/web/{path.as_posix()}")

    kind = f"{KINDS[path.suffix]}; charset=utf-8"
    assert (200, kind) == (part.status_code, part.headers["content-type"])
    assert [] == re.findall(r"https?://(?!www\.(w3\.org/2000/svg|tradingview\.com))", part.text)
    assert len(part.text.splitlines()) < 400


def up(lake: Path, port: int) -> subprocess.Popen[str]:
    """Start `fiblake up`."""
    command = [str(FIBLAKE), "up", "--port", str(port), "--lake", str(lake)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture
def server(sample_lake_folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`fiblake up` on a free port."""
    with up(sample_lake_folder, 0) as process:
        yield process
        process.kill()


@pytest.fixture
def refused(sample_lake_folder: Path) -> tuple[int, int, str, str]:
    """`fiblake up` on a port that is taken: the port, the exit code, what it said."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        with up(sample_lake_folder, port) as process:
            out, err = process.communicate()
            return port, process.returncode, out, err


def test_up_serves_until_it_is_interrupted(server: subprocess.Popen[str]) -> None:
    assert server.stderr is not None
    said = server.stderr.readline()
    url = re.fullmatch(r"fiblake serves (http://127\.0\.0\.1:\d+/) until Ctrl-C\n", said)

    assert url is not None
    with urllib.request.urlopen(f"{url[1]}v1/bars/IBM?start=2013-03-01") as answer:
        assert [202.91] == [bar["close"] for bar in json.load(answer)["bars"]]
    server.send_signal(signal.SIGINT)
    assert ("", "", 0) == (*server.communicate(), server.returncode)


def test_up_fails_in_one_line_if_the_port_is_taken(refused: tuple[int, int, str, str]) -> None:
    port, code, out, err = refused

    assert (2, "", 1) == (code, out, err.count("\n"))
    assert err.startswith(f"error: Cannot listen on 127.0.0.1, port {port}: Address already in use")
    assert err.endswith(f" Hint: try --port {port + 1}, or --port 0 for any.\n")


def test_up_says_it_in_the_users_words(refused: tuple[int, int, str, str]) -> None:
    assert "while attempting to bind" not in refused[3]
