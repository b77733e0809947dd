"""Bronze of recorded events: what it holds, and when it is made anew."""

from __future__ import annotations

import datetime as dt
import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batch_layer.bronze import daily, ledger, minute
from batch_layer.bronze.daily import Changes
from batch_layer.bronze.year import read_year
from batch_layer.generating.trading import note_whole
from batch_layer.trades import TradesReport, build_trades
from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.conditions import bundled
from lake.documents import encode_document
from lake.errors import DamagedObjectError
from lake.event import Event
from lake.interval import INTRADAY
from lake.parquet import read_frame
from lake.schemas import TRADES
from lake.store import ObjectStore
from lake.wire import encode_events
from tests.days import SESSION, SHORT, Day, calendar, made_day
from tests.frames import assert_bars_close
from tests.minutes import at, bar, silver
from tests.minutes import frame as minutes_frame
from tests.recomputing import recompute
from tests.trading import Oracle, Told, assert_told, frame, heartbeat, micros, trade

SETTLING = dt.timedelta(minutes=30)
NEVER = dt.timedelta(days=99)
PLAIN = ("symbol", "open", "high", "low", "close", "volume")


def day() -> Day:
    return made_day(6, 600)


def build(lake: Lake, **narrowed: Any) -> TradesReport:
    return build_trades(lake.store, lake.clock, SETTLING, **narrowed)


def oracle(events: pl.DataFrame, *, final: bool = True) -> Oracle:
    """What the law makes of events, none of them late; all bars final, or none."""
    made = Oracle(calendar(), lateness=NEVER).take(
        Event(**{**row, "conditions": tuple(row["conditions"])})
        for row in events.iter_rows(named=True)
    )
    made.lateness = -NEVER if final else NEVER
    return made


def days_of(store: ObjectStore, session: dt.date = SESSION) -> pl.DataFrame:
    return read_year(store, session.year).bars.filter(session=session)


def put(lake: Lake, *events: Event, source: str = "test", session: dt.date = SESSION) -> None:
    """Record more events, after those that the source recorded."""
    number = len(lake.store.fingerprints(keys.live_events(source, session)))
    lines = b"\n".join(encode_events(frame(events)))
    lake.store.put(keys.live(source, session, number), gzip.compress(lines))
    note_whole(lake.store, source, session)


def test_bronze_of_a_messy_day_is_what_the_law_makes_of_it(lake: Lake) -> None:
    day().record(lake.store)
    report = build(lake)
    expected = oracle(day().tape)
    bars = expected.bars()
    lake.resample()

    assert (1, day().tape.height) == (report.sessions, report.events)
    assert day().bars.rows() == days_of(lake.store).select(PLAIN).rows()
    for interval in INTRADAY:
        assert_interval(bars, str(interval), silver(lake.store, interval, SESSION))
    assert_interval(bars, "1d", days_of(lake.store).to_dicts())
    for symbol in day().bars["symbol"]:
        for hours in ("regular", "extended"):
            found = lake.bars(symbol, "1m", session=hours).to_dicts()
            told = {k: row for k, row in bars.items() if (k[0], k[3]) == (symbol, hours)}
            assert_interval(told, "1m", found)


def assert_interval(bars: dict[Any, dict[str, Any]], interval: str, found: list[Any]) -> None:
    """The bars of an interval that bronze or silver has are those of the law."""
    wanted = sorted((key for key in bars if key[1] == interval), key=lambda key: (key[0], key[4]))
    names = [*PLAIN, "trades", *([] if interval == "1d" else ["minutes"])]
    assert [tuple(bars[key][name] for name in names) for key in wanted] == [
        tuple(row[name] for name in names) for row in found
    ]
    assert [bars[key]["vwap"] for key in wanted] == pytest.approx(
        [row["vwap"] for row in found], rel=1e-9
    )
    if interval != "1d":
        assert [key[4] for key in wanted] == [micros(row["start"]) for row in found]


def test_bronze_keeps_the_statements_in_force_of_all_trades(lake: Lake) -> None:
    day().record(lake.store)
    build(lake)
    trades, _ = read_frame(lake.store, keys.trades(SESSION), TRADES)
    law = oracle(day().tape)

    names = ("symbol", "time", "sequence")
    assert trades.select(names).rows() == trades.select(names).sort(names).rows()
    assert sorted(trades.select(*names, "minute").rows()) == sorted(
        (symbol, time, sequence, minute)
        for (symbol, _, time, sequence), minutes in law.minutes.items()
        for minute in minutes
    )
    for row in trades.iter_rows(named=True):
        event = law.in_force[row["symbol"], "trade", row["time"], row["sequence"]]
        is_void = event.cancelled or row["minute"] != event.minute
        told = (event.revision, event.price, event.size, is_void, list(event.conditions))
        assert told == (
            *(row["revision"], row["price"], row["size"], row["cancelled"], row["conditions"]),
        )
    assert trades["cancelled"].any()


