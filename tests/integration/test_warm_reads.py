"""Local copies of silver answer what silver answers, and no more once it has moved on."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from batch_layer.bronze import daily
from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.errors import InvalidRangeError, MisuseError, StoreError, UnknownSymbolError
from lake.interval import FIBONACCI, Interval
from serving_layer.query import BarsQuery
from serving_layer.reader import Reader
from tests.conftest import NOW
from tests.frames import bronze, commit
from tests.integration.test_resample import plain_bars

SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
QUERIES = {
    "one symbol": {"symbols": ("AAPL",)},
    "one symbol, some years": {
        "symbols": ("IBM",),
        "start": dt.date(2004, 3, 1),
        "end": dt.date(2006, 3, 1),
    },
    "some symbols": {"symbols": ("MSFT", "AAPL", "msft")},
    "some symbols, some years": {
        "symbols": ("FB", "GOOG", "IBM"),
        "start": dt.date(2004, 8, 20),
        "end": dt.date(2012, 6, 1),
    },
    "the whole market": {"symbols": None},
    "the whole market on a date": {
        "symbols": None,
        "start": dt.date(2012, 5, 23),
        "end": dt.date(2012, 6, 8),
    },
    "before the first bar": {"symbols": ("AAPL",), "end": dt.date(1990, 1, 1)},
    "a limit": {"symbols": ("MSFT", "AAPL"), "limit": 50},
    "behind a bar": {"symbols": ("MSFT", "IBM"), "after": ("IBM", dt.date(2012, 1, 1))},
    "as of a date": {"symbols": SYMBOLS, "as_of": dt.date(2004, 1, 1)},
    "raw": {"symbols": SYMBOLS, "adjustment": "raw"},
}


@pytest.fixture
def cold(sample_lake: Lake) -> Reader:
    return Reader(sample_lake.store, SetClock(NOW))


@pytest.fixture
def warm(sample_lake: Lake, tmp_path: Path) -> Reader:
    reader = Reader(sample_lake.store, SetClock(NOW), tmp_path / "copies")
    assert 84 == reader.warm()
    return reader


@pytest.mark.parametrize("interval", FIBONACCI, ids=str)
@pytest.mark.parametrize("name", QUERIES)
def test_copies_answer_as_silver_does(
    warm: Reader, cold: Reader, name: str, interval: Interval
) -> None:
    query = BarsQuery(interval=interval, **QUERIES[name])  # type: ignore[arg-type]

    expected, actual = cold.bars(query), warm.bars(query)

    assert expected.schema == actual.schema
    assert expected.equals(actual)


def test_what_is_copied_is_not_copied_again(warm: Reader) -> None:
    assert 0 == warm.warm()


def test_copies_do_not_hide_what_was_resampled_since(own_sample_lake: Lake) -> None:
    lake = own_sample_lake
    lake.warm()
    before = lake.bars("AAPL", "3d")
    commit(lake, plain_bars("AAPL", [dt.date(2013, 3, 4)]))
    lake.resample()

    after = lake.bars("AAPL", "3d")

    assert before["through"].max() == dt.date(2013, 3, 1)
    assert after["through"].max() == dt.date(2013, 3, 4)
    assert 6 <= lake.warm() <= 12
    assert after.equals(lake.bars("AAPL", "3d"))


def test_a_copy_replaces_those_of_what_the_partition_was(
    own_sample_lake: Lake, tmp_path: Path
) -> None:
    lake = own_sample_lake
    lake.warm("13d")
    commit(lake, plain_bars("AAPL", [dt.date(2013, 3, 4)]))
    lake.resample()
    lake.warm("13d")

    copies = list((tmp_path / "cache").rglob("*.arrow"))

    assert 14 == len(copies)
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_a_torn_or_lost_copy_is_passed_over(own_sample_lake: Lake, tmp_path: Path) -> None:
    lake = own_sample_lake
    expected = lake.bars("MSFT", "8d")
    lake.warm("8d")
    torn, lost, *_ = sorted((tmp_path / "cache").rglob("*.arrow"))
    os.truncate(torn, torn.stat().st_size // 2)
    lost.unlink()

    assert expected.equals(Lake(lake.store.location, clock=lake.clock).bars("MSFT", "8d"))


def test_a_torn_copy_is_made_anew(own_sample_lake: Lake, tmp_path: Path) -> None:
    own_sample_lake.warm("8d")
    torn = min((tmp_path / "cache").rglob("*.arrow"))
    os.truncate(torn, 0)

    assert 1 == Lake(own_sample_lake.store.location, clock=own_sample_lake.clock).warm("8d")


def test_a_partition_without_bars_is_copied_as_such(own_sample_lake: Lake) -> None:
    lake = own_sample_lake
    gone = bronze(lake.store).filter(pl.col("session").dt.year().is_in([2003, 2004]))
    daily.withdraw(lake.store, gone.select("symbol", "session"), clock=lake.clock)
    lake.resample()
    expected = lake.bars(None, "3d")

    lake.warm()

    assert 2003 not in expected["start"].dt.year().to_list()
    assert expected.equals(lake.bars(None, "3d"))


def test_two_processes_may_copy_at_once(own_sample_lake: Lake) -> None:
    location = own_sample_lake.store.location
    code = f"from fiblake import Lake; Lake({location!r}).warm()"
    copiers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]

    assert [0, 0] == [copier.wait(60) for copier in copiers]
    assert 0 == own_sample_lake.warm()


def test_a_server_that_keeps_warm_stops_when_told(sample_lake: Lake, tmp_path: Path) -> None:
    reader = Reader(sample_lake.store, SetClock(NOW), tmp_path / "copies")
    stop = threading.Event()
    keeper = threading.Thread(target=reader.keep_warm, args=(stop,))
    keeper.start()
    while not list((tmp_path / "copies").rglob("*.arrow")):
        stop.wait(0.01)

    stop.set()
    keeper.join(10)

    assert not keeper.is_alive()


def test_no_copies_are_made_where_the_cache_is_off(
    own_sample_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIBLAKE_CACHE", "off")
    lake = Lake(own_sample_lake.store.location, clock=own_sample_lake.clock)

    assert 0 == lake.warm()
    assert 5 == lake.bars(None, "34d")["symbol"].n_unique()


def test_a_copy_that_cannot_be_written_is_one_clear_error(
    own_sample_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FIBLAKE_CACHE", str(tmp_path / "file"))
    lake = Lake(own_sample_lake.store.location, clock=own_sample_lake.clock)

    with pytest.raises(StoreError, match=r"The copy in .* could not be written: .* FIBLAKE_CACHE"):
        lake.warm()


def test_a_stream_gives_the_same_bars_in_pieces(sample_lake: Lake) -> None:
    pieces = list(sample_lake.pieces(None, "5d", start="2005-01-01"))

    expected = sample_lake.bars(None, "5d", start="2005-01-01")
    assert all(isinstance(piece, pa.Table) for piece in pieces)
    assert expected.equals(pl.DataFrame(pa.concat_tables(pieces)))


def test_a_stream_goes_some_symbols_at_a_time(
    sample_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving_layer.reader._LISTINGS_A_PIECE", 2)

    pieces = list(sample_lake.pieces(SYMBOLS, "13d"))

    symbols = [piece["symbol"].unique().to_pylist() for piece in pieces]
    assert [["AAPL", "FB"], ["GOOG", "IBM"], ["MSFT"]] == symbols


def test_a_stream_behind_a_bar_is_whole_in_every_piece(
    sample_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving_layer.reader._LISTINGS_A_PIECE", 2)
    query = BarsQuery(SYMBOLS, Interval.parse("13d"), limit=700)
    whole = sample_lake.reader.bars(query)
    last = whole.slice(300, 1).to_pylist()[0]

    pieces = list(
        sample_lake.reader.stream(replace(query, after=(last["symbol"], last["start"]), limit=399))
    )

    assert whole.slice(301).equals(pa.concat_tables(pieces))


def test_a_stream_refuses_before_its_first_piece(sample_lake: Lake) -> None:
    with pytest.raises(UnknownSymbolError):
        sample_lake.pieces([*SYMBOLS, "NOPE"])
    with pytest.raises(MisuseError):
        sample_lake.pieces(None, known_at=NOW)


@pytest.mark.parametrize("day", [dt.datetime(2012, 1, 3, 15, tzinfo=dt.UTC), 20120103])
def test_what_is_no_date_is_refused(sample_lake: Lake, day: Any) -> None:
    with pytest.raises(InvalidRangeError, match="is not a date"):
        sample_lake.bars("AAPL", "13d", start=day)


def test_an_unknown_symbol_is_told_whether_or_not_there_are_copies(
    warm: Reader, cold: Reader
) -> None:
    for reader in (warm, cold):
        with pytest.raises(UnknownSymbolError, match="NOPE: no such symbol"):
            reader.bars(BarsQuery(("AAPL", "NOPE"), Interval.parse("13d")))


def test_the_whole_market_as_it_was_known_is_refused(sample_lake: Lake) -> None:
    with pytest.raises(MisuseError, match="whole market cannot be asked for as of known_at"):
        sample_lake.bars(None, "13d", known_at=NOW)


def test_copies_of_one_partition_are_named_by_its_fingerprint(own_sample_lake: Lake) -> None:
    lake = own_sample_lake
    lake.warm("34d")
    other = lake.store.get(keys.silver(Interval.parse("34d"), 2007)).data
    lake.store.put(keys.silver(Interval.parse("34d"), 2008), other)

    # Another writer's object: its copy is not there, so silver itself is read.
    fresh = Lake(lake.store.location, clock=lake.clock)
    years = fresh.bars("IBM", "34d", start="2007-01-01", end="2008-12-31", adjustment="raw")
    assert {2007} == set(years["start"].dt.year().to_list())
