"""Import: which rows land and which are rejected, and that nothing is lost."""

from __future__ import annotations

import datetime as dt
import gzip
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from batch_layer.fetching.columns import parse_columns
from batch_layer.fetching.validation import Reading
from fiblake import Lake
from lake.clock import SetClock
from lake.errors import DamagedObjectError, MisuseError, SessionsChangedError, SourceError
from lake.exchange import encode_sessions, ensure_sessions, load_sessions
from lake.session import SessionTable
from tests.frames import assert_silver_is_right, bronze

HEADER = "symbol,date,open,high,low,close,volume"
GOOD = "FB,2012-05-18,42.05,45,38,38.2318,573576400"
WriteCsv = Callable[..., Path]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",2012-05-18,2,3,1,2,10", "no symbol"),
        ("F&B,2012-05-18,2,3,1,2,10", "not a symbol"),
        ("FB,18.5.2012,2,3,1,2,10", "not a date"),
        ("FB,2012-05-18 junk,2,3,1,2,10", "not a date"),
        ("FB,2012-05-19,2,3,1,2,10", "not a session of the exchange"),
        ("FB,1961-12-29,2,3,1,2,10", "not a session of the exchange"),
        ("FB,2026-01-05,2,3,1,2,10", "session not settled yet"),
        ("FB,2012-05-21,,3,1,2,10", "price is not a number"),
        ("FB,2012-05-21,2,x,1,2,10", "price is not a number"),
        ("FB,2012-05-21,2,inf,1,2,10", "price is not finite"),
        ("FB,2012-05-21,2,3,nan,2,10", "price is not finite"),
        ("FB,2012-05-21,2,3,0,2,10", "price is not positive"),
        ("FB,2012-05-21,2,3,-1,2,10", "price is not positive"),
        ("FB,2012-05-21,2,3,2.5,2,10", "low is above open or close"),
        ("FB,2012-05-21,2,1.5,1,2,10", "high is below open or close"),
        ("FB,2012-05-21,2,3,1,2,", "volume is not a number"),
        ("FB,2012-05-21,2,3,1,2,inf", "volume is not finite"),
        ("FB,2012-05-21,2,3,1,2,-1", "volume is negative"),
        ("FB,2012-05-21,2,1e300,1,2,10", "price is too large"),
        ("FB,2012-05-21,2,3,1,2,1e308", "volume is too large"),
        ("FB,2012-05-21,2,3,1,2", "malformed line"),
        ("FB,2012-05-21,2,3,1,2,10,11", "malformed line"),
    ],
)
def test_a_row_that_breaks_a_rule_is_kept_with_its_reason(
    lake: Lake, csv_file: WriteCsv, row: str, reason: str
) -> None:
    report = lake.import_files(csv_file(HEADER, GOOD, row))

    assert (2, 1, {reason: 1}) == (report.rows, report.rejected, report.sources[0].reasons)
    assert [("FB", dt.date(2012, 5, 18))] == bronze(lake.store).select("symbol", "session").rows()
    assert report.sources[0].rejects is not None
    kept = lake.store.get(report.sources[0].rejects).data.decode().splitlines()[1]
    assert kept.startswith(reason)
    assert row.split(",")[1] in kept


def test_a_row_that_stands_twice_lands_once(lake: Lake, csv_file: WriteCsv) -> None:
    report = lake.import_files(csv_file(HEADER, GOOD, GOOD.lower(), GOOD))

    assert (1, {"duplicate": 2}) == (report.added, report.sources[0].reasons)


def test_two_rows_that_contradict_each_other_do_not_land(lake: Lake, csv_file: WriteCsv) -> None:
    report = lake.import_files(csv_file(HEADER, GOOD, GOOD + "1"))

    assert (0, {"conflicting duplicate": 2}) == (report.added, report.sources[0].reasons)


def test_the_same_holds_across_the_files_of_one_import(lake: Lake, csv_file: WriteCsv) -> None:
    one = csv_file(HEADER, GOOD, name="one.csv")
    two = csv_file(HEADER, GOOD + "1", "FB,2012-05-21,2,3,1,2,10", name="two.csv")

    report = lake.import_files(one, two)

    assert (1, 2) == (report.added, report.rejected)
    assert [{"conflicting duplicate": 1}] * 2 == [source.reasons for source in report.sources]


def test_prices_volumes_and_optional_columns_land_as_they_were(
    lake: Lake, csv_file: WriteCsv
) -> None:
    header = f"{HEADER},VWAP,transactions"
    lake.import_files(csv_file(header, "fb,2012-05-18,42.05,45,38,38.2318,12.5,40.1,7"))

    assert [("FB", dt.date(2012, 5, 18), 42.05, 45.0, 38.0, 38.2318, 12.5, 40.1, 7, 0)] == (
        bronze(lake.store).rows()
    )