def test_a_minute_of_odd_lots_alone_is_no_bar_but_counts_in_longer_ones(lake: Lake) -> None:
    put(
        lake,
        trade(SESSION, "10:00:30", 10.0, 100),
        trade(SESSION, "10:01:30", 99.0, 7, moves=4, conditions=(37,)),
        trade(SESSION, "10:02:30", 11.0, 100, sequence=1),
    )
    build(lake)
    lake.resample()

    assert [10.0, None, 11.0] == minute.read(lake.store, SESSION)[0]["open"].to_list()
    assert [100.0, 100.0] == lake.bars("AA", "1m")["volume"].to_list()
    five = lake.bars("AA", "5m").to_dicts()[0]
    assert (10.0, 11.0, 11.0, 207.0, 3) == tuple(
        five[name] for name in ("open", "high", "close", "volume", "minutes")
    )
    assert [207.0] == days_of(lake.store)["volume"].to_list()


def test_a_build_of_what_did_not_change_writes_nothing(lake: Lake) -> None:
    day().record(lake.store)
    build(lake)
    build(lake)  # what is derived is copied when it is first read
    before = lake.store.fingerprints("")
    report = build(lake)

    assert (0, 1) == (report.sessions, report.fresh)
    assert before == lake.store.fingerprints("")


def test_a_correction_that_lands_later_changes_the_bars_that_it_is_of(lake: Lake) -> None:
    first = trade(SESSION, "10:00:30", 10.0)
    put(lake, first, trade(SESSION, "10:01:30", 11.0))
    build(lake)
    put(lake, replace(first, price=9.0, revision=1))
    report = build(lake)

    assert Changes(corrected=1, unchanged=1) == report.minutes
    assert Changes(corrected=1) == report.days
    assert [(9.0, 1), (11.0, 0)] == minute.read(lake.store, SESSION)[0].select(
        "open", "revision"
    ).rows()
    assert [(9.0, 11.0, 1)] == days_of(lake.store).select("open", "close", "revision").rows()


def test_bars_of_trades_that_were_all_cancelled_later_are_withdrawn(lake: Lake) -> None:
    only = trade(SESSION, "10:00:30", 10.0)
    put(lake, only, trade(SESSION, "10:01:30", 11.0, symbol="B"))
    build(lake)
    put(lake, replace(only, cancelled=True, revision=1))
    report = build(lake)

    assert Changes(unchanged=1, withdrawn=1) == report.minutes
    assert Changes(unchanged=1, withdrawn=1) == report.days
    assert ["B"] == minute.read(lake.store, SESSION)[0]["symbol"].to_list()
    assert ["B"] == days_of(lake.store)["symbol"].to_list()


def test_a_newer_table_of_conditions_makes_the_day_anew(lake: Lake) -> None:
    put(lake, trade(SESSION, "10:00:30", 10.0), trade(SESSION, "10:00:40", 12.0, conditions=(41,)))
    build(lake)
    told = [{"id": 41, **dict.fromkeys(UPDATES, False), "updates_volume": True}]
    document = {"as_of": "2026-01-01", "conditions": told}
    lake.store.put(keys.CONDITIONS, encode_document(document))
    report = build(lake)

    assert 41 not in bundled().moves
    assert 1 == report.sessions
    assert [(10.0, 10.0, 200.0)] == days_of(lake.store).select("high", "close", "volume").rows()


UPDATES = ("updates_high_low", "updates_open_close", "updates_volume")


def test_what_a_file_told_of_a_day_stays_as_it_is(lake: Lake, csv_file: Any) -> None:
    lake.import_files(
        csv_file("symbol,date,open,high,low,close,volume", f"AA,{SESSION},1,2,1,2,50")
    )
    put(lake, trade(SESSION, "10:00:30"), trade(SESSION, "10:00:30", symbol="B"))
    build(lake)
    put(lake, trade(SESSION, "10:00:40"), trade(SESSION, "10:00:40", 11.0, symbol="B"))
    build(lake)

    rows = days_of(lake.store).select("symbol", "close", "volume", "revision").rows()
    assert [("AA", 2.0, 50.0, 0), ("B", 11.0, 200.0, 1)] == rows


@pytest.mark.parametrize("source", ["flatfiles", "massive.AA"])
def test_what_a_vendor_told_of_a_minute_stays_as_it_is(lake: Lake, source: str) -> None:
    put(lake, trade(SESSION, "10:00:30", 10.0), trade(SESSION, "10:01:30", 11.0))
    build(lake)
    told = [bar("AA", at(SESSION, "10:00"), 10.5), bar("AA", at(SESSION, "10:02"), 12.0)]
    minute.commit(lake.store, minutes_frame(*told))
    ledger.note(lake.store, "minute", source, {SESSION: ledger.Entry(rows=2, accepted=2)})
    put(lake, trade(SESSION, "10:00:40", 13.0), trade(SESSION, "10:01:40", 13.0))
    put(lake, trade(SESSION, "10:03:00", 14.0), trade(SESSION, "10:03:00", 15.0, symbol="B"))
    build(lake)

    closes = minute.read(lake.store, SESSION)[0].select("symbol", "close").rows()
    expected = [("AA", 10.5), ("AA", 11.0), ("AA", 12.0), ("AA", 14.0), ("B", 15.0)]
    assert expected == closes


