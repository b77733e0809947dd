"""Massive's socket as a source: the official client, unpatched, and ours, on a local vendor."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from batch_layer.local_vendor import Access, LiveFault, LiveMarket, LiveSocket, LocalVendor
from lake.errors import VendorKeyError
from lake.event import Event, Kind
from lake.store import LocalStore
from speed_layer.feed import Feed, Health, Known, Recorder
from speed_layer.feed.massive import Massive, Plan
from speed_layer.feed.massive_readers import ReaderName
from tests.feeding import (
    OPEN_US,
    Listing,
    a_day,
    eventually,
    frame,
    hours,
    identities,
    judge,
    trade,
)

EVENTS = a_day(5000)
READERS: tuple[ReaderName, ...] = ("official", "own")
TOLD = ["kind", "symbol", "time", "sequence", "revision", "price", "size", "conditions"]


@dataclass
class Selling:
    """A vendor that tells a day, and what listens to it."""

    vendor: LocalVendor
    socket: LiveSocket
    market: LiveMarket

    def plan(self, reader: ReaderName, **others: object) -> Plan:
        told = {
            "key": "local-key",
            "reader": reader,
            "settle_s": 0.1,
            "fill_hours": math.inf,
            "first_pause_s": 0.05,
            **others,
        }
        return Plan(self.socket.url, self.vendor.url, **told)  # type: ignore[arg-type] # as told


@pytest.fixture
def selling(vendor_lake_folder: Path) -> Iterator[Callable[..., Selling]]:
    with ExitStack() as stack:

        def sell(events: pl.DataFrame = EVENTS, **how: object) -> Selling:
            market = LiveMarket(events)
            vendor = stack.enter_context(LocalVendor(LocalStore(vendor_lake_folder), live=market))
            socket = LiveSocket(market, Access(), **how)  # type: ignore[arg-type] # as told
            return Selling(vendor, stack.enter_context(socket), market)

        yield sell


@contextmanager
def fed(
    plan: Plan,
    stream: Listing,
    health: Health,
    *,
    known: Known | None = None,
    recorder: Recorder | None = None,
) -> Iterator[Feed]:
    """Feed a stream meanwhile."""
    source = Massive(plan, health, known)
    feed = Feed(source, judge(), stream, recorder=recorder, health=health, heartbeat_s=0.1)
    failures: list[Exception] = []

    def run() -> None:
        try:
            feed.run()
        except Exception as error:  # noqa: BLE001 - raised where the test is
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield feed
    finally:
        stream.room.set()
        feed.stop()
        thread.join()
        for failure in failures:
            raise failure


def has_all(stream: Listing, events: pl.DataFrame = EVENTS) -> bool:
    wanted = identities(events)
    return eventually(lambda: stream.count >= events.height and wanted == identities(stream.events))


@pytest.mark.parametrize("reader", READERS)
def test_every_event_arrives_once_and_in_order(
    reader: ReaderName, selling: Callable[..., Selling]
) -> None:
    sold, stream, health = selling(), Listing(), Health()
    with fed(sold.plan(reader), stream, health):
        assert eventually(lambda: stream.count >= EVENTS.height)

    assert_frame_equal(EVENTS.select(TOLD), stream.events.select(TOLD))
    assert {"massive"} == set(stream.events["source"])
    assert () == health.gaps


@pytest.mark.parametrize("reader", READERS)
def test_symbols_are_subscribed_to_as_the_vendor_spells_them(
    reader: ReaderName, selling: Callable[..., Selling]
) -> None:
    sold, stream, health = selling(), Listing(), Health()
    wanted = EVENTS.filter(pl.col("symbol").is_in(["BRK.B", "BAC.PRL"]))
    with fed(sold.plan(reader, symbols=("BRK.B", "BAC.PRL")), stream, health):
        assert has_all(stream, wanted)

    assert wanted.height == stream.events.height


@pytest.mark.parametrize("reader", READERS)
def test_what_happened_while_the_connection_was_lost_is_asked_of_rest(
    reader: ReaderName, selling: Callable[..., Selling]
) -> None:
    """The socket breaks twice, and the day goes on meanwhile.

    happens   |-----1500######2500--3500####4000---5000
    socket    |-----            ----          ------
    rest      |  ===============================
    """
    sold, stream, health = selling(), Listing(), Health()
    sold.socket.faults.add(LiveFault("drop", at=1500, events=1000))
    sold.socket.faults.add(LiveFault("repeat", at=2700, events=600))
    sold.socket.faults.add(LiveFault("drop", at=3500, events=500))
    with fed(sold.plan(reader), stream, health):
        assert has_all(stream)
        assert eventually(lambda: health.counts["filling"] == 0)

    latest = stream.events.unique(["symbol", "time", "sequence"]).sort("sequence")
    assert_frame_equal(EVENTS.select(TOLD), latest.select(TOLD))
    assert (3, ()) == (health.counts["connections"], health.gaps)


@pytest.mark.parametrize(("kind", "seconds"), [("second", 1), ("minute", 60)])
def test_aggregates_are_told_and_filled_likewise(
    kind: Kind, seconds: int, selling: Callable[..., Selling]
) -> None:
    told = {"price": 2.0, "size": 10.0, "open": 1.0, "high": 3.0, "low": 0.5, "vwap": 1.5}
    starts = [(symbol, OPEN_US + each * seconds * 10**6) for each in range(80) for symbol in "ABC"]
    bars = frame(
        *(Event(kind, symbol, at, received=at, **told) for symbol, at in starts)  # type: ignore[arg-type] # as told
    )
    sold, stream, health = selling(bars, per_frame=10), Listing(), Health()
    sold.socket.faults.add(LiveFault("drop", at=100, events=70))
    with fed(sold.plan("own", kinds=(kind,), overlap_s=600), stream, health):
        assert has_all(stream, bars)

    values = ["symbol", "time", *told]
    assert_frame_equal(
        bars.select(values), stream.events.select(values).unique().sort("time", "symbol")
    )
    assert () == health.gaps


def test_rest_tells_what_was_cancelled_and_corrected(selling: Callable[..., Selling]) -> None:
    """The socket is away while A 2 is corrected and A 3 cancelled.

    happens   |-A1-A2-A3-|-A2'-A3x-|-A4-|
    socket    |----------           ----
    rest       ==========================
    """
    first = [trade("A", each) for each in (1, 2, 3)]
    restated = [
        trade("A", 2, revision=1, price=7.0, received=OPEN_US + 50_000),
        trade("A", 3, revision=1, cancelled=True, received=OPEN_US + 50_000),
    ]
    events = frame(*first, *restated, trade("A", 9))
    sold, stream, health = selling(events, per_frame=1), Listing(), Health()
    sold.socket.faults.add(LiveFault("drop", at=3, events=2))
    with fed(sold.plan("own"), stream, health):
        assert eventually(lambda: set(stream.events["revision"]) == {0, 1})
        assert has_all(stream, events)

    in_force = stream.events.sort("revision").unique("sequence", keep="last").sort("sequence")
    assert [(1, 0, False), (2, 1, False), (3, 1, True), (9, 0, False)] == (
        in_force.select("sequence", "revision", "cancelled").rows()
    )
    assert 7.0 == in_force["price"][1]


def test_a_gap_that_rest_cannot_tell_is_reported(selling: Callable[..., Selling]) -> None:
    sold, stream, health = selling(), Listing(), Health()
    sold.vendor.fail("not_in_plan", path="/v3/trades/AAPL", times=None)
    sold.socket.faults.add(LiveFault("drop", at=1500, events=1000))
    missed = pl.col("sequence").is_between(1500, 2499) & (pl.col("symbol") == "AAPL")
    with fed(sold.plan("own"), stream, health):
        assert eventually(lambda: bool(health.gaps))
        assert has_all(stream, EVENTS.filter(~missed))

    (gap,) = health.gaps
    assert ("unfilled", ("AAPL",)) == (gap.why, gap.symbols)
    assert gap.since <= EVENTS["time"][1500]
    assert "plan doesn't include" in gap.told


def test_after_a_restart_what_came_since_the_last_recorded_event_is_asked_for(
    selling: Callable[..., Selling],
) -> None:
    sold, stream, health = selling(), Listing(), Health()
    sold.market.advance(2000)
    known = Known(EVENTS["time"][999], frozenset(EVENTS["symbol"]))
    with fed(sold.plan("own", overlap_s=1), stream, health, known=known):
        assert has_all(stream, EVENTS.filter(pl.col("sequence") >= 899))


def test_who_traded_in_an_outage_and_never_before_is_asked_for_when_seen(
    selling: Callable[..., Selling],
) -> None:
    late = (pl.col("symbol") == "SPY") & (pl.col("sequence") < 1500)
    events = EVENTS.filter(~late)
    sold, stream, health = selling(events), Listing(), Health()
    sold.socket.faults.add(LiveFault("drop", at=1200, events=1000))
    with fed(sold.plan("own"), stream, health):
        assert has_all(stream, events)

    assert () == health.gaps


@pytest.mark.parametrize("reader", READERS)
def test_a_refused_key_ends_the_feed(reader: ReaderName, selling: Callable[..., Selling]) -> None:
    sold, health = selling(), Health()
    source = Massive(sold.plan(reader, key="wrong"), health)
    feed = Feed(source, judge(), Listing(), recorder=None, health=health)

    with pytest.raises(VendorKeyError, match="FIBLAKE_MASSIVE_KEY"):
        feed.run()


@pytest.mark.parametrize("reader", READERS)
def test_poison_between_the_frames_is_kept_counted_and_stops_nothing(
    reader: ReaderName, selling: Callable[..., Selling], store: LocalStore, tmp_path: Path
) -> None:
    sold, stream, health = selling(), Listing(), Health()
    sold.socket.faults.add(LiveFault("poison", at=1000))
    recording = Recorder(store, "massive", tmp_path / "spool", hours())
    with recording, fed(sold.plan(reader), stream, health, recorder=recording):
        assert has_all(stream)

    assert {"malformed": 5} == dict(health.refused)
    assert 1 == len(store.fingerprints("rejects/live/massive/"))


def test_a_slow_consumer_loses_nothing(selling: Callable[..., Selling]) -> None:
    events = a_day(60_000)
    sold, stream, health = selling(events), Listing(), Health()
    stream.room.clear()
    with fed(sold.plan("own", queue=1000), stream, health):
        assert eventually(lambda: sold.market.told > 1000)
        was_held_back = sold.market.told < events.height
        stream.room.set()
        assert has_all(stream, events)

    assert (True, 0, ()) == (was_held_back, health.counts["shed"], health.gaps)


def test_where_it_is_set_what_there_is_no_room_for_is_given_up_and_told(
    selling: Callable[..., Selling],
) -> None:
    sold, stream, health = selling(), Listing(), Health()
    stream.room.clear()
    with fed(sold.plan("own", queue=1000, sheds=True), stream, health):
        assert eventually(lambda: sold.market.told == EVENTS.height)
        assert eventually(lambda: health.counts["shed"] > 0)
        stream.room.set()
        assert eventually(lambda: EVENTS.height == stream.count + health.counts["shed"])

    assert {"shed"} == {gap.why for gap in health.gaps}


def test_a_silent_vendor_does_not_stop_the_clock(selling: Callable[..., Selling]) -> None:
    sold, stream, health = selling(), Listing(), Health()
    sold.socket.faults.add(LiveFault("silence", at=2000, seconds=1))
    with fed(sold.plan("own"), stream, health):
        assert has_all(stream)
        is_ready = health.is_ready

    silence = stream.everything.with_row_index().filter(pl.col("sequence") == 2000)["index"][0]
    assert "heartbeat" == stream.everything["kind"][silence - 1]
    assert is_ready
