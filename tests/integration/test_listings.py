"""One history a listing, whatever its symbol was, and none that is of two.

FB    |== L1 ===============|                      then META
META  |~ another company ~~~|== L1 ================>
     2020-01-02           2020-06-08|2020-06-09
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batch_layer.bronze import daily, listings, splits
from batch_layer.fetching.listings_file import read_listings
from fiblake import Lake
from lake import keys
from lake.alerts.rule import parse_rule
from lake.clock import SetClock
from lake.errors import SourceError, UnknownSymbolError
from lake.exchange import load_sessions
from lake.interval import FIBONACCI
from lake.session import EPOCH
from serving_layer.alerts.checking import of_known_symbol
from serving_layer.merged import MergedReader
from serving_layer.page import self_contained_page
from tests.conftest import NOW
from tests.frames import assert_bars_equal, assert_silver_is_right, commit, set_clock, split, tell
from tests.integration.test_resample import plain_bars

RENAMED = dt.date(2020, 6, 9)
DAY = dt.timedelta(days=1)
ENDED = dt.date(2020, 1, 31)


@pytest.fixture
def renamed(lake: Lake) -> Lake:
    """FB until it becomes META; before, META was another company's, and AA is always AA."""
    lake.importer().sessions()
    table = load_sessions(lake.store)
    days = [table[each] for each in table.ordinals(dt.date(2019, 11, 1), dt.date(2020, 12, 31))]
    commit(lake, plain_bars("AA", days))
    commit(lake, plain_bars("FB", [day for day in days if day < RENAMED], close=11.0))
    commit(lake, plain_bars("META", [day for day in days if day >= RENAMED], close=12.0))
    commit(lake, plain_bars("META", [day for day in days if day <= ENDED], close=7.0))
    lake.resample()
    return lake


FACEBOOK = (("L1", "FB", EPOCH, RENAMED - DAY), ("L1", "META", RENAMED, None))


def test_a_renamed_company_keeps_one_history_and_one_bucket(renamed: Lake) -> None:
    before = renamed.bars("META", "34d", start=RENAMED)

    tell(renamed, *FACEBOOK)
    report = renamed.resample()

    assert {"listings changed"} == {each.why for each in report.rebuilt}
    assert_silver_is_right(renamed)
    bars = renamed.bars("META", "34d")
    assert {"L1"} == set(bars["listing"])
    assert bars["start"].is_unique().all()
    assert 11.0 == bars.filter(pl.col("start") < RENAMED - 60 * DAY)["close"][0]
    across = bars.filter((pl.col("start") < RENAMED) & (pl.col("through") >= RENAMED))
    assert [("META", 34, 12.0)] == across.select("symbol", "sessions", "close").rows()
    assert before.height == bars.filter(pl.col("start") >= RENAMED).height


def test_a_symbol_used_again_never_merges_with_what_it_named_before(renamed: Lake) -> None:
    tell(renamed, *FACEBOOK)
    renamed.resample()

    old = renamed.bars("META<2020-06-09", "5d")
    assert {7.0} == set(old["close"])
    assert old.filter(pl.col("start") > ENDED).is_empty()
    assert 7.0 not in renamed.bars("META", "5d")["close"].to_list()
    assert [
        ("META", "META<2020-06-09", dt.date(2019, 11, 1), ENDED),
        ("META", "L1", RENAMED, dt.date(2020, 12, 31)),
    ] == renamed.symbols("META").select("symbol", "listing", "first", "last").rows()


@pytest.mark.parametrize("interval", ["1d", "3d", "13d"])
def test_a_symbol_as_of_any_date_and_the_listing_give_the_same(
    renamed: Lake, interval: str
) -> None:
    tell(renamed, *FACEBOOK)
    renamed.resample()

    expected = renamed.bars("L1", interval, adjustment="raw").to_dicts()

    assert 294 == sum(bar["sessions"] for bar in expected)
    for symbol, as_of in (("META", None), ("fb", dt.date(2020, 1, 6)), ("FB", None)):
        found = renamed.bars(symbol, interval, adjustment="raw", as_of=as_of)
        assert expected == found.to_dicts()
    both = renamed.bars(["META", "FB"], interval, adjustment="raw")
    assert expected == both.to_dicts()


@pytest.mark.parametrize("interval", ["3d", "13d"])
def test_warm_reads_are_those_of_silver(renamed: Lake, interval: str) -> None:
    tell(renamed, *FACEBOOK)
    renamed.resample()
    names = [None, "META", ["META", "AA"], ["AA", "META<2020-06-09", "FB"]]
    cold = [renamed.bars(each, interval).to_dicts() for each in names]

    assert renamed.warm(interval) > 0

    assert cold == [renamed.bars(each, interval).to_dicts() for each in names]


