"""Datasets of backtests: they answer the same again, or say why they do not."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batch_layer.bronze import daily, splits
from fiblake import Lake
from lake.horizon import move_horizon
from serving_layer.backtest import dataset, indicators
from tests.api import Api, problem
from tests.backtests import post
from tests.conftest import NOW
from tests.frames import set_clock, split
from tests.minutes import commit, every_minute

HEADER = "X-Fiblake-Dataset"
DAY = dt.date(2024, 11, 27)


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
