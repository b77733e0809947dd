"""Merged bars of many symbols, in every form, page by page."""

from __future__ import annotations

import csv
import io
import json
from base64 import urlsafe_b64encode
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pytest

from fiblake import Lake
from lake.schemas import BARS
from serving_layer.answers import CSV_COLUMNS
from serving_layer.routes import BarsAnswer, ManyBarsAnswer
from speed_layer.views import View
from tests.api import Api, problem
from tests.live import NO_BARS, price, prices_of
from tests.merged import WED, Served

CSV: Final = ("text/csv; charset=utf-8", "csv")
ARROW: Final = ("application/vnd.apache.arrow.stream", "arrow")


def many(served: Api, **asked: Any) -> list[dict[str, Any]]:
    """Return the bars of several symbols, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        answer = served.get("/v1/bars", **asked).json()
        found += answer["bars"]
        if answer["next_cursor"] is None:
            return found
        asked["cursor"] = answer["next_cursor"]


def test_many_symbols_are_answered_together_and_page_by_page(
    sample_lake: Lake, told_view: View
) -> None:
    served = Served(sample_lake, told_view)
    asked: dict[str, Any] = {"symbols": "new,MSFT,AAPL", "interval": "13d", "start": "2012-12-01"}
    each = [
        served.bars(name, interval="13d", start="2012-12-01") for name in ("AAPL", "MSFT", "NEW")
    ]
    backwards = [bar for bars in each for bar in bars[::-1]]

    answer = served.get("/v1/bars", **asked).json()

    assert ["NEW", "MSFT", "AAPL"] == answer["symbols"]
    assert (
        [bar for bars in each for bar in bars] == answer["bars"] == many(served, **asked, limit=2)
    )
    assert backwards == many(served, **asked, limit=2, order="desc")


def test_a_cursor_is_of_its_own_question(sample_lake: Lake) -> None:
    served = Served(sample_lake)
    one = served.get("/v1/bars/AAPL", limit=1).json()["next_cursor"]
    of_many = served.get("/v1/bars", symbols="AAPL,IBM", limit=1).json()["next_cursor"]

    told = [
        problem(served.get("/v1/bars/AAPL", cursor=of_many)),
        problem(served.get("/v1/bars", symbols="AAPL,IBM", cursor=one)),
    ]
    assert [400, 400] == [each["status"] for each in told]
    assert told[0]["detail"].endswith("is the cursor of another question.")


def test_csv_has_the_columns_of_the_command(sample_lake: Lake, told_view: View) -> None:
    served = Served(sample_lake, told_view)
    asked: dict[str, Any] = {"interval": "13d", "start": "2013-01-10"}
    bars = served.bars("AAPL", **asked)

    answer = served.get("/v1/bars/AAPL", **asked, format="csv")
    rows = list(csv.reader(io.StringIO(answer.text)))

    assert CSV[0] == answer.headers["content-type"]
    assert list(CSV_COLUMNS) == rows[0]
    texts = [[str(bar[name]) for name in ("symbol", "start", "close", "state")] for bar in bars]
    places = [CSV_COLUMNS.index(name) for name in ("symbol", "start", "close", "state")]
    assert texts == [[row[place] for place in places] for row in rows[1:]]
    assert {"2013-03-01", "merged", "13d", "AAPL"} == {
        answer.headers[f"fiblake-{name}"] for name in ("boundary", "live", "interval", "symbol")
    }


def test_arrow_is_a_stream_whose_schema_says_what_there_is_to_say(
    sample_lake: Lake, told_view: View
) -> None:
    served = Served(sample_lake, told_view)
    asked: dict[str, Any] = {"symbols": "AAPL,IBM,NEW", "interval": "5d"}

    answer = served.get("/v1/bars", **asked, format="arrow")
    told = pa.ipc.open_stream(answer.content).read_all()

    assert ARROW[0] == answer.headers["content-type"]
    assert BARS.names == told.schema.names
    assert (b"2013-03-01", b"merged", b"AAPL,IBM,NEW") == tuple(
        told.schema.metadata[name] for name in (b"boundary", b"live", b"symbols")
    )
    assert json.loads(pl.DataFrame(told).write_json()) == many(served, **asked)


def test_the_whole_market_streams_and_is_not_paged(sample_lake: Lake, told_view: View) -> None:
    told_view.put(NO_BARS, prices_of(price("NEW", session=WED)))
    served = Served(sample_lake, told_view)

    answer = served.get("/v1/bars", symbols="*", interval="34d", format="csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert ["AAPL", "FB", "GOOG", "IBM", "MSFT", "NEW"] == sorted({row["symbol"] for row in rows})
    assert sample_lake.bars(None, "34d").height + 1 == len(rows)
    assert 400 == problem(served.get("/v1/bars", symbols="*"))["status"]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("symbols", ["AAPL,FB,GOOG,IBM,MSFT,NEW", "*"])
def test_what_is_behind_a_cursor_is_whole_in_every_piece(
    *,
    sample_lake: Lake,
    told_view: View,
    monkeypatch: pytest.MonkeyPatch,
    symbols: str,
    order: str,
) -> None:
    # pieces    AAPL FB | GOOG IBM | MSFT NEW
    # cursor                 ^ amid its bars
    monkeypatch.setattr("serving_layer.reader._LISTINGS_A_PIECE", 2)
    told_view.put(NO_BARS, prices_of(price("NEW", session=WED)))
    served = Served(sample_lake, told_view)
    asked: dict[str, Any] = {"symbols": symbols, "interval": "34d", "order": order, "format": "csv"}
    whole = list(csv.DictReader(io.StringIO(served.get("/v1/bars", **asked).text)))
    before = next(n for n, row in enumerate(whole) if row["symbol"] == "IBM") + 9
    named = f"IBM {whole[before]['start']}"
    cursor = urlsafe_b64encode(named.encode()).decode()

    behind = csv.DictReader(io.StringIO(served.get("/v1/bars", **asked, cursor=cursor).text))

    assert whole[before + 1 :] == list(behind)


def test_a_limit_of_csv_tells_the_next_cursor(sample_lake: Lake) -> None:
    served = Served(sample_lake)
    first = served.get("/v1/bars/AAPL", format="csv", limit=2)
    cursor = first.headers["fiblake-next-cursor"]
    second = served.get("/v1/bars/AAPL", format="csv", limit=2, cursor=cursor)

    rows = [row for page in (first, second) for row in csv.DictReader(io.StringIO(page.text))]
    assert [bar["start"] for bar in served.bars("AAPL")[:4]] == [row["start"] for row in rows]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("text/csv", CSV[0]),
        ("application/json;q=0.1, text/*", CSV[0]),
        ("application/vnd.apache.arrow.stream", ARROW[0]),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
    ],
)
def test_accept_chooses_the_form(sample_lake: Lake, accept: str, kind: str) -> None:
    answer = Served(sample_lake).accepting(accept, "/v1/bars/AAPL")

    assert (kind, "Accept") == (answer.headers["content-type"], answer.headers["vary"])


def test_a_form_that_is_not_offered_is_a_problem(sample_lake: Lake) -> None:
    told = problem(Served(sample_lake).accepting("text/html", "/v1/bars/AAPL"))

    assert (406, "leave Accept out, or add format=csv.") == (told["status"], told["hint"])


def test_the_schema_tells_the_forms(sample_lake: Lake) -> None:
    schema = Served(sample_lake).get("/openapi.json").json()
    many_bars = schema["paths"]["/v1/bars"]["get"]

    assert {"application/json", "text/csv", "application/vnd.apache.arrow.stream"} == set(
        many_bars["responses"]["200"]["content"]
    )
    assert {"200", "400", "404", "406", "422", "503"} == set(many_bars["responses"])
    assert list(ManyBarsAnswer.__dataclass_fields__) == (
        list(schema["components"]["schemas"]["ManyBarsAnswer"]["properties"])
    )
    assert (
        list(BarsAnswer.__dataclass_fields__)[1:] == list(ManyBarsAnswer.__dataclass_fields__)[1:]
    )
