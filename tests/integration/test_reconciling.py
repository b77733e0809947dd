"""What the speed layer told, held to batch: each difference is found, with its cause."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

from batch_layer.generating.trading import note_whole
from batch_layer.reconciling import ReconcileReport, reconcile
from batch_layer.trades import build_trades
from fiblake import Lake
from lake import keys
from lake.coverage import Span
from lake.documents import read_document
from lake.event import Event
from lake.hours import hours_of
from lake.live import BARS_SCHEMA
from lake.live_bars import bars_of, in_force, minutes_of, within
from lake.parquet import encode_frame, read_frame
from lake.schemas import DIFFERENCES, LIVE_BARS
from lake.wire import encode_events
from tests.days import SESSION, calendar, made_day
from tests.integration.test_trades import SETTLING
from tests.integration.test_trades_kills import KilledError, Mortal
from tests.recomputing import recompute
from tests.trading import frame, micros, trade

HOURS: Final = hours_of(SESSION, calendar())
LATE: Final = micros(HOURS.dusk)
EVERY: Final = ["15m", "1d", "1h", "1m", "2h", "4h", "5m"]
FIRST: Final = trade(SESSION, "10:00:30", 10.0, 100)
SECOND: Final = trade(SESSION, "10:01:30", 11.0, 200)


def told(*events: Event) -> pl.DataFrame:
    """What an engine tells that had these events: final bars."""
    return bars_of(minutes_of(within(in_force(frame(events)), HOURS)), HOURS)


def prepare(lake: Lake, *events: Event) -> None:
    """Let batch have what was recorded."""
    lines = b"\n".join(encode_events(frame(events)))
    number = len(lake.store.fingerprints(keys.live_events("test", SESSION)))
    lake.store.put(keys.live("test", SESSION, number), gzip.compress(lines))
    note_whole(lake.store, "test", SESSION)
    build_trades(lake.store, lake.clock, SETTLING)
    lake.resample()


def put(lake: Lake, bars: pl.DataFrame) -> ReconcileReport:
    """Let the speed layer have told these bars, and reconcile them."""
    lake.store.put(keys.live_bars(SESSION), encode_frame(bars, LIVE_BARS))
    return reconcile(lake.store)


def causes(report: ReconcileReport) -> dict[str, list[str]]:
    """Return the intervals that differ, by cause."""
    (session,) = report.sessions
    return {cause: sorted(counts) for cause, counts in session.differences.items()}


def found(lake: Lake) -> list[dict[str, Any]]:
    return read_frame(lake.store, keys.differences(SESSION), DIFFERENCES)[0].to_dicts()


def test_a_messy_day_that_an_engine_had_all_of_agrees_in_every_bar(lake: Lake) -> None:
    made_day(6, 600).record(lake.store)
    build_trades(lake.store, lake.clock, SETTLING)
    lake.resample()
    bars, _ = recompute(lake.store, SESSION, clock=LATE + 10**12)
    (session,) = put(lake, bars).sessions

    assert {} == session.differences
    assert session.speed == session.batch == session.agreed > 1_000
    assert (0, True) == (session.forming, session.is_new)


def test_a_bar_that_the_speed_layer_lacks_is_missing(lake: Lake) -> None:
    prepare(lake, FIRST, SECOND)
    report = put(lake, told(FIRST, SECOND).filter(pl.col("interval") != "5m"))

    assert {"missing": ["5m"]} == causes(report)
    assert [("5m", "speed", None)] == [
        (d["interval"], d["lacks"], d["version"]) for d in found(lake)
    ]
    assert [(None, 300.0)] == [(d["speed_volume"], d["batch_volume"]) for d in found(lake)]


def test_a_bar_that_batch_lacks_is_missing(lake: Lake) -> None:
    prepare(lake, FIRST)
    third = trade(SESSION, "12:00:00", symbol="B")
    report = put(lake, told(FIRST, third))

    assert {"missing": EVERY} == causes(report)
    assert {"batch"} == {each["lacks"] for each in found(lake)}


def test_a_daily_bar_withheld_for_a_gap_is_missing(lake: Lake) -> None:
    prepare(lake, FIRST)
    gap = Span(micros(HOURS.open), micros(HOURS.close), "unfilled")
    lake.store.put(keys.coverage("test", SESSION, 1), gzip.compress(gap.line))
    prepare(lake)

    assert {"missing": ["1d"]} == causes(put(lake, told(FIRST)))
    assert [("batch", "AA")] == [(row["lacks"], row["symbol"]) for row in found(lake)]


def test_a_bar_that_was_withdrawn_is_not_missing(lake: Lake) -> None:
    prepare(lake, FIRST)
    gone = replace(trade(SESSION, "12:00:00", symbol="B"), cancelled=True, revision=1)

    assert {} == causes(put(lake, told(FIRST, gone)))


def test_what_was_received_too_late_is_why_bars_differ(lake: Lake) -> None:
    late = trade(SESSION, "10:00:40", 15.0, 50, received=FIRST.minute + 16 * 60_000_000)
    prepare(lake, FIRST, SECOND, late)

    assert {"late": EVERY} == causes(put(lake, told(FIRST, SECOND)))
    one = next(each for each in found(lake) if each["interval"] == "1m")
    assert "high,close,volume,vwap,trades" == one["fields"]
    assert (10.0, 15.0, 100.0, 150.0) == tuple(
        one[name] for name in ("speed_high", "batch_high", "speed_volume", "batch_volume")
    )


def test_what_was_received_in_time_is_not_called_late(lake: Lake) -> None:
    missed = trade(SESSION, "10:00:40", 15.0, 50, received=FIRST.minute + 16 * 60_000_000 - 1)
    prepare(lake, FIRST, SECOND, missed)

    assert {"unexplained": EVERY} == causes(put(lake, told(FIRST, SECOND)))


def test_a_restatement_that_came_after_the_last_live_version_is_why_bars_differ(
    lake: Lake,
) -> None:
    prepare(lake, FIRST, SECOND, replace(FIRST, revision=1, price=9.0))

    assert {"corrected": EVERY} == causes(put(lake, told(FIRST, SECOND)))


def test_a_vendor_s_bar_is_why_it_differs(lake: Lake, csv_file: Callable[..., Path]) -> None:
    header = "symbol,date,open,high,low,close,volume"
    lake.import_files(csv_file(header, f"AA,{SESSION},10,11,10,11,350"))
    prepare(lake, FIRST, SECOND)

    assert {"vendor": ["1d"]} == causes(put(lake, told(FIRST, SECOND)))
    assert ["volume"] == [each["fields"] for each in found(lake)]  # it tells no vwap, nor trades


def test_a_bar_that_nothing_explains_is_told_of(lake: Lake) -> None:
    prepare(lake, FIRST, SECOND)
    is_hour = pl.col("interval") == "1h"
    wrong = pl.when(is_hour).then(pl.col("volume") + 1).otherwise("volume")
    report = put(lake, told(FIRST, SECOND).with_columns(volume=wrong))

    assert {"unexplained": ["1h"]} == causes(report)
    assert (1, 0) == (report.count("unexplained"), report.count("late"))


@pytest.mark.parametrize(("factor", "expected"), [(1 + 1e-10, {}), (1 + 1e-8, EVERY)])
def test_vwaps_are_compared_to_a_billionth(lake: Lake, factor: float, expected: Any) -> None:
    prepare(lake, FIRST, SECOND)
    report = put(lake, told(FIRST, SECOND).with_columns(vwap=pl.col("vwap") * factor))

    assert ({"unexplained": expected} if expected else {}) == causes(report)


def test_live_bars_that_never_were_final_are_counted_and_agree(lake: Lake) -> None:
    prepare(lake, FIRST)
    (session,) = put(lake, told(FIRST).with_columns(state=pl.lit("forming"))).sessions

    assert (7, {}) == (session.forming, session.differences)


def test_a_summary_tells_of_each_symbol(lake: Lake) -> None:
    other = replace(FIRST, symbol="B")
    prepare(lake, FIRST, other, replace(other, revision=1, size=5.0))
    put(lake, told(FIRST, other))
    document, _ = read_document(lake.store, keys.reconciliation(SESSION))

    assert {"B": {"corrected": dict.fromkeys(EVERY, 1)}} == document["symbols"]
    assert {"corrected": dict.fromkeys(EVERY, 1)} == document["differences"]


def test_a_session_waits_until_batch_has_all_its_bars(lake: Lake) -> None:
    assert (SESSION,) == put(lake, told(FIRST)).pending
    lines = b"\n".join(encode_events(frame([FIRST])))
    lake.store.put(keys.live("test", SESSION, 0), gzip.compress(lines))
    note_whole(lake.store, "test", SESSION)
    build_trades(lake.store, lake.clock, SETTLING)
    assert (SESSION,) == reconcile(lake.store).pending
    lake.resample()
    assert () == reconcile(lake.store).pending


def test_a_session_is_reconciled_again_when_either_side_changed(lake: Lake) -> None:
    prepare(lake, FIRST, SECOND)
    assert [True] == [each.is_new for each in put(lake, told(FIRST)).sessions]
    again = reconcile(lake.store)
    assert [False] == [each.is_new for each in again.sessions]
    assert {"missing": ["1m"], "unexplained": [each for each in EVERY if each != "1m"]} == causes(
        again
    )

    assert {} == causes(put(lake, told(FIRST, SECOND)))
    prepare(lake, replace(FIRST, revision=1, price=9.0))
    assert {"corrected": EVERY} == causes(reconcile(lake.store))


def test_only_the_sessions_asked_for_are_reconciled(lake: Lake) -> None:
    prepare(lake, FIRST)
    put(lake, told(FIRST))

    assert () == reconcile(lake.store, sessions=[]).sessions


def test_a_lake_without_live_bars_has_nothing_to_reconcile(lake: Lake) -> None:
    report = reconcile(lake.store)

    assert ((), ()) == (report.sessions, report.pending)


def test_a_reconciliation_that_is_killed_is_made_again(lake: Lake) -> None:
    prepare(lake, FIRST, SECOND)
    expected = put(lake, told(FIRST)).sessions
    lake.store.put(keys.live_bars(SESSION), encode_frame(told(FIRST, SECOND), LIVE_BARS))
    for last in range(2):
        store = Mortal(Path(lake.store.uri(keys.SESSIONS)).parents[1])
        store.last = last
        with pytest.raises(KilledError):
            reconcile(store)
    assert expected != reconcile(lake.store).sessions
    assert [] == found(lake)


def test_a_lake_on_s3_is_reconciled_too(s3_lake: Lake) -> None:
    prepare(s3_lake, FIRST, SECOND)

    assert {} == causes(put(s3_lake, told(FIRST, SECOND)))
    assert [False] == [each.is_new for each in reconcile(s3_lake.store).sessions]


def test_live_bars_have_the_columns_of_their_schema() -> None:
    assert LIVE_BARS.names == BARS_SCHEMA.names() == told(FIRST).columns
