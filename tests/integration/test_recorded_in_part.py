"""A day recorded only in part makes no daily bar, and that is said; once filled, it makes it."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from batch_layer.bronze import minute
from batch_layer.bronze.year import read_year
from batch_layer.local_vendor import Access, LiveFault, LiveMarket, LiveSocket, LocalVendor
from batch_layer.trades import TradesReport, build_trades
from fiblake import Lake, cli
from lake.clock import SetClock
from lake.conditions import bundled
from lake.hours import Timetable
from lake.instant import from_microseconds, microseconds, written
from lake.store import LocalStore
from speed_layer.feed import Feed, Health, Judge, Recorder
from speed_layer.feed.massive import Massive, Plan
from tests.feeding import Listing, eventually
from tests.live_system import sold_day

DAY = sold_day(4, 200)
SESSION = DAY.session
DAYS = Timetable([DAY.hours])
OPEN_US = microseconds(DAY.hours.open)
HALF = DAY.tape.height // 2
OVER = DAY.hours.dusk + dt.timedelta(hours=1)
PLAIN = ("symbol", "open", "high", "low", "close", "volume")


@dataclass
class MarketClock:
    """Tells when the market's last event came; once the day is over, that it is."""

    market: LiveMarket
    is_over: bool = False

    def now(self) -> dt.datetime:
        last = self.market.events["received"][max(self.market.told - 1, 0)]
        return OVER if self.is_over else from_microseconds(last)


@dataclass
class Selling:
    """A vendor that sells the day, and feeds that record it into a lake."""

    vendor: LocalVendor
    socket: LiveSocket
    market: LiveMarket
    clock: MarketClock
    lake: Lake
    spool: Path

    @contextmanager
    def feed(self, symbols: tuple[str, ...] = (), **how: Any) -> Iterator[Health]:
        """Record meanwhile; the day goes on as fast as it is taken."""
        told = {"reader": "own", "settle_s": 0.05, "first_pause_s": 0.05, "overlap_s": 120, **how}
        plan = Plan(self.socket.url, self.vendor.url, "local-key", symbols=symbols, **told)
        health, stream = Health(), Listing()
        with Recorder(self.lake.store, "massive", self.spool, DAYS) as recorder:
            known = recorder.known("trade")
            source = Massive(plan, health, known, days=DAYS, clock=self.clock)
            judge = Judge(bundled(), DAYS, skew_s=3600)
            feed = Feed(source, judge, stream, recorder=recorder, health=health, heartbeat_s=0.05)
            thread = threading.Thread(target=feed.run)
            thread.start()
            try:
                yield health
            finally:
                feed.stop()
                thread.join()

    def to_its_end(self, health: Health) -> None:
        """Wait until the day is over, and all that was asked for came."""
        assert eventually(lambda: self.market.told == DAY.tape.height)
        assert eventually(lambda: health.counts["outages"] > 0 and not health.counts["filling"])
        self.clock.is_over = True
        before = health.counts["heartbeats"]
        assert eventually(lambda: health.counts["heartbeats"] > before + 2)

    def build(self) -> TradesReport:
        return build_trades(self.lake.store, SetClock(OVER), dt.timedelta())

    @property
    def days(self) -> list[tuple[Any, ...]]:
        bars = read_year(self.lake.store, SESSION.year).bars.filter(session=SESSION)
        return bars.select(PLAIN).rows()


@pytest.fixture
def selling(vendor_lake_folder: Path, lake: Lake, tmp_path: Path) -> Iterator[Selling]:
    with ExitStack() as stack:
        market = LiveMarket(DAY.tape)
        vendor = stack.enter_context(LocalVendor(LocalStore(vendor_lake_folder), live=market))
        socket = stack.enter_context(LiveSocket(market, Access(), per_frame=20))
        yield Selling(vendor, socket, market, MarketClock(market), lake, tmp_path / "spool")


def gaps(report: TradesReport) -> list[tuple[Any, ...]]:
    """Return why and of whom something is missing of regular hours."""
    return [
        (gap["why"], tuple(gap["symbols"]))
        for partial in report.partial
        for gap in partial.gaps
        if gap["until"] > written(DAY.hours.open)
    ]


def test_a_feed_started_at_midday_without_rest_makes_minutes_and_no_daily_bar(
    selling: Selling,
) -> None:
    """It begins when half of the day is over.

    socket    |                 ----------------------|
    rest      |xxxxxxxxxxxxxxxxx
    """
    selling.market.advance(HALF)
    selling.vendor.fail("not_in_plan", path="/v3/trades", times=None)
    with selling.feed() as health:
        selling.to_its_end(health)
    report = selling.build()

    assert [] == selling.days
    assert 0 < minute.read(selling.lake.store, SESSION)[0].height
    (partial,) = report.partial
    assert (SESSION, DAY.bars.height) == (partial.session, partial.withheld)
    assert [("unfilled", ()), ("unseen", ())] == gaps(report)
    assert "plan doesn't include" in partial.gaps[0]["told"]
    assert "2025-11-26T09:00:00Z" == partial.gaps[0]["since"]
    assert (partial,) == selling.lake.status().partial


def test_a_feed_started_at_midday_asks_for_the_morning(selling: Selling) -> None:
    selling.market.advance(HALF)
    with selling.feed() as health:
        selling.to_its_end(health)
    report = selling.build()

    assert DAY.bars.rows() == selling.days
    assert [("unseen", ())] == gaps(report)
    assert [0] == [partial.withheld for partial in report.partial]