def test_what_a_vendor_tells_later_replaces_bars_of_trades(lake: Lake) -> None:
    put(lake, trade(SESSION, "10:00:30", 10.0))
    build(lake)
    learnt = pl.lit(lake.clock.now())
    row = {"symbol": "AA", "session": SESSION, "volume": 500.0, "vwap": None, "trades": None}
    row |= dict.fromkeys(("open", "high", "low", "close"), 10.25)
    daily.commit(lake.store, pl.DataFrame([row]).with_columns(known_from=learnt))
    put(lake, trade(SESSION, "10:01:30", 11.0))
    report = build(lake)

    assert Changes() == report.days
    assert [(10.25, 1)] == days_of(lake.store).select("close", "revision").rows()


def test_sessions_that_are_not_settled_wait(lake: Lake) -> None:
    put(lake, trade(SESSION, "10:00:30"))
    put(lake, trade(SHORT, "10:00:30"), session=SHORT)
    for now, made in (
        (at(SHORT, "19:59"), {SESSION}),  # it closed at 13:00, and trades on until 20:00
        (at(SHORT, "20:00"), {SESSION, SHORT}),
    ):
        assert isinstance(lake.clock, SetClock)
        lake.clock.instant = now
        report = build(lake)
        assert {SESSION, SHORT} - made == set(report.pending)
        assert made == set(keys.by_session(lake.store.fingerprints(keys.TRADES)))


def test_only_the_sessions_asked_for_are_made(lake: Lake) -> None:
    put(lake, trade(SESSION, "10:00:30"))
    put(lake, trade(SHORT, "10:00:30"), session=SHORT)
    build(lake, sessions=[SHORT])

    assert [SHORT] == list(keys.by_session(lake.store.fingerprints(keys.TRADES)))


def test_what_several_sources_recorded_counts_once(lake: Lake) -> None:
    put(lake, trade(SESSION, "10:00:30"), source="massive")
    put(lake, trade(SESSION, "10:00:30"), trade(SESSION, "10:00:31"), source="replay")
    build(lake)

    assert [200.0] == days_of(lake.store)["volume"].to_list()


def test_what_is_no_event_is_counted_and_passed_over(lake: Lake) -> None:
    put(lake, trade(SESSION, "10:00:30"), trade(SHORT, "10:00:30"))
    lake.store.put(keys.live("test", SESSION, 7), gzip.compress(b"{}\nno\n"))
    report = build(lake)

    assert (2, 1, 1) == (report.unreadable, report.outside, report.statements)


def test_a_session_of_heartbeats_alone_makes_nothing(lake: Lake) -> None:
    put(lake, heartbeat(SESSION, "10:00"))
    report = build(lake)

    assert (1, 1, 0) == (report.sessions, report.events, report.statements)
    assert Changes() == report.minutes == report.days
    assert 1 == build(lake).fresh


def test_an_object_that_is_cut_is_told_of(lake: Lake) -> None:
    day().record(lake.store)
    key = keys.live("generated", SESSION, 0)
    lake.store.put(key, lake.store.get(key).data[:-100])

    with pytest.raises(DamagedObjectError, match=key):
        build(lake)


@pytest.mark.parametrize("kind", ["second", "minute"])
def test_aggregates_that_were_recorded_make_bars_too(lake: Lake, kind: str) -> None:
    def aggregate(time: str, close: float, volume: float, **told: Any) -> Event:
        plain = trade(SESSION, time, close, volume, **told)
        prices = {"open": 10.0, "high": 12.0, "low": 9.0, "vwap": 10.0, "trades": 3}
        return replace(plain, kind=kind, **prices)  # type: ignore[arg-type]

    first = aggregate("10:00:00", 11.0, 100)
    put(lake, first, replace(first, price=11.5, revision=5), aggregate("10:01:00", 10.5, 50))
    build(lake)

    closes = minute.read(lake.store, SESSION)[0].select("close", "volume", "vwap", "trades").rows()
    assert [(11.5, 100.0, 10.0, 3), (10.5, 50.0, 10.0, 3)] == closes
    assert [(10.0, 12.0, 9.0, 10.5, 150.0)] == days_of(lake.store).select(PLAIN[1:]).rows()


def test_what_is_recomputed_is_the_law_in_every_field(lake: Lake) -> None:
    day().record(lake.store)
    symbols = ["S0001", "S0004"]
    some = day().tape.filter(pl.col("symbol").is_in(symbols))
    told = Told()
    told.put(*recompute(lake.store, SESSION, symbols, clock=0))
    assert_told(oracle(some, final=False), told)
    told.put(*recompute(lake.store, SESSION, symbols, clock=micros(at(SHORT, "20:00"))))
    assert_told(oracle(some), told)


def test_what_was_made_and_lost_is_made_again(lake: Lake) -> None:
    day().record(lake.store)
    build(lake)
    bronze = minute.read(lake.store, SESSION)[0]
    Path(lake.store.uri(keys.minute(SESSION))).unlink()
    build(lake)

    assert_bars_close(bronze.to_dicts(), minute.read(lake.store, SESSION)[0].to_dicts())