def test_a_session_is_taken_once_it_is_over_and_settled(
    lake: Lake, csv_file: WriteCsv, clock: SetClock
) -> None:
    path = csv_file(HEADER, "FB,2026-01-05,2,3,1,2,10")
    close = dt.datetime(2026, 1, 5, 21, tzinfo=dt.UTC)
    settled = close + dt.timedelta(minutes=lake.settings.settling_minutes)

    clock.instant = settled - dt.timedelta(seconds=1)
    assert 0 == lake.import_files(path).added
    clock.instant = settled
    assert 1 == lake.import_files(path).added


def test_parquet_lands_as_csv_does(lake: Lake, tmp_path: Path, csv_file: WriteCsv) -> None:
    csv = csv_file(HEADER, GOOD)
    pl.read_csv(csv, try_parse_dates=True).write_parquet(tmp_path / "bars.parquet")
    lake.import_files(csv)

    report = lake.import_files(tmp_path / "bars.parquet")

    assert (1, 1) == (report.rows, report.unchanged)


def test_importing_the_sample_twice_changes_nothing(own_sample_lake: Lake) -> None:
    before = own_sample_lake.store.fingerprints("")

    report = own_sample_lake.import_sample()

    assert (12_154, 12_154, 0) == (report.rows, report.unchanged, report.splits_changed)
    after = own_sample_lake.store.fingerprints("")
    # That it was told again is kept, of its bytes no second copy.
    (told,) = after.keys() - before.keys()
    assert told.startswith("landing/files/told/")
    assert before == {key: mark for key, mark in after.items() if key != told}


def test_one_file_that_cannot_be_read_stops_the_import_before_anything_is_written(
    lake: Lake, csv_file: WriteCsv
) -> None:
    before = lake.store.fingerprints("")
    good, bad = csv_file(HEADER, GOOD, name="good.csv"), csv_file("a,b", "1,2", name="bad.csv")

    with pytest.raises(SourceError, match=r"bad\.csv has no column for symbol, session, open"):
        lake.import_files(good, bad)

    assert before == lake.store.fingerprints("")


def test_a_withdrawal_names_bars_by_symbol_and_date(
    own_sample_lake: Lake, csv_file: WriteCsv
) -> None:
    path = csv_file("ticker,date", "aapl,2013-03-01", "XYZ,2013-03-01", "AAPL,2013-03-02")

    report = own_sample_lake.importer().withdraw_files([path])

    assert (1, 1, 1) == (report.withdrawn, report.unchanged, report.rejected)
    assert dt.date(2013, 2, 28) == own_sample_lake.bars("AAPL")["start"][-1]
    assert "2013-03-01" == own_sample_lake.resample().boundary


def test_a_bar_of_one_symbol_needs_no_symbol_column(lake: Lake, csv_file: WriteCsv) -> None:
    path = csv_file("Date,Open,High,Low,Close,Volume", GOOD.removeprefix("FB,"))

    lake.importer(reading=Reading(symbol="fb")).import_files([path])

    assert ["FB"] == bronze(lake.store)["symbol"].to_list()


def test_the_session_table_is_extended_when_it_reaches_too_short(
    lake: Lake, clock: SetClock
) -> None:
    before = load_sessions(lake.store)
    clock.instant = dt.datetime(2026, 12, 20, tzinfo=dt.UTC)

    after = lake.importer().sessions()

    assert (2027, 2027) == (before.last.year, after.last.year)
    clock.instant = dt.datetime(2027, 12, 1, tzinfo=dt.UTC)
    assert 2028 == lake.importer().sessions().last.year


def test_a_calendar_that_contradicts_committed_sessions_is_refused(
    own_sample_lake: Lake, sessions: SessionTable
) -> None:
    lake = own_sample_lake
    gone = sessions.ordinal(dt.date(2005, 6, 1))
    assert gone is not None
    keep = [ordinal for ordinal in range(len(sessions)) if ordinal != gone]
    older = SessionTable(
        exchange="NYSE",
        dates=[sessions[ordinal] for ordinal in keep],
        opens=[sessions.opens[ordinal] for ordinal in keep],
        closes=[sessions.closes[ordinal] for ordinal in keep],
        source="pandas_market_calendars 1.0",
    )
    lake.store.put("meta/sessions.parquet", encode_sessions(older))

    with pytest.raises(SessionsChangedError) as raised:
        ensure_sessions(
            lake.store, today=dt.date(2026, 1, 5), committed=lambda: dt.date(2013, 3, 1)
        )

    assert "changes 1 sessions that are already committed, the first 2005-06-01" in str(
        raised.value
    )
    assert load_sessions(lake.store).source == older.source


