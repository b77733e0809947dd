"""Backtests: bars of many symbols and their indicators, and what cannot be asked for."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fiblake import Lake
from lake.errors import FiblakeError, MisuseError, UnknownSymbolError
from serving_layer.answers import MEDIA
from serving_layer.backtest import universe
from serving_layer.backtest.query import BacktestQuery
from tests.api import Api, as_json, problem
from tests.backtests import assert_near, post, recomputed
from tests.conftest import NOW
from tests.minutes import commit, every_minute

NAMES = ["IBM", "AAPL"]
ALL = ["sma_20", "ema_12", "atr_14", "rsi_14", "returns_5", "ema_2", "rsi_2"]
DAY, AFTER = dt.date(2024, 11, 27), dt.date(2024, 12, 2)


@pytest.mark.parametrize("adjustment", ["split", "all", "raw"])
@pytest.mark.parametrize("interval", ["1d", "5d", "34d"])
def test_the_bars_are_those_that_were_known(
    sample_lake: Lake, interval: str, adjustment: Any
) -> None:
    asked = {"start": "2005-01-03", "end": "2012-06-29", "adjustment": adjustment}
    expected = sample_lake.bars(NAMES, interval, known_at=NOW, **asked)
    final = expected.filter(pl.col("state") == "final")

    found = sample_lake.backtest(NAMES, interval, **asked)
    with_forming = sample_lake.backtest(NAMES, interval, include_forming=True, **asked)

    assert final.to_dicts() == found.drop("interval").select(final.columns).to_dicts()
    assert expected.to_dicts() == with_forming.drop("interval").select(final.columns).to_dicts()


def test_intervals_follow_each_other_within_a_symbol(sample_lake: Lake) -> None:
    found = sample_lake.backtest(NAMES, ["13d", "5d"], columns=["close", "state"])
    order = found.select("symbol", "interval").unique(maintain_order=True).rows()

    assert ["listing", "symbol", "interval", "start", "close", "state"] == found.columns
    assert [("AAPL", "13d"), ("AAPL", "5d"), ("IBM", "13d"), ("IBM", "5d")] == order
    assert {"final"} == set(found["state"])


@pytest.mark.parametrize("interval", ["1d", "21d"])
def test_indicators_are_their_definitions(sample_lake: Lake, interval: str) -> None:
    found = sample_lake.backtest(NAMES, interval, indicators=ALL)

    for symbol in NAMES:
        of_one = found.filter(pl.col("symbol") == symbol)
        for name in ALL:
            assert_near(recomputed(name, of_one.to_dicts()), of_one[name].to_list())


def test_an_indicator_is_the_same_wherever_the_answer_starts(sample_lake: Lake) -> None:
    whole = sample_lake.backtest(NAMES, "8d", indicators=ALL)
    from_2010 = sample_lake.backtest(NAMES, "8d", indicators=ALL, start="2010-01-04")

    assert whole.filter(pl.col("start") >= dt.date(2010, 1, 4)).equals(from_2010)
    assert 0 == sum(from_2010[name].null_count() for name in ALL)


def test_prices_that_never_change_have_no_strength(lake: Lake, bars_file: Path) -> None:
    lake.import_files(bars_file)

    found = lake.backtest(["A"], "1d", indicators=["rsi_14", "atr_14"])

    assert [None] == found["rsi_14"].unique().to_list()
    assert found["atr_14"][-1] == pytest.approx(3.0)


def test_a_market_of_a_date_has_those_delisted_since(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "market.csv"
    lines = ["symbol,date,open,high,low,close,volume"]
    spans = {"GONE": ("2005-02-28", "2005-03-02"), "STAYS": ("2005-02-28", "2005-04-01")}
    spans["LATER"] = ("2005-03-02", "2005-04-01")
    lines += [f"{name},{day},1,1,1,1,1" for name, days in spans.items() for day in days]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    lake.import_files(path)

    def listed_on(day: str) -> set[str]:
        return set(lake.backtest({"listed_on": day}, "1d")["symbol"])

    assert {"GONE", "STAYS"} == listed_on("2005-03-01")
    assert {"STAYS", "LATER"} == listed_on("2005-03-03")
    with pytest.raises(UnknownSymbolError, match=r"was listed on 2001-01-01\."):
        listed_on("2001-01-01")


def test_intraday_bars_warm_up_before_the_start(lake: Lake) -> None:
    for nth, day in enumerate((DAY, AFTER)):
        commit(lake, *every_minute("AA", day, "09:30", "16:00", price=10.0 + nth))
    lake.resample()
    whole = lake.backtest(["AA"], "15m", indicators=["sma_20", "rsi_14"])
    after = lake.backtest(["AA"], "15m", indicators=["sma_20", "rsi_14"], start=AFTER)

    assert (52, 26) == (whole.height, after.height)
    assert 0 == after["sma_20"].null_count()
    assert_near(whole["sma_20"].to_list()[26:], after["sma_20"].to_list())
    assert lake.bars("AA", "15m", start=AFTER)["close"].to_list() == after["close"].to_list()


def test_what_minutes_are_read_before_the_start_counts_for_the_size_of_a_piece(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (DAY, AFTER):
        commit(lake, *every_minute("AA", day, "09:30", "16:00"))
        commit(lake, *every_minute("B", day, "09:30", "16:00"))
    lake.resample()
    asked = {"universe": ["AA", "B"], "intervals": ["15m"], "start": AFTER.isoformat()}
    query = BacktestQuery.parse("bars", {**asked, "indicators": ["sma_20"]})
    whole = lake.backtest(["AA", "B"], "15m", start=AFTER, indicators=["sma_20"])

    # Of each 26 bars in the answer, and as many before them.
    monkeypatch.setattr(universe, "_BARS_A_PIECE", 100)
    pieces = list(lake.backtests.pieces(lake.backtests.pinned(query)))

    assert [["AA"], ["B"]] == [piece["symbol"].unique().to_list() for piece in pieces]
    assert whole.equals(pl.concat(pieces))


@pytest.mark.parametrize("indicators", [[], ["sma_2"]])
@pytest.mark.parametrize(
    ("start", "end"), [("9999-12-31", None), ("0001-01-01", "0001-01-02"), ("0001-01-01", None)]
)
def test_a_start_outside_the_known_sessions_is_one(
    lake: Lake, start: str, end: str | None, indicators: list[str]
) -> None:
    commit(lake, *every_minute("AA", DAY, "09:30", "16:00"))
    lake.resample()
    asked: dict[str, Any] = {"start": start, "end": end}

    bars = lake.backtest(["AA"], "1h", indicators=indicators, **asked)
    matrix = lake.matrix(["AA"], "1h", **asked)

    expected = 7 if start < "2024" and end is None else 0
    assert [expected] * 2 == [bars.height, matrix.height]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"intervals": ["7d"]}, "'7d' is not an interval offered here"),
        ({"intervals": []}, "0 intervals were named"),
        ({"universe": []}, "0 symbols were named"),
        ({"indicators": ["rsi_1"]}, "'rsi_1' is not an indicator. Allowed: sma_N"),
        ({"indicators": ["macd_9"]}, "'macd_9' is not an indicator"),
        ({"columns": ["price"]}, "'price' is not a column offered here. Allowed: open, high"),
        ({"columns": ["minutes"]}, "'minutes' is not a column offered here"),
        ({"start": "2013-01-02", "end": "2013-01-01"}, "is after the end"),
        ({"adjustment": "raw", "indicators": ["sma_2"]}, "Raw bars have no common basis"),
        ({"intervals": ["1d", "5m"]}, "start on a date, those of minutes at an instant"),
        ({"intervals": ["5m"], "adjustment": "all"}, "not offered with adjustment=all yet"),
        ({"intervals": ["5m"], "known_at": "2026-01-05T12:00:00Z"}, "with known_at yet"),
        ({"universe": ["AAPL", "NOPE"]}, "NOPE: no such symbol"),
        ({"universe": ["AAPL", " "]}, "A symbol is empty"),
        ({"universe": ["AAPL", "\ud800"]}, r"'\ud800' cannot be a symbol"),
        ({"known_at": "0001-01-01T00:00:00Z"}, "0001-01-01T00:00:00+00:00 is out of range"),
    ],
)
def test_what_cannot_be_asked_for_says_why(
    sample_lake: Lake, changed: dict[str, Any], told: str
) -> None:
    asked = {"universe": NAMES, "intervals": ["5d"]} | changed
    answer = post(Api(sample_lake), "bars", asked)

    with pytest.raises(FiblakeError, match=re.escape(told)):
        sample_lake.backtest(**asked)
    if asked["universe"] and asked["intervals"]:
        assert told in problem(answer)["detail"]
    assert answer.status_code in {400, 404, 422}


@pytest.mark.parametrize(
    ("method", "misspelt", "allowed"),
    [
        ("backtest", "strat", "start, end, adjustment, as_of, known_at, columns, indicators, incl"),
        ("matrix", "indicators", "start, end, adjustment, as_of, known_at, columns."),
        ("bars", "adjustmnt", "start, end, adjustment, as_of, known_at, session."),
    ],
)
def test_an_argument_that_is_misspelt_is_an_error(
    sample_lake: Lake, method: str, misspelt: str, allowed: str
) -> None:
    told = re.escape(f"{method}() has no argument {misspelt!r}. Allowed: {allowed}")

    with pytest.raises(TypeError, match=told):
        getattr(sample_lake, method)(["AAPL"], "5d", **{misspelt: "2013-01-02"})


def test_an_answer_that_is_too_large_is_refused(
    sample_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(universe, "MOST_BARS", 1000)

    with pytest.raises(
        MisuseError, match=r"2 symbols would make up to 6,\d+ bars\. Allowed: 1,000"
    ):
        sample_lake.backtest(NAMES, "1d")
    assert 1 == sample_lake.backtest(NAMES, "1d", start="2013-03-01")["start"].n_unique()


@pytest.mark.parametrize("form", ["json", "csv", "arrow"])
def test_each_form_tells_the_same_rows(api: Api, sample_lake: Lake, form: str) -> None:
    asked = {"universe": NAMES, "intervals": ["5d"], "start": "2012-01-03", "indicators": ["ema_9"]}
    expected = sample_lake.backtest(NAMES, "5d", start="2012-01-03", indicators=["ema_9"])

    by_name = post(api, "bars", {**asked, "format": form})
    by_accept = post(api, "bars", asked, MEDIA[form])  # type: ignore[index]

    assert by_name.content == by_accept.content
    assert MEDIA[form] == by_accept.headers["content-type"].partition(";")[0]  # type: ignore[index]
    assert rows_of(form, expected) == rows_of(form, read(form, by_name.content))


def test_the_accepted_forms_are_weighed_and_others_are_a_problem(api: Api) -> None:
    asked = {"universe": ["AAPL"], "intervals": ["34d"]}

    weighed = post(api, "matrix", asked, "application/json;q=0.1, text/*")
    told = [problem(post(api, kind, asked, "text/html")) for kind in ("bars", "matrix")]

    assert MEDIA["csv"] == weighed.headers["content-type"].partition(";")[0]
    assert [(406, "leave Accept out, or add format=csv.")] * 2 == [
        (each["status"], each["hint"]) for each in told
    ]


def read(form: str, content: bytes) -> pl.DataFrame:
    if form == "arrow":
        return pl.read_ipc_stream(io.BytesIO(content))
    if form == "csv":
        return pl.read_csv(content, try_parse_dates=True)
    return pl.DataFrame(json.loads(content)["rows"], infer_schema_length=None)


def rows_of(form: str, frame: pl.DataFrame) -> Any:
    return frame.to_dicts() if form == "arrow" else as_json(frame.to_dicts())


def test_pieces_of_symbols_make_the_whole(
    sample_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"indicators": ["atr_14"], "start": "2010-01-04"}
    listed = {"listed_on": "2012-12-31"}
    expected = sample_lake.backtest(listed, ["5d", "8d"], **asked)
    bodies = [
        post(Api(sample_lake), "bars", {"universe": listed, "intervals": ["5d", "8d"], **asked}),
        None,
    ]
    monkeypatch.setattr(universe, "_BARS_A_PIECE", 1)
    bodies[1] = post(
        Api(sample_lake), "bars", {"universe": listed, "intervals": ["5d", "8d"], **asked}
    )

    assert 5 == expected["symbol"].n_unique()
    assert_near(
        expected["atr_14"].to_list(),
        sample_lake.backtest(listed, ["5d", "8d"], **asked)["atr_14"].to_list(),
    )
    rows = [json.loads(body.content)["rows"] for body in bodies if body]
    assert [len(rows[0])] * 2 == [len(each) for each in rows]