def test_the_whole_market_has_each_listing_once(renamed: Lake) -> None:
    tell(renamed, *FACEBOOK)
    renamed.resample()

    market = renamed.bars(None, "1d", start=ENDED, end=ENDED)

    assert [("AA", "AA"), ("L1", "FB"), ("META<2020-06-09", "META")] == market.select(
        "listing", "symbol"
    ).rows()
    streamed = pl.concat(map(pl.DataFrame, renamed.pieces(None, "1d")))
    assert renamed.bars(None, "1d").equals(streamed)


def streamed(lake: Lake, names: list[str] | None, **narrowed: Any) -> pl.DataFrame:
    return pl.concat(map(pl.DataFrame, lake.pieces(names, "1d", **narrowed)))


def test_a_stream_is_of_what_was_asked_for(renamed: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving_layer.reader._LISTINGS_A_PIECE", 1)
    # The id of one is what another has for a symbol now.
    tell(renamed, ("META", "META", EPOCH, ENDED), ("L1", "META", RENAMED, None))

    for names in (["FB", "META"], ["META", "AA", "meta"], None):
        for as_of in (ENDED, RENAMED):
            asked: Any = {"adjustment": "raw", "as_of": as_of}
            assert renamed.bars(names, **asked).equals(streamed(renamed, names, **asked)), names
    everything = renamed.bars(None, adjustment="all")
    assert {"AA", "FB", "L1", "META"} == set(everything["listing"])
    assert everything.equals(streamed(renamed, None, adjustment="all"))


def test_a_listing_named_twice_is_streamed_once(
    renamed: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving_layer.reader._LISTINGS_A_PIECE", 1)
    tell(renamed, *FACEBOOK)

    both = streamed(renamed, ["FB", "META"])

    assert renamed.bars("META").equals(both)


def test_the_page_shows_of_a_symbol_what_the_api_does(renamed: Lake) -> None:
    # A bar came after its end.
    tell(renamed, ("L2", "AA", EPOCH, dt.date(2020, 12, 30)))
    renamed.resample()

    page = self_contained_page(renamed.reader)

    packed = page.partition('id="answers" type="application/gzip;base64">')[2].partition("<")[0]
    answers = json.loads(gzip.decompress(b64decode(packed)))
    bars = answers["v1/bars/AA?interval=1d&adjustment=raw&limit=50000"]["bars"]
    assert {"L2"} == {bar["listing"] for bar in bars}


@pytest.mark.parametrize("symbol", ["FB", "META"])
def test_a_split_is_of_the_listing_whichever_symbol_tells_it(renamed: Lake, symbol: str) -> None:
    tell(renamed, *FACEBOOK)
    splits.commit(renamed.store, split(symbol, dt.date(2020, 3, 2), 2), clock=renamed.clock)
    renamed.resample()

    bars = renamed.bars("META", "1d", start="2020-02-28", end="2020-03-02")
    assert [5.5, 11.0] == bars["close"].to_list()
    assert_bars_equal(
        renamed.bars("META", "13d", adjustment="all").to_dicts(),
        renamed.bars("META", "13d").to_dicts(),
    )


def test_only_years_in_which_a_symbol_trades_are_rebuilt(renamed: Lake) -> None:
    tell(renamed, ("L9", "NEW", EPOCH, None))
    assert () == renamed.resample().rebuilt

    tell(renamed, ("L2", "META", RENAMED, None))

    # What META named before is now told apart as well, in each year it traded.
    assert {2019, 2020} == {each.year for each in renamed.resample().rebuilt}
    tell(renamed, ("L2", "META", RENAMED, None))
    assert () == renamed.resample().rebuilt


def test_a_year_in_which_symbols_name_the_same_is_not_rebuilt(renamed: Lake) -> None:
    tell(renamed, ("L1", "AA", EPOCH, None))
    assert {2019, 2020} == {each.year for each in renamed.resample().rebuilt}

    tell(renamed, ("L1", "AA", dt.date(2012, 5, 18), None))
    assert () == renamed.resample().rebuilt


def test_an_id_that_another_company_has_for_a_symbol_merges_nothing(renamed: Lake) -> None:
    tell(renamed, ("META", "FB", EPOCH, RENAMED - DAY))

    renamed.resample()

    assert_silver_is_right(renamed)
    for interval in ("1d", "5d"):
        assert {"FB"} == set(renamed.bars("META", interval)["symbol"])
        assert {"META"} == set(renamed.bars("META~", interval)["symbol"])


def test_a_split_before_the_first_session_moves_nothing(renamed: Lake) -> None:
    before = renamed.bars("META", "5d").to_dicts()
    tell(renamed, ("L1", "AA", EPOCH, None))

    splits.commit(renamed.store, split("AA", dt.date(1950, 3, 2), 2), clock=renamed.clock)
    renamed.resample()

    assert before == renamed.bars("META", "5d").to_dicts()
    assert {10.0} == set(renamed.bars("AA", "5d")["close"])


def test_what_was_known_of_listings_can_be_asked_for(renamed: Lake) -> None:
    before = renamed.bars("META", "13d").to_dicts()
    learnt = NOW + dt.timedelta(hours=2)
    set_clock(renamed, learnt)

    tell(renamed, *FACEBOOK)
    renamed.resample()

    set_clock(renamed, learnt + dt.timedelta(hours=1))
    then = renamed.bars("META", "13d", known_at=learnt - dt.timedelta(minutes=1))
    now = renamed.bars("META", "13d", known_at=learnt + dt.timedelta(minutes=1))
    assert_bars_equal(before, then.to_dicts())
    assert_bars_equal(renamed.bars("META", "13d").to_dicts(), now.to_dicts())


def test_a_corrected_rename_moves_the_bars_between(renamed: Lake) -> None:
    tell(renamed, *FACEBOOK)
    renamed.resample()
    other = dt.date(2020, 6, 15)

    changed = tell(renamed, ("L1", "FB", EPOCH, other - DAY), ("L1", "META", other, None))
    renamed.resample()

    assert 3 == changed
    assert_silver_is_right(renamed)
    missing = renamed.bars("L1", "1d", start=RENAMED, end=other - DAY)
    assert missing.is_empty()
    history = listings.read(renamed.store)
    assert [other] == history.filter(symbol="META")["first"].to_list()


def test_a_withdrawn_bar_counts_in_its_listing(renamed: Lake) -> None:
    tell(renamed, *FACEBOOK)
    gone = pl.DataFrame({"symbol": ["FB"], "session": [RENAMED - DAY]})

    daily.withdraw(renamed.store, gone, clock=SetClock(NOW))
    renamed.resample()

    assert_silver_is_right(renamed)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("L1", "FB", EPOCH, None), ("L2", "FB", RENAMED, None)],
            "The symbol FB would be of several listings on 2020-06-09: L1, L2.",
        ),
        (
            [("L1", "FB", EPOCH, RENAMED), ("L1", "META", RENAMED, None)],
            "The listing L1 would be of several symbols on 2020-06-09: FB, META.",
        ),
        (
            [("L1", "FB", RENAMED, EPOCH)],
            "FB of L1 ends on 1962-01-02, before 2020-06-09.",
        ),
    ],
)
def test_listings_that_contradict_each_other_are_refused(
    lake: Lake, rows: list[tuple[str, str, dt.date, dt.date | None]], message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        tell(lake, *rows)

    assert {} == lake.store.fingerprints(keys.LISTINGS)


def test_a_file_tells_listings(renamed: Lake, tmp_path: Path) -> None:
    path = tmp_path / "listings.csv"
    path.write_text(
        "listing,symbol,first,last,name\nL1,FB,,2020-06-08,Facebook\nl1,meta,2020-06-09,,\n"
    )

    report = renamed.importer().import_files([], listed=read_listings(path))

    assert 2 == report.listings_changed
    assert [
        ("L1", "FB", EPOCH, RENAMED - DAY, "Facebook"),
        ("L1", "META", RENAMED, None, None),
    ] == listings.read(renamed.store).select("listing", "symbol", "first", "last", "name").rows()


def test_a_file_takes_a_wrong_listing_back(renamed: Lake, tmp_path: Path) -> None:
    tell(renamed, ("WRONG", "FB", EPOCH, None))
    path = tmp_path / "listings.csv"
    path.write_text("listing,symbol,first,last\nwrong,,,\nL1,FB,,2020-06-08\n")

    report = renamed.importer().import_files([], listed=read_listings(path))

    assert 2 == report.listings_changed
    assert [("L1", "FB")] == listings.read(renamed.store).select("listing", "symbol").rows()


def test_an_unknown_listing_is_told(renamed: Lake) -> None:
    with pytest.raises(UnknownSymbolError, match=r"NOPE: no such symbol in the lake"):
        renamed.bars("NOPE", str(FIBONACCI[0]))


@pytest.mark.parametrize(("name", "symbol"), [("fb", "META"), ("L1", "META"), ("aa", "AA")])
def test_an_alert_is_kept_under_the_symbol_of_today(renamed: Lake, name: str, symbol: str) -> None:
    tell(renamed, *FACEBOOK)
    rule = parse_rule({"symbol": name, "when": {"kind": "price", "relation": "above", "level": 10}})

    assert symbol == of_known_symbol(rule, MergedReader(renamed.reader)).symbol