def test_a_gap_that_a_later_run_fills_is_none_any_more(selling: Selling) -> None:
    """It begins when half of the day is over.

    first     |                 ----------------------|
    second    |========================================
    """
    selling.market.advance(HALF)
    selling.vendor.fail("not_in_plan", path="/v3/trades/S0001", times=None)
    with selling.feed(tuple(DAY.bars["symbol"])) as health:
        selling.to_its_end(health)
    first, before = selling.build(), selling.days
    selling.vendor.heal()
    with selling.feed(tuple(DAY.bars["symbol"])) as health:
        assert eventually(lambda: health.counts["filled"] > 0 and not health.counts["filling"])
    second = selling.build()

    assert [("unfilled", ("S0001",))] == gaps(first)
    assert DAY.bars.filter(pl.col("symbol") != "S0001").rows() == before
    assert ((), 1) == (second.partial, second.days.added)
    assert DAY.bars.rows() == selling.days


def test_what_rest_does_not_tell_it_is_asked_again(selling: Selling) -> None:
    """It begins when half of the day is over, and REST is away for a while.

    socket    |                 ----------------------|
    rest      |xxxxxxxxxxxxxxxxx  =======================
    """
    selling.market.advance(HALF)
    selling.vendor.fail("not_in_plan", path="/v3/trades", times=None)
    with selling.feed(tuple(DAY.bars["symbol"]), again_s=0.2) as health:
        assert eventually(lambda: len(health.gaps) > 0)
        selling.vendor.heal()
        selling.to_its_end(health)
        assert eventually(lambda: health.counts["filled"] > 0 and not health.counts["unfilled"])

    assert () == selling.build().partial
    assert DAY.bars.rows() == selling.days


def test_a_feed_stopped_before_the_close_makes_no_daily_bar(selling: Selling) -> None:
    """It ends when half of the day is over.

    socket    |-----------------                      |
    """
    selling.socket.faults.add(LiveFault("silence", at=HALF, seconds=1))
    with selling.feed():
        assert eventually(lambda: HALF == selling.market.told)
    report = selling.build()

    assert [] == selling.days
    assert [("absent", ()), ("unseen", ())] == gaps(report)


def test_an_outage_that_rest_does_not_tell_is_a_gap_of_whom_it_is_not_told(
    selling: Selling,
) -> None:
    """The connection breaks amid the day.

    socket    |-------------########------------------|
    rest            S0002 x ========
    """
    selling.vendor.fail("not_in_plan", path="/v3/trades/S0002", times=None)
    selling.socket.faults.add(LiveFault("drop", at=HALF, events=50))
    with selling.feed() as health:
        selling.to_its_end(health)
    report = selling.build()

    assert [("unfilled", ("S0002",)), ("unseen", ())] == gaps(report)
    assert DAY.bars.filter(pl.col("symbol") != "S0002").rows() == selling.days


@pytest.mark.parametrize("symbols", [(), tuple(DAY.bars["symbol"])])
def test_what_a_frame_that_cannot_be_read_held_is_asked_for(
    selling: Selling, symbols: tuple[str, ...]
) -> None:
    """One frame amid the day breaks off.

    socket    |-------------########------------------|
    rest            ================
    """
    selling.socket.faults.add(LiveFault("garble", at=HALF, events=20))
    with selling.feed(symbols) as health:
        selling.to_its_end(health)
        assert eventually(lambda: health.counts["filled"] > 0 and not health.counts["filling"])
    report = selling.build()

    assert {"malformed": 1} == dict(health.refused)
    assert DAY.bars.rows() == selling.days
    assert ([] if symbols else [("unseen", ())]) == gaps(report)


def test_a_frame_that_cannot_be_read_nor_asked_for_makes_no_daily_bar(selling: Selling) -> None:
    """One frame amid the day breaks off, and REST knows no trades.

    socket    |-------------########------------------|
    rest            x
    """
    symbols = tuple(DAY.bars["symbol"])
    selling.vendor.fail("not_in_plan", path="/v3/trades", times=None)
    selling.socket.faults.add(LiveFault("garble", at=HALF, events=20))
    with selling.feed(symbols) as health:
        selling.to_its_end(health)
        assert eventually(lambda: any(gap.since > OPEN_US for gap in health.gaps))
    report = selling.build()

    assert [] == selling.days
    assert [("unfilled", ())] == gaps(report)


def test_whom_a_later_run_subscribes_to_is_asked_for_from_the_beginning(selling: Selling) -> None:
    """A second run listens to one more.

    S0000     |---------------------------------------|
    S0001     |=================----------------------|
    """
    selling.socket.faults.add(LiveFault("silence", at=HALF, seconds=1))
    with selling.feed(("S0000",)):
        assert eventually(lambda: HALF == selling.market.told)
    with selling.feed(("S0000", "S0001")) as health:
        selling.to_its_end(health)
    report = selling.build()

    assert () == report.partial
    assert DAY.bars.head(2).rows() == selling.days


def test_the_command_says_what_it_withholds(selling: Selling, monkeypatch: Any) -> None:
    selling.market.advance(HALF)
    selling.vendor.fail("not_in_plan", path="/v3/trades", times=None)
    with selling.feed() as health:
        selling.to_its_end(health)
    monkeypatch.setattr("lake.clock.SystemClock.now", lambda _: OVER + dt.timedelta(days=1))
    where = ["--lake", selling.lake.store.location]
    resampled = CliRunner().invoke(cli.app, ["resample", *where])
    status = CliRunner().invoke(cli.app, ["status", "--json", *where])

    said = f"{SESSION} is recorded in part: {DAY.bars.height} daily bars are withheld"
    assert said in resampled.stderr
    (partial,) = json.loads(status.stdout)["partial"]
    assert (str(SESSION), DAY.bars.height) == (partial["session"], partial["withheld"])
