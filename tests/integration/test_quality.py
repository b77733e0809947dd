"""Quality: what was accepted is measured as it came in, and what is odd in the bars is found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import polars as pl
import pytest

from batch_layer.bronze import ledger, listings
from batch_layer.bronze.ledger import Entry
from batch_layer.quality import findings as rules
from batch_layer.quality.report import Findings, Gaps, IdleRun, Twins
from fiblake import Lake
from lake.errors import DamagedObjectError, EmptyLakeError, InvalidRangeError, MisuseError
from lake.parquet import encode_frame
from lake.schemas import DAILY
from lake.session import SessionTable
from tests.frames import bronze, split

HEADER = "symbol,date,open,high,low,close,volume"
WriteCsv = Callable[..., Path]


@pytest.fixture
def days(sessions: SessionTable) -> list[dt.date]:
    """Sixty sessions, over the end of a year."""
    first = sessions.ordinal(dt.date(2012, 11, 15))
    assert first is not None
    return [sessions[first + number] for number in range(60)]


def bars(
    symbol: str, days: Sequence[dt.date], *, close: float = 11, volume: int | None = None
) -> list[str]:
    """Bars that no two symbols share."""
    shares = crc32(symbol.encode()) if volume is None else volume
    return [f"{symbol},{day},{close},{close},{close},{close},{shares}" for day in days]


def market(days: Sequence[dt.date], count: int, letter: str = "M") -> list[str]:
    return [line for number in range(count) for line in bars(f"{letter}{number}", days)]


def found(lake: Lake, **narrowed: str) -> Findings:
    findings = lake.quality(**narrowed).findings
    assert findings is not None
    return findings


def vanished(lake: Lake, **narrowed: str) -> list[tuple[str, dt.date]]:
    return [(each.symbol, each.last) for each in found(lake, **narrowed).vanished.first]


def test_of_the_real_sample_all_is_accepted_and_one_crash_stands_out(sample_lake: Lake) -> None:
    report = sample_lake.quality()
    findings = report.findings
    assert findings is not None

    assert (12_154, 12_154, 100.0, True) == (
        *(report.counts.rows, report.counts.accepted, report.counts.percent, report.is_kept),
    )
    assert (3270, dt.date(2000, 3, 1)) == (findings.sessions, findings.first)
    # Apple warned of its profits: 53.50 to 25.75 in a day. A split would look the same.
    (crash,) = findings.jumps.first
    assert ("AAPL", dt.date(2000, 9, 29), "2:1") == (
        crash.symbol,
        crash.session,
        crash.likely_split,
    )
    assert -0.519 == pytest.approx(crash.ratio - 1, abs=0.0005)
    others = (findings.vanished, findings.unseen_splits, findings.idle_runs, findings.gaps)
    assert [0] * 5 == [each.count for each in (*others, findings.twins)]


def test_acceptance_is_counted_by_source_and_session(lake: Lake, csv_file: WriteCsv) -> None:
    first, second = dt.date(2025, 1, 2), dt.date(2025, 1, 3)
    low = "price is not positive"
    entries = {first: Entry(5000, 4999, {low: 1}), second: Entry(5000, 5000)}
    ledger.note(lake.store, "daily", "massive", entries)
    ledger.note(lake.store, "minute", "massive", {second: Entry(100, 100)})
    lake.import_files(
        csv_file(HEADER, "A,2012-05-18,2,3,1,2,10", "A,2012-05-21,2,3,0,2,10", "A,no")
    )

    report = lake.quality()

    assert (10_103, 10_100, True) == (report.counts.rows, report.counts.accepted, report.is_kept)
    assert {low: 2, "malformed line": 1} == report.counts.reasons
    by_name = {(each.source, each.kind): each for each in report.sources}
    massive = by_name["massive", "daily"]
    assert [(first, 99.98), (second, 100.0)] == [
        (each.session, each.counts.percent) for each in massive.sessions
    ]
    assert (1, 99.99) == (massive.blemished, massive.counts.percent)
    file = by_name["bars.csv", "file"]
    assert (3, 1, 1) == (file.counts.rows, file.undated.rows, file.blemished)
    assert [dt.date(2012, 5, 21)] == [each.session for each in file.sessions]
    assert 100 == by_name["massive", "minute"].counts.rows


def test_a_promise_that_is_broken_is_told(lake: Lake) -> None:
    ledger.note(lake.store, "daily", "massive", {dt.date(2025, 1, 2): Entry(1000, 999, {"x": 1})})

    report = lake.quality()

    assert (99.9, False, None) == (report.counts.percent, report.is_kept, report.findings)


def test_a_report_is_narrowed_to_a_source_or_to_sessions(lake: Lake, csv_file: WriteCsv) -> None:
    for number, day in enumerate((dt.date(2025, 1, 2), dt.date(2025, 1, 3))):
        ledger.note(lake.store, "daily", "massive", {day: Entry(10 + number, 10)})
    lake.import_files(csv_file(HEADER, "A,2012-05-18,2,3,1,2,10"))

    alone = lake.quality(source="massive")
    late = lake.quality(start="2025-01-03")

    assert (["massive"], None) == ([each.source for each in alone.sources], alone.findings)
    assert [("massive", 11)] == [(each.source, each.counts.rows) for each in late.sources]
    with pytest.raises(MisuseError, match=r"No source 'x' brought .* Known: bars\.csv, massive\."):
        lake.quality(source="x")
    with pytest.raises(InvalidRangeError):
        lake.quality(start="2025-01-03", end="2025-01-02")


def test_an_empty_lake_has_no_quality(lake: Lake) -> None:
    with pytest.raises(EmptyLakeError, match="holds nothing of these sessions"):
        lake.quality()


# days      0 ............................. 49 50 ............ 59
# market    ──────────────────────────────────────────────────────
# GONE      ────────────────────────────────┤
def test_a_symbol_that_ends_while_its_market_goes_on_has_vanished(
    lake: Lake, csv_file: WriteCsv, days: list[dt.date]
) -> None:
    lake.import_files(csv_file(HEADER, *market(days, 25), *bars("GONE", days[:50])))

    (gone,) = found(lake).vanished.first

    assert ("GONE", days[49], days[50], 10) == (
        *(gone.symbol, gone.last, gone.absent_from, gone.sessions_since),
    )
    assert [("GONE", days[49])] == vanished(lake, start=str(days[50]), end=str(days[55]))
    assert [] == vanished(lake, start=str(days[51]))
    assert [] == vanished(lake, end=str(days[51])), "too early to tell"


@pytest.mark.parametrize(("end", "is_known"), [(48, False), (49, True), (51, True), (52, False)])
def test_a_symbol_that_is_known_to_have_ended_then_has_not_vanished(
    lake: Lake, csv_file: WriteCsv, days: list[dt.date], end: int, *, is_known: bool
) -> None:
    lake.import_files(csv_file(HEADER, *market(days, 25), *bars("GONE", days[:50])))
    told = {"listing": "X1", "symbol": "GONE", "first": days[0], "last": days[end]}
    rest = dict.fromkeys(("name", "exchange", "kind"), "x")
    listings.commit(lake.store, pl.DataFrame([told | rest]), clock=lake.clock)

    assert ([] if is_known else [("GONE", days[49])]) == vanished(lake)


def test_a_symbol_that_seldom_trades_or_is_away_for_two_sessions_has_not_vanished(
    lake: Lake, csv_file: WriteCsv, days: list[dt.date]
) -> None:
    seldom, away = bars("SELDOM", days[:50:2]), bars("AWAY", days[:58])
    new = bars("NEW", days[30:49])
    lake.import_files(csv_file(HEADER, *market(days, 25), *seldom, *away, *new))

    assert [] == vanished(lake)


# M0..M24   ──────────────────────────────────────────────────────   one file
# N0..N20   ────────────────────────────────┤                        another
def test_symbols_whose_file_ends_have_not_vanished(
    lake: Lake, csv_file: WriteCsv, days: list[dt.date]
) -> None:
    lake.import_files(csv_file(HEADER, *market(days, 25), name="long.csv"))
    lake.import_files(csv_file(HEADER, *market(days[:50], 21, "N"), name="short.csv"))

    assert [] == vanished(lake)


def test_in_files_of_few_symbols_one_vanishes_where_its_own_file_goes_on(
    lake: Lake, csv_file: WriteCsv, days: list[dt.date]
) -> None:
    together = [*bars("A", days), *bars("B", days[:40]), *bars("C", days[5:])]
    lake.import_files(csv_file(HEADER, *together, name="five.csv"))
    lake.import_files(csv_file(HEADER, *bars("D", days[:45]), name="one.csv"))
    lake.import_files(csv_file(HEADER, *market(days, 25), name="market.csv"))

    assert [("B", days[39])] == vanished(lake)


def test_jumps_without_a_split_and_splits_without_a_jump_are_told(
    lake: Lake, csv_file: WriteCsv, days: list[dt.date]
) -> None:
    def with_step(symbol: str, at: int, before: float, after: float) -> list[str]:
        return [*bars(symbol, days[:at], close=before), *bars(symbol, days[at:], close=after)]

    lake.import_files(
        csv_file(
            HEADER,
            *with_step("MISSING", 40, 100, 50.5),
            *with_step("REVERSE", 30, 10, 82),
            *with_step("KNOWN", 40, 100, 50),
            *with_step("UNSEEN", 40, 100, 98),
            *with_step("WRONG", 40, 100, 5),
            *with_step("SMALL", 40, 100, 70),
            *bars("HALTED", days[:20], close=10),
            *bars("HALTED", days[24:], close=30),
            *bars("AWAY", days[:20], close=10),
            *bars("AWAY", days[26:], close=30),
        )
    )
    known = [split(name, days[40], 2) for name in ("KNOWN", "UNSEEN", "WRONG")]
    lake.importer().import_files([], splits=pl.concat(known))

    findings = found(lake)

    assert [
        ("MISSING", days[40], 0.505, "2:1"),
        ("WRONG", days[40], 0.1, "10:1"),
        ("REVERSE", days[30], 8.2, "1:8"),
        ("HALTED", days[24], 3.0, "1:3"),
    ] == [
        (each.symbol, each.session, round(each.ratio, 9), each.likely_split)
        for each in findings.jumps.first
    ]
    assert [("UNSEEN", days[40], 2.0)] == [
        (each.symbol, each.session, each.split) for each in findings.unseen_splits.first
    ]
    one_day = found(lake, start=str(days[40]), end=str(days[40]))
    assert ["MISSING", "WRONG"] == [each.symbol for each in one_day.jumps.first]


def test_gaps_and_runs_without_volume_are_told_over_the_end_of_a_year(
    lake: Lake, csv_file: WriteCsv, days: list[dt.date]
) -> None:
    turn = next(number for number, (a, b) in enumerate(pairwise(days)) if a.year < b.year)
    idle = [*bars("IDLE", days[: turn - 2]), *bars("IDLE", days[turn - 2 : turn + 4], volume=0)]
    short = [*bars("SHORT", days[:10]), *bars("SHORT", days[10:14], volume=0)]
    holes = [day for number, day in enumerate(days) if number not in {5, turn, turn + 1, turn + 2}]
    lake.import_files(csv_file(HEADER, *bars("A", days), *idle, *short, *bars("HOLES", holes)))

    findings = found(lake)

    assert [IdleRun("IDLE", days[turn - 2], days[turn + 3], 6)] == findings.idle_runs.first
    assert [Gaps("HOLES", 4, 2, 3, days[turn - 1], days[turn + 3])] == findings.gaps.first
    assert 0 == found(lake, start=str(days[turn + 4])).idle_runs.count


def test_a_session_that_the_lake_lacks_is_no_gap_of_each_symbol(
    lake: Lake, csv_file: WriteCsv, days: list[dt.date]
) -> None:
    lake.import_files(csv_file(HEADER, *market([*days[:20], *days[30:]], 3)))

    assert 0 == found(lake).gaps.count


def test_two_symbols_with_the_same_bars_are_told(
    lake: Lake, csv_file: WriteCsv, days: list[dt.date]
) -> None:
    same = [line for name in ("FB", "META") for line in bars(name, days[3:], volume=777)]
    idle = [line for name in ("I1", "I2") for line in bars(name, days, volume=0)]
    few = [line for name in ("F1", "F2") for line in bars(name, days[:19], volume=5)]
    lake.import_files(csv_file(HEADER, *same, *idle, *few))

    assert [Twins("FB", "META", 57, days[3], days[-1])] == found(lake).twins.first


def test_findings_agree_with_a_plain_reckoning_of_a_made_up_market(lake: Lake) -> None:
    lake.generate(80, start="2018-06-01", end="2021-03-31")
    rows = bronze(lake.store).select("symbol", "session", "close")
    held = {day: number for number, day in enumerate(sorted(set(rows["session"])))}
    findings = found(lake)

    missing: dict[str, int] = {}
    for (symbol,), life in rows.group_by("symbol"):
        numbers = [held[day] for day in life["session"]]
        lacking = max(numbers) - min(numbers) + 1 - len(numbers)
        missing |= {str(symbol): lacking} if lacking else {}
    assert missing == {each.symbol: each.missing for each in findings.gaps.first}
    last = dict(rows.group_by("symbol").agg(pl.col("session").max()).iter_rows())
    gone = {name for name, day in last.items() if held[day] <= len(held) - 4}
    assert {each.symbol for each in findings.vanished.first} <= gone
    assert findings.vanished.count >= len(gone) // 2
    assert (0, 0) == (findings.jumps.count, findings.unseen_splits.count)


def test_of_very_many_findings_all_are_counted(
    lake: Lake, csv_file: WriteCsv, days: list[dt.date], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MOST", 2)
    holes = [line for name in "ABC" for line in bars(name, [*days[:5], *days[6:]])]
    lake.import_files(csv_file(HEADER, *bars("D", days), *holes))

    gaps = found(lake).gaps

    assert (3, 2) == (gaps.count, len(gaps.first))


def test_bars_out_of_order_are_one_clear_error(own_sample_lake: Lake) -> None:
    key = "bronze/daily/year=2007/bars.parquet"
    rows = pl.read_parquet(own_sample_lake.store.uri(key), hive_partitioning=False)
    own_sample_lake.store.put(key, encode_frame(rows.reverse(), DAILY))

    with pytest.raises(DamagedObjectError, match=r"year=2007/bars\.parquet .* not in order"):
        own_sample_lake.quality()


def test_a_lake_on_s3_has_the_same_quality(s3_lake: Lake, sample_lake: Lake) -> None:
    s3_lake.import_sample()

    assert found(sample_lake) == found(s3_lake)
