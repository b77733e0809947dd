"""Backtests: bars of many symbols, their indicators, and datasets that answer the same again."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from batch_layer.bronze import daily, splits
from fiblake import Lake
from lake.errors import FiblakeError, MisuseError, UnknownSymbolError
from lake.horizon import move_horizon
from serving_layer.answers import MEDIA
from serving_layer.backtest import dataset, indicators, universe
from serving_layer.backtest.query import BacktestQuery
from tests.api import Api, as_json, problem
from tests.conftest import NOW
from tests.frames import set_clock, split
from tests.minutes import commit, every_minute

NAMES = ["IBM", "AAPL"]
HEADER = "X-Fiblake-Dataset"
ALL = ["sma_20", "ema_12", "atr_14", "rsi_14", "returns_5", "ema_2", "rsi_2"]
DAY, AFTER = dt.date(2024, 11, 27), dt.date(2024, 12, 2)


def recomputed(name: str, rows: list[dict[str, Any]]) -> list[float | None]:
    """An indicator by its definition, bar after bar."""
    kind, _, period = name.partition("_")
    n = int(period)
    closes = [row["close"] for row in rows]
    changes = [after - before for before, after in pairwise(closes)]
    if kind == "sma":
        means = [float(np.mean(closes[at - n + 1 : at + 1])) for at in range(n - 1, len(closes))]
        return [None] * min(n - 1, len(closes)) + means
    if kind == "returns":
        gained = [after / before - 1 for before, after in zip(closes, closes[n:], strict=False)]
        return [None] * min(n, len(closes)) + gained
    if kind == "ema":
        return smoothed(closes, n, 2 / (n + 1))
    if kind == "atr":
        return smoothed(true_ranges(rows), n, 1 / n)
    gains = smoothed([max(change, 0) for change in changes], n, 1 / n)
    losses = smoothed([max(-change, 0) for change in changes], n, 1 / n)
    return [None] + [
        None if gain is None or loss is None else 100 * gain / (gain + loss)
        for gain, loss in zip(gains, losses, strict=True)
    ]


def smoothed(values: list[float], n: int, weight: float) -> list[float | None]:
    found: list[float | None] = [None] * len(values)
    last = 0.0
    for at, value in enumerate(values):
        if at == n - 1:
            last = float(np.mean(values[:n]))
        elif at >= n:
            last = (1 - weight) * last + weight * value
        if at >= n - 1:
            found[at] = last
    return found


def true_ranges(rows: list[dict[str, Any]]) -> list[float]:
    first = [rows[0]["high"] - rows[0]["low"]]
    return first + [
        max(now["high"], before["close"]) - min(now["low"], before["close"])
        for before, now in pairwise(rows)
    ]


def assert_near(expected: list[float | None], found: list[float | None]) -> None:
    assert [each is None for each in expected] == [each is None for each in found]
    wanted, told = ([each for each in side if each is not None] for side in (expected, found))
    np.testing.assert_allclose(told, wanted, rtol=1e-9, atol=1e-9)


@pytest.fixture
def api(sample_lake: Lake) -> Api:
    return Api(sample_lake)


def post(api: Api, path: str, body: dict[str, Any], accept: str = "*/*") -> Any:
    return api.post(f"/v1/backtest/{path}", body, accept)


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


def correct(lake: Lake, tmp_path: Path) -> None:
    """Correct a bar, withdraw one, add a listing and a session, and tell of a split."""
    path = tmp_path / "a.csv"
    rows = ["IBM,2011-03-01,1,1,1,1,1", "NEW,2012-12-31,1,1,1,1,1", "NEW,2005-03-01,1,1,1,1,1"]
    rows += ["IBM,2013-03-04,205,999,200,210,100"]
    path.write_text("\n".join(["symbol,date,open,high,low,close,volume", *rows]) + "\n", "utf-8")
    lake.import_files(path)
    splits.commit(lake.store, split("IBM", dt.date(2011, 6, 1), 3), clock=lake.clock)
    gone = pl.DataFrame({"symbol": ["AAPL"], "session": [dt.date(2011, 4, 5)]})
    daily.withdraw(lake.store, gone, clock=lake.clock)
    lake.resample()


@pytest.mark.parametrize("form", ["json", "csv", "arrow"])
@pytest.mark.parametrize("kind", ["bars", "matrix"])
def test_a_dataset_answers_the_same_bytes_whatever_was_corrected_since(
    own_sample_lake: Lake, tmp_path: Path, kind: str, form: str
) -> None:
    lake = own_sample_lake
    asked = {"universe": {"listed_on": "2012-12-31"}, "intervals": ["1d", "5d"], "format": form}
    asked |= {"start": "2011-01-03"} | ({"indicators": ["rsi_14"]} if kind == "bars" else {})
    first = post(Api(lake), kind, asked)
    name = first.headers[HEADER]
    set_clock(lake, NOW + dt.timedelta(days=1))
    correct(lake, tmp_path)
    again = Api(lake).get(f"/v1/backtest/datasets/{name}")

    assert (200, first.content) == (again.status_code, again.content)
    assert name == again.headers[HEADER]
    assert first.content != post(Api(lake), kind, asked).content


@pytest.fixture
def pinned(own_sample_lake: Lake) -> str:
    """The id of a dataset of the sample."""
    asked = {"universe": ["IBM"], "intervals": ["5d"]}
    answer = post(Api(own_sample_lake), "bars", asked)
    name: str = answer.headers[HEADER]
    assert name == answer.json()["dataset"]
    return name


def test_a_dataset_of_other_code_is_a_conflict(
    own_sample_lake: Lake, pinned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indicators, "MACROS", ())
    monkeypatch.setattr(dataset, "_PACKAGES", ("duckdb",))
    dataset.code_version.cache_clear()
    told = problem(Api(own_sample_lake).get(f"/v1/backtest/datasets/{pinned}"))
    monkeypatch.undo()
    dataset.code_version.cache_clear()

    assert (409, "The code that made this dataset is not the one that runs here.") == (
        told["status"],
        told["detail"],
    )


def test_a_dataset_whose_knowledge_is_gone_says_so(own_sample_lake: Lake, pinned: str) -> None:
    move_horizon(own_sample_lake.store, NOW + dt.timedelta(days=1))
    told = problem(Api(own_sample_lake).get(f"/v1/backtest/datasets/{pinned}"))

    assert 404 == told["status"]
    assert "is no longer kept" in told["detail"]


def test_a_damaged_id_is_a_problem(api: Api, pinned: str) -> None:
    flipped = pinned[:-4] + ("A" if pinned[-4] != "A" else "B") + pinned[-3:]
    for name in (flipped, pinned[:-2], pinned[2:], "é", "zzz", "a" * 50):
        told = problem(api.get(f"/v1/backtest/datasets/{name}"))
        assert (400, "The dataset id is damaged, or none.") == (told["status"], told["detail"])


@pytest.mark.parametrize("changed", [{"form": "xml"}, {"kind": "none"}, {"known_at": None}])
def test_an_id_that_was_made_up_is_a_problem(
    api: Api, pinned: str, changed: dict[str, Any]
) -> None:
    real = dataset.unpacked(pinned)
    form = changed.pop("form", real.form)
    made_up = replace(real, form=form, query=replace(real.query, **changed)).packed()

    assert 400 == problem(api.get(f"/v1/backtest/datasets/{made_up}"))["status"]


def test_a_dataset_of_minutes_is_a_conflict_once_they_change(lake: Lake) -> None:
    commit(lake, *every_minute("AA", DAY, "09:30", "16:00", price=10.0))
    lake.resample()
    first = post(Api(lake), "bars", {"universe": ["AA"], "intervals": ["5m"]})
    path = f"/v1/backtest/datasets/{first.headers[HEADER]}"
    again = Api(lake).get(path)
    commit(lake, *every_minute("AA", DAY, "09:30", "09:35", price=11.0))
    lake.resample()

    assert first.content == again.content
    assert problem(Api(lake).get(path))["status"] == 409