def test_lines_swallowed_by_an_open_quote_are_each_counted_and_kept(
    lake: Lake, csv_file: WriteCsv
) -> None:
    rows = [f"FB,2012-05-{day},2,3,1,2,10" for day in (21, 22, 23, 24)]

    report = lake.import_files(csv_file(HEADER, GOOD, '"' + rows[0], *rows[1:]))

    assert (5, 4, 1) == (report.rows, report.rejected, report.added)
    assert report.sources[0].rejects is not None
    kept = lake.store.get(report.sources[0].rejects).data.decode()
    assert all(row in kept.replace('""', "") for row in rows[1:])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("open=a,open=b", "--columns names open or b twice."),
        ("open=a,high=a", "--columns names high or a twice."),
        ("opening=a", "--columns cannot read 'opening=a'. Allowed fields: symbol, session, open"),
    ],
)
def test_columns_that_contradict_each_other_are_refused(text: str, said: str) -> None:
    with pytest.raises(MisuseError) as raised:
        parse_columns(text)

    assert str(raised.value).startswith(said)


def test_files_that_are_not_bars_are_passed_over(own_sample_lake: Lake) -> None:
    for folder in ("bronze/daily", "silver/interval=13d"):
        Path(own_sample_lake.store.uri(f"{folder}/notes.txt")).write_text("mine")
    before = own_sample_lake.bars("IBM", "13d")

    assert () == own_sample_lake.resample().rebuilt
    assert before.equals(own_sample_lake.bars("IBM", "13d"))


@pytest.mark.parametrize(
    "key",
    ["meta/silver/interval=13d/year=2007.json", "meta/bronze/daily/year=2007.json"],
)
def test_a_damaged_derived_document_is_made_anew(own_sample_lake: Lake, key: str) -> None:
    lake = own_sample_lake
    lake.store.put(key, b"{")

    rebuilt = lake.resample().rebuilt

    assert len(rebuilt) == (1 if "silver" in key else 0)
    assert () == lake.resample().rebuilt
    assert_silver_is_right(lake)


def test_a_damaged_boundary_is_made_anew(own_sample_lake: Lake) -> None:
    own_sample_lake.store.put("meta/boundary.json", b"[]")

    assert "2013-03-01" == own_sample_lake.resample().boundary
    assert dt.date(2013, 3, 1) == own_sample_lake.status().boundary


def test_damaged_bronze_is_one_clear_error(own_sample_lake: Lake) -> None:
    own_sample_lake.store.put("bronze/daily/year=2007/bars.parquet", b"junk")

    with pytest.raises(DamagedObjectError, match=r"year=2007/bars\.parquet in .* is damaged: "):
        own_sample_lake.resample()


@pytest.mark.parametrize("trades", ["12.6", "-1", "9e18", "many"])
def test_trades_that_are_not_a_count_are_rejected(
    lake: Lake, csv_file: WriteCsv, trades: str
) -> None:
    report = lake.import_files(csv_file(f"{HEADER},trades", f"{GOOD},{trades}"))

    assert {"trades is not a count": 1} == report.sources[0].reasons


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Tokyo"])
def test_the_date_of_an_instant_is_utcs_wherever_the_machine_stands(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    midnight = dt.datetime(2012, 1, 4, tzinfo=dt.UTC)
    row = {
        "symbol": "FB",
        "date": midnight,
        "open": 2,
        "high": 3,
        "low": 1,
        "close": 2,
        "volume": 1,
    }
    pl.DataFrame([row]).write_parquet(tmp_path / "bars.parquet")
    try:
        lake.import_files(tmp_path / "bars.parquet")
    finally:
        monkeypatch.undo()
        time.tzset()

    assert [dt.date(2012, 1, 4)] == bronze(lake.store)["session"].to_list()


def test_a_name_is_a_name_and_not_a_pattern(lake: Lake, csv_file: WriteCsv) -> None:
    csv_file(HEADER, GOOD.replace("FB", "XYZ"), name="a1.csv")

    lake.import_files(csv_file(HEADER, GOOD, name="a[1].csv"))

    assert ["FB"] == bronze(lake.store)["symbol"].to_list()


def test_a_file_that_cannot_be_read_makes_no_lake(tmp_path: Path) -> None:
    (tmp_path / "bars.csv.gz").write_bytes(gzip.compress(b"symbol,date\n" * 99)[:-9])

    with pytest.raises(SourceError, match="is truncated or damaged"):
        Lake(tmp_path / "new").import_files(tmp_path / "bars.csv.gz")

    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("boundary", [b"{}", b'{"daily": "x"}', b'{"daily": null}'])
def test_a_boundary_that_names_no_date_is_made_anew(own_sample_lake: Lake, boundary: bytes) -> None:
    own_sample_lake.store.put("meta/boundary.json", boundary)

    assert "2013-03-01" == own_sample_lake.resample().boundary
