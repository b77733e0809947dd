"""Bars of minutes and hours as readers get them: the lake, the command line and the API."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from batch_layer.bronze import listings, splits
from fiblake import Lake
from lake import keys
from lake.errors import EmptyLakeError, MisuseError, UnknownSymbolError
from lake.exchange import load_sessions
from lake.interval import MINUTE_INTERVALS, Interval
from lake.schemas import BARS, INTRADAY_BARS
from lake.session import EPOCH
from tests.api import Api, as_json, problem
from tests.frames import assert_bars_equal, said, split
from tests.minutes import Row, at, bar, bronze, commit, every_minute, expected_bars

DAY, EARLY, AFTER = dt.date(2024, 11, 27), dt.date(2024, 11, 29), dt.date(2024, 12, 2)
NAMES = [str(each) for each in MINUTE_INTERVALS]


@pytest.fixture
def minute_lake(lake: Lake) -> Lake:
    """Two symbols in three sessions; not all of their minutes, and some without prices."""
    for symbol, price in (("AA", 10.0), ("B", 50.0)):
        commit(lake, *every_minute(symbol, DAY, "09:30", "16:00", price=price))
        commit(lake, *every_minute(symbol, EARLY, "09:25", "13:05", price=price))
    unpriced: Row = dict.fromkeys(("open", "high", "low", "close"))
    for time in ("08:00", "11:00", "13:03"):
        commit(lake, bar("B", at(EARLY, time), **unpriced))
    commit(lake, *every_minute("AA", AFTER, "09:31", "09:44", price=10.0))
    lake.resample()
    return lake


def expected(lake: Lake, interval: str, hours: str, *symbols: str) -> list[Row]:
    """What readers should answer of raw bars."""
    table = load_sessions(lake.store)
    found = [
        row
        for session in keys.by_session(lake.store.fingerprints(keys.MINUTE))
        for row in expected_bars(bronze(lake.store, session), session, parsed(interval), table)
        if row["symbol"] in symbols and row["hours"] == hours
    ]
    in_order = sorted(found, key=lambda row: (row["symbol"], row["start"]))
    one = {"sessions": 1, "sessions_expected": 1}
    told = [{**row, "listing": row["symbol"], **one} for row in in_order]
    return [{name: row[name] for name in INTRADAY_BARS.names} for row in told]


def parsed(interval: str) -> Interval:
    return Interval.parse(interval)


@pytest.mark.parametrize("hours", ["regular", "extended"])
@pytest.mark.parametrize("interval", NAMES)
def test_the_bars_are_what_their_minutes_merge_into(
    minute_lake: Lake, interval: str, hours: Any
) -> None:
    wanted = expected(minute_lake, interval, hours, "AA", "B")

    found = minute_lake.bars(["B", "AA"], interval, session=hours)
    whole = minute_lake.bars(None, interval, session=hours)
    pieces = list(minute_lake.pieces(None, interval, session=hours))

    assert INTRADAY_BARS.names == found.columns
    assert_bars_equal(wanted, found.to_dicts())
    assert found.equals(whole)
    assert found.to_dicts() == [row for piece in pieces for row in piece.to_pylist()]
    assert BARS.names == INTRADAY_BARS.names[: len(BARS)]


def test_dates_select_sessions_at_both_ends(minute_lake: Lake) -> None:
    asked = minute_lake.bars("AA", "4h", start=EARLY, end="2024-11-29")

    assert [at(EARLY, "09:30")] == asked["start"].to_list()
    assert [EARLY] == asked["through"].to_list()
    assert minute_lake.bars("AA", "4h", start="2024-11-28", end="2024-11-28").is_empty()
    assert minute_lake.bars("B", "4h", start=AFTER).is_empty()


def test_minutes_are_read_before_they_are_resampled(minute_lake: Lake) -> None:
    commit(minute_lake, bar("AA", at(AFTER, "09:50"), 20.0))

    assert 14 == minute_lake.bars("AA", "1m", start=AFTER).height
    assert 3 == minute_lake.bars("AA", "5m", start=AFTER).height


def test_a_split_applies_from_its_session_on(minute_lake: Lake) -> None:
    splits.commit(minute_lake.store, split("AA", EARLY, 2), clock=minute_lake.clock)

    raw = minute_lake.bars("AA", "1h", adjustment="raw")
    adjusted = minute_lake.bars("AA", "1h")
    as_before = minute_lake.bars("AA", "1h", as_of=DAY)

    is_before = pl.col("through") < EARLY
    for name, half in (("close", 0.5), ("vwap", 0.5), ("volume", 2.0)):
        factor = pl.when(is_before).then(half).otherwise(1.0)
        back = pl.when(is_before).then(1.0).otherwise(1 / half)
        assert raw.select(pl.col(name) * factor).equals(adjusted.select(name))
        assert raw.select(pl.col(name) * back).equals(as_before.select(name))
    assert raw["start"].equals(adjusted["start"])


def test_a_renamed_company_keeps_one_history(minute_lake: Lake) -> None:
    last = EARLY - dt.timedelta(days=1)
    told = said(("L1", "AA", EPOCH, last), ("L1", "B", EARLY, None))
    listings.commit(minute_lake.store, told, clock=minute_lake.clock)

    found = minute_lake.bars("B", "4h")
    whole = minute_lake.bars(None, "4h")
    pieces = list(minute_lake.pieces(None, "4h"))

    assert ["AA", "AA", "B"] == found["symbol"].to_list()
    assert ["L1"] == found["listing"].unique().to_list()
    assert found.equals(minute_lake.bars("L1", "4h"))
    assert 7 == whole.height == sum(piece.num_rows for piece in pieces)
    assert whole["listing"].is_sorted()
    assert () == getattr(minute_lake.resample().intraday, "rebuilt", None)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"interval": "5m", "adjustment": "all"}, "Bars of 5m are not offered with adjustment=all yet"),
    ({"interval": "1m", "known_at": "2026-01-05T12:00:00Z"}, "not offered with known_at yet"),
    ({"interval": "1d", "session": "extended"}, "Bars of 1d are of the whole day"),
    (
        {"interval": "1h", "session": "lunch"},
        "'lunch' is not a session. Allowed: regular, extended",
    ),
]


@pytest.mark.parametrize(("asked", "told"), REFUSED)
def test_what_is_not_offered_is_refused(minute_lake: Lake, asked: Any, told: str) -> None:
    with pytest.raises(MisuseError, match=told):
        minute_lake.bars("AA", **asked)


@pytest.mark.parametrize("interval", ["1m", "5m"])
def test_a_symbol_without_minutes_is_unknown_or_has_none(
    own_sample_lake: Lake, interval: str
) -> None:
    hint = "Hint: fiblake fetch minutes, then fiblake resample."
    with pytest.raises(EmptyLakeError, match=rf"holds no {interval} bars yet. {hint}"):
        own_sample_lake.bars("AAPL", interval)
    commit(own_sample_lake, bar("NEW", at(DAY, "10:00")))
    own_sample_lake.resample()

    assert 1 == own_sample_lake.bars("NEW", interval).height
    assert own_sample_lake.bars("NEW", interval, start=EARLY).is_empty()
    assert own_sample_lake.bars("AAPL", interval).is_empty()
    with pytest.raises(UnknownSymbolError, match=r"NOPE: no such symbol in the lake .* AAPL"):
        own_sample_lake.bars(["NEW", "NOPE"], interval)
    with pytest.raises(UnknownSymbolError, match="NOPE: no such symbol"):
        own_sample_lake.pieces("NOPE", interval)


def test_a_lake_of_minutes_alone_tells_unknown_symbols_too(minute_lake: Lake) -> None:
    with pytest.raises(UnknownSymbolError, match="NOPE: no such symbol in the lake"):
        minute_lake.bars("NOPE", "1h")
    with pytest.raises(EmptyLakeError, match="is empty"):
        minute_lake.bars("AA", "1d")


@pytest.mark.parametrize("hours", ["regular", "extended"])
@pytest.mark.parametrize("interval", NAMES)
def test_the_api_answers_with_the_bars_of_the_lake(
    minute_lake: Lake, interval: str, hours: Any
) -> None:
    api = Api(minute_lake)
    asked = {"interval": interval, "session": hours, "adjustment": "raw"}

    answer = api.get("/v1/bars/aa", **asked).json()

    wanted = minute_lake.bars("AA", interval, session=hours, adjustment="raw").to_dicts()
    assert as_json(wanted) == answer["bars"]
    assert (hours, str(AFTER), None) == (
        answer["session"],
        answer["boundary"],
        answer["next_cursor"],
    )


def test_pages_of_the_api_follow_each_other_by_instants(minute_lake: Lake) -> None:
    api = Api(minute_lake)
    wanted = minute_lake.bars("AA", "5m")

    paged = api.bars("AA", interval="5m", limit=50)

    assert as_json(wanted.to_dicts()) == paged
    assert "2024-11-27T14:30:00Z" == paged[0]["start"]
    told = problem(api.get("/v1/bars/AA", interval="5m", cursor="MjAyNC0xMS0yNw=="))
    assert (
        "'MjAyNC0xMS0yNw==' is not a cursor. Allowed: the next_cursor of an answer."
        == (told["detail"])
    )


def test_the_api_refuses_what_is_not_offered(minute_lake: Lake) -> None:
    api = Api(minute_lake)

    told = [
        api.get("/v1/bars/AA", interval="5m", adjustment="all"),
        api.get("/v1/bars/AA", interval="5m", session="lunch"),
        api.get("/v1/bars/NOPE", interval="5m"),
    ]

    assert [400, 422, 404] == [problem(each)["status"] for each in told]


def test_all_intervals_are_of_the_same_minutes(minute_lake: Lake) -> None:
    minutes = 2 * 390 + 2 * 210 + 13
    for name in NAMES:
        found = minute_lake.bars(None, name)

        told = minutes - (name == "1m")  # one has volume alone
        assert (100.0 * told, told) == (found["volume"].sum(), found["minutes"].sum())
