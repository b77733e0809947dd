"""The engine at work: what it knows it tells, however it began and whatever the view lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

import polars as pl

from lake.errors import DamagedObjectError, ViewUnavailableError
from lake.event import Event
from lake.exchange import compute_sessions
from lake.interval import LIVE
from speed_layer.corrections import Corrections
from speed_layer.engine import Engine
from speed_layer.engine.running import Pace, Running
from speed_layer.streams import InProcess
from speed_layer.views.memory import MemoryView
from tests.trading import LATENESS, Oracle, Told, assert_told, frame, heartbeat, trade

TABLE: Final = compute_sessions(dt.date(2025, 12, 31))
SESSION: Final = dt.date(2025, 11, 26)
FIRST: Final = trade(SESSION, "10:00:30", 10.0, 100)
SECOND: Final = trade(SESSION, "10:06:30", 11.0, 50, symbol="BB")
LATE: Final = trade(SESSION, "10:00:40", 12.0, 50, sequence=7)
NIGHT: Final = heartbeat(SESSION, "20:30:00")


class Losing(MemoryView):
    """A view that gets a name with its first put, as Redis does, and may be away, or lose all."""

    def __init__(self) -> None:
        super().__init__()
        self._name = ""
        self.losses = 0
        self.refusals = 0

    @property
    def filling(self) -> str:
        return self._name

    def put(self, bars: pl.DataFrame, prices: pl.DataFrame) -> None:
        if self.refusals:
            self.refusals -= 1
            fact = "It is away."
            raise ViewUnavailableError(fact)
        super().put(bars, prices)
        if bars.height:
            self._name = f"filling {self.losses}"

    def lose(self) -> None:
        self._days.clear()
        self._prices.clear()
        self.losses += 1


def running(
    view: MemoryView,
    *recorded: Event,
    engine: Engine | None = None,
    received: int = 0,
    keep: Callable[[Engine, int], None] | None = None,
    pace: Pace | None = None,
) -> tuple[Running, InProcess]:
    """Return an engine at work, and its stream."""
    stream = InProcess()
    tape = frame(recorded)
    made = Running(
        engine or Engine(TABLE),
        stream,
        view,
        corrections=Corrections(
            TABLE, lambda _session, _symbols: tape, view.put, kind="trade", lateness=LATENESS
        ),
        keep=keep or (lambda _engine, _received: None),
        received=received,
        pace=pace or Pace(0, 0, 0, 0),
    )
    return made, stream


def told_by(view: MemoryView) -> Told:
    """Return all that a view tells."""
    told = Told()
    bars = [
        view.bars(symbol, interval, hours)
        for symbol in ("AA", "BB")
        for interval in LIVE
        for hours in ("regular", "extended")
    ]
    told.put(pl.concat(bars), view.price())
    return told


def run(of: Running, stream: InProcess, *parts: list[Event]) -> None:
    """Let events come, a part at a time, and then end."""
    for part in parts:
        stream.put(frame(part))
    stream.close()
    of.run()


def test_a_view_whose_filling_has_no_name_yet_is_filled() -> None:
    view = Losing()
    run(*running(view), [FIRST, SECOND])

    assert_told(Oracle(TABLE).take([FIRST, SECOND]), told_by(view))


def test_what_was_recorded_is_told_before_anything_comes() -> None:
    view = Losing()
    running(view)[0].recover(frame([FIRST, SECOND]), LATENESS)

    assert_told(Oracle(TABLE).take([FIRST, SECOND]), told_by(view))


def test_a_view_that_was_away_when_all_was_recovered_is_filled_later() -> None:
    view = Losing()
    made, stream = running(view)
    view.refusals = 1
    made.recover(frame([FIRST]), LATENESS)
    assert {} == told_by(view).bars

    run(made, stream, [SECOND])
    assert_told(Oracle(TABLE).take([FIRST, SECOND]), told_by(view))


def test_a_filling_that_fails_is_made_again() -> None:
    view = Losing()
    made, stream = running(view)
    made.apply(frame([FIRST]))
    view.lose()
    view.refusals = 2  # of what lets it know, and of the filling
    run(made, stream, [SECOND])
    assert {} == told_by(view).bars

    made.run()
    assert_told(Oracle(TABLE).take([FIRST, SECOND]), told_by(view))


def test_a_view_that_lost_all_after_the_day_is_filled_with_it() -> None:
    view = Losing()
    made, stream = running(view)
    made.apply(frame([FIRST, SECOND, NIGHT]))
    view.lose()
    view.refusals = 1
    made.apply(frame([NIGHT]))
    run(made, stream)

    assert_told(Oracle(TABLE).take([FIRST, SECOND, NIGHT]), told_by(view))


def test_a_view_that_lost_all_after_the_day_is_corrected_again() -> None:
    tape = [FIRST, trade(SESSION, "10:30:00", 11.0, sequence=1), LATE, NIGHT]
    view = Losing()
    made, stream = running(view, *tape)
    stream.put(frame(tape))
    stream.close()
    made.run()
    before = told_by(view).bars
    view.lose()
    made.apply(frame([trade(SESSION, "10:30:00", 11.0, sequence=1)]))
    made.run()

    assert 150.0 == view.bars("AA", LIVE[0])["volume"].item(0)
    assert before == told_by(view).bars


def test_the_evening_s_clock_loses_nothing_of_what_was_recovered() -> None:
    view = Losing()
    made, stream = running(view)
    view.refusals = 1
    made.recover(frame([FIRST, SECOND]), LATENESS)
    run(made, stream, [NIGHT])

    assert_told(Oracle(TABLE).take([FIRST, SECOND, NIGHT]), told_by(view))


def test_what_is_recorded_after_a_later_receipt_is_recovered() -> None:
    """REST answered before the socket told, and was recorded after it: a snapshot lies between."""
    early = trade(SESSION, "10:00:10", 9.0, 10, symbol="BB", received=FIRST.received - 5)
    kept: list[tuple[bytes, int]] = []
    made, _ = running(
        MemoryView(), keep=lambda engine, received: kept.append((engine.snapshot(), received))
    )
    run(made, _, [FIRST])
    snapshot, received = kept[-1]
    view = MemoryView()
    again, _ = running(view, engine=Engine.restored(snapshot, TABLE), received=received)
    again.recover(frame([FIRST, early]), LATENESS)

    assert_told(Oracle(TABLE).take([FIRST, early]), told_by(view))


def test_what_was_late_before_a_kill_is_applied_after_it() -> None:
    tape = [FIRST, trade(SESSION, "10:30:00", 11.0, sequence=1), LATE]
    view = MemoryView()
    made, stream = running(view, *tape)
    made.recover(frame(tape), LATENESS)
    run(made, stream, [NIGHT])

    (minute, *_) = view.bars("AA", LIVE[0])["volume"]
    assert 150.0 == minute


def test_a_session_that_is_over_is_told_again_of_its_recording() -> None:
    view = MemoryView()
    made, stream = running(view, FIRST, SECOND)
    made.recompute(frame([FIRST, SECOND]))
    run(made, stream, [NIGHT])

    assert_told(Oracle(TABLE).take([FIRST, SECOND, NIGHT]), told_by(view))


def test_a_chore_that_fails_is_told_and_stops_nothing() -> None:
    def fails(_engine: Engine, _received: int) -> None:
        fact = "The disk is full."
        raise DamagedObjectError(fact)

    view = MemoryView()
    made, stream = running(view, keep=fails)
    run(made, stream, [FIRST], [SECOND])

    assert_told(Oracle(TABLE).take([FIRST, SECOND]), told_by(view))


def test_bars_of_a_burst_are_all_told_in_a_few_steps() -> None:
    engine = Engine(TABLE)
    made, _ = running(MemoryView(), engine=engine)
    burst = [trade(SESSION, "10:00:30", symbol=f"S{number}") for number in range(1_000)]
    left = []
    for events in (burst, *[[]] * 10):
        made.apply(frame(events))
        left.append(engine.held)

    assert 7_000 - 256 == left[0]
    assert [0, 0] == left[8:10]
    assert left == sorted(left, reverse=True)


def test_prices_are_told_at_once_and_bars_together_soon_after() -> None:
    told: list[tuple[int, int]] = []

    class Telling(MemoryView):
        def put(self, bars: pl.DataFrame, prices: pl.DataFrame) -> None:
            told.append((len(bars), len(prices)))
            super().put(bars, prices)

    view = Telling()
    made, stream = running(view, pace=Pace(bars_s=3600))
    for event in (FIRST, SECOND):
        made.apply(frame([event]))
    assert [(0, 1), (7, 0), (0, 1)] == told

    run(made, stream)
    assert (7, 0) == told[3]
    assert_told(Oracle(TABLE).take([FIRST, SECOND]), told_by(view))
