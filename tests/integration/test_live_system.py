"""The embedded system under faults: what it tells in the end is what batch makes of the day."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path
from typing import Final

import polars as pl
import pytest

from batch_layer.local_vendor import LiveFault
from lake import keys
from lake.event import Event
from lake.parquet import encode_frame, read_frame
from lake.recorded import all_recorded
from lake.schemas import LIVE_BARS
from lake.settings import Settings, read_settings
from lake.state import state_folder
from lake.store import LocalStore
from lake.wire import events_of
from speed_layer.covering import all_bars
from speed_layer.views.redis import RedisView
from tests.days import Day
from tests.feeding import eventually, identities
from tests.live_system import SystemOf, VendorOf, command, final, kept_bars, sold_day
from tests.parity.through import assert_same_bars, through_batch
from tests.parts import RedisServer

SOME: Final = ("S0000", "S0003")
AHEAD_US: Final = 600 * 10**6
DAY_US: Final = 86_400 * 10**6


@pytest.fixture
def store(lake_folder: Path) -> LocalStore:
    return LocalStore(lake_folder)


def batch_of(day: Day, folder: Path) -> pl.DataFrame:
    """Return what batch makes of a day's tape, in a lake of its own."""
    store = LocalStore(folder)
    day.record(store)
    return through_batch(store, day.session)


def snapshot_of(lake: Path) -> Path:
    return state_folder(read_settings(lake=str(lake))) / "engine.snapshot"


def holds(view: RedisView, expected: pl.DataFrame) -> bool:
    """Return whether a view has these bars, all of them final."""
    try:
        assert_same_bars(expected, final(all_bars(view)))
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize(("places", "is_damaged"), [((700, 2900), False), ((1900,), True)])
def test_killed_amid_a_day_it_tells_the_bars_of_batch_in_the_end(
    places: tuple[int, ...],
    is_damaged: bool,  # noqa: FBT001 - of the snapshot
    vendor_of: VendorOf,
    system_of: SystemOf,
    lake_folder: Path,
    store: LocalStore,
    tmp_path: Path,
) -> None:
    """It is killed at places of the stream, and what it told before it tells again at once.

    sold      |-----700-----------2900--------|
    system    |--------X  |------------X  |---|
    """
    day = sold_day(is_late=False)
    vendor = vendor_of(day, per_frame=20)
    snapshot, before = snapshot_of(lake_folder), {}
    for place in places:
        system = system_of(vendor)
        assert system.is_up(), system.said
        assert eventually(lambda least=place: vendor.market.told >= least)  # type: ignore[misc] # bound
        assert eventually(snapshot.exists)
        before = system.versions(*SOME)
        system.kill()
        if is_damaged:
            snapshot.write_bytes(snapshot.read_bytes()[:-1])
    system = system_of(vendor)
    assert system.is_up(), system.said
    after = system.versions(*SOME)
    assert eventually(lambda: vendor.is_sold_out and system.is_idle)
    vendor.let_it_be_over()
    assert system.beats()
    assert 0 == system.stop(), system.said

    assert {} == {key: each for key, each in before.items() if after.get(key, 0) < each}
    assert is_damaged == ("the snapshot is passed over" in system.said)
    assert identities(day.tape) == identities(all_recorded(store, "massive", day.session))
    assert_same_bars(batch_of(day, tmp_path / "batch"), kept_bars(store, day.session))


def test_what_is_told_twice_wrongly_or_ahead_of_time_changes_no_bar(
    vendor_of: VendorOf, system_of: SystemOf, store: LocalStore, tmp_path: Path
) -> None:
    day = sold_day()
    at = day.tape["received"].item(1500)
    wrong = Event("trade", "S0000", at + AHEAD_US, 10**6, price=1.0, size=1e6, received=at)
    parts = [day.tape.head(1501), events_of([asdict(wrong)]), day.tape.slice(1501)]
    vendor = vendor_of(day, pl.concat(parts))
    vendor.socket.faults.add(LiveFault("poison", at=1000))
    # Until it is received: the vendor is fast, and its clock is everyone's. It is not told again,
    # nor by REST of what came before the feed began: ten minutes later it would be ahead no more.
    vendor.rest.fail("not_in_plan", path="/v3/trades", times=None)
    vendor.socket.faults.add(LiveFault("silence", at=1502, seconds=0.5))
    for place in (1200, 2600, day.tape.height):
        vendor.socket.faults.add(LiveFault("repeat", at=place, events=1000))
    system = system_of(vendor)
    assert system.is_up(), system.said
    assert eventually(lambda: vendor.is_sold_out and system.health["refused"].get("ahead", 0) > 0)
    vendor.let_it_be_over()
    assert system.beats()
    refused = system.health["refused"]
    assert 0 == system.stop(), system.said

    rejects = store.fingerprints("rejects/live/massive/")
    lines = [
        json.loads(line)
        for key in rejects
        for line in gzip.decompress(store.get(key).data).splitlines()
    ]
    kept = [json.loads(each["event"]) for each in lines if each["reason"] == "ahead"]
    assert {"malformed": 5, "ahead": len(kept)} == refused
    assert {10**6} == {each["sequence"] for each in kept}
    assert_same_bars(batch_of(day, tmp_path / "batch"), kept_bars(store, day.session))


def test_what_is_not_recorded_of_today_is_told_beside_live_bars(
    vendor_of: VendorOf, system_of: SystemOf
) -> None:
    """Notes are in the lake once the feed ends, and REST has none of S0003 for the next either."""
    vendor = vendor_of(sold_day())
    vendor.rest.fail("not_in_plan", path="/v3/trades/S0003", times=None)
    vendor.socket.faults.add(LiveFault("drop", at=1500, events=200))
    first = system_of(vendor)
    assert first.is_up(), first.said
    assert eventually(lambda: vendor.is_sold_out and first.is_idle)
    assert 0 == first.stop(), first.said
    system = system_of(vendor)
    assert system.is_up(), system.said
    assert eventually(lambda: system.live("S0003")["gaps"] is not None)
    of_some = {symbol: system.live(symbol)["gaps"] for symbol in ("S0000", "S0003", "NEVER")}
    assert 0 == system.stop(), system.said

    assert [] == of_some["S0000"]
    assert {"unfilled"} == {gap["why"] for gap in of_some["S0003"]}
    assert {"lost"} == {gap["why"] for gap in of_some["NEVER"]}


def test_redis_killed_amid_a_day_and_after_it_is_filled_anew(
    own_redis: RedisServer,
    vendor_of: VendorOf,
    system_of: SystemOf,
    store: LocalStore,
    tmp_path: Path,
) -> None:
    day = sold_day()
    vendor = vendor_of(day, per_frame=20)
    system = system_of(vendor, FIBLAKE_VIEW="redis", FIBLAKE_REDIS_URL=own_redis.url)
    assert system.is_up(), system.said
    assert eventually(lambda: bool(system.versions(*SOME)))
    own_redis.restart()
    assert eventually(lambda: vendor.is_sold_out and system.is_idle)
    vendor.let_it_be_over()
    assert system.beats()
    own_redis.restart()
    assert eventually(lambda: bool(system.versions(*SOME))), system.said
    assert 0 == system.stop(), system.said

    view = RedisView(Settings.model_validate({"redis_url": own_redis.url}))
    held = all_bars(view)
    view.close()
    expected = batch_of(day, tmp_path / "batch")
    assert_same_bars(expected, final(held))
    assert_same_bars(expected, kept_bars(store, day.session))


@pytest.mark.parametrize("is_kept", [True, False])
def test_killed_in_the_evening_it_ends_that_day_the_next_morning(
    is_kept: bool,  # noqa: FBT001 - the snapshot
    own_redis: RedisServer,
    vendor_of: VendorOf,
    system_of: SystemOf,
    lake_folder: Path,
    tmp_path: Path,
) -> None:
    day = sold_day(3, 300)
    vendor = vendor_of(day, per_frame=20)
    shared = {"FIBLAKE_VIEW": "redis", "FIBLAKE_REDIS_URL": own_redis.url}
    system = system_of(vendor, **shared)
    assert system.is_up(), system.said
    # What is told so late while nobody listens that REST is not asked for its time is lost.
    assert eventually(lambda: system.has_taken(day.tape) and system.is_idle)
    assert eventually(snapshot_of(lake_folder).exists)
    system.kill()
    if not is_kept:
        snapshot_of(lake_folder).unlink()
    vendor.wall.advance(vendor.wall.now_us() + DAY_US)
    system = system_of(vendor, **shared)
    assert system.is_up(), system.said

    expected = batch_of(day, tmp_path / "batch")
    view = RedisView(Settings.model_validate({"redis_url": own_redis.url}))
    assert eventually(lambda: holds(view, expected)), system.said
    view.close()


def test_a_day_that_was_live_reconciles_with_batch(
    vendor_of: VendorOf, system_of: SystemOf, lake_folder: Path, store: LocalStore
) -> None:
    day = sold_day()
    vendor = vendor_of(day)
    where = ("--lake", lake_folder)
    system = system_of(vendor)
    assert system.is_up(), system.said
    assert eventually(lambda: vendor.is_sold_out and system.is_idle)
    vendor.let_it_be_over()
    assert system.beats()
    feeding = system.api("/health/live")["feeding"]
    health = system.health
    assert 0 == system.stop(), system.said

    assert health.keys() == feeding["feed"].keys()
    assert day.tape.height <= feeding["feed"]["counts"]["accepted"]
    assert day.tape.height <= sum(feeding["engine"].values())
    assert 0 < feeding["engine"]["late"]
    resampled = command(vendor.wall, "resample", *where)
    agreed = command(vendor.wall, "reconcile", "--json", *where)
    told, _ = read_frame(store, keys.live_bars(day.session), LIVE_BARS)
    is_hour = (pl.col("interval") == "1h") & (pl.col("symbol") == "S0000")
    wrong = pl.when(is_hour).then(pl.col("volume") + 1).otherwise("volume")
    planted = encode_frame(told.with_columns(volume=wrong), LIVE_BARS)
    store.put(keys.live_bars(day.session), planted)
    apart = command(vendor.wall, "reconcile", *where)

    assert [0] * 3 == [each.code for each in (resampled, agreed, apart)], resampled
    (session,) = json.loads(agreed.out)["sessions"]
    assert {} == session["differences"]
    assert session["speed"] == session["batch"] == session["agreed"] > 1_000
    assert f"{told.filter(is_hour).height} unexplained" in apart.out


def test_batch_s_word_lets_the_system_forget_and_what_it_told_is_kept(
    vendor_of: VendorOf, system_of: SystemOf, lake_folder: Path, store: LocalStore
) -> None:
    day = sold_day(3, 200)
    vendor = vendor_of(day)
    system = system_of(vendor)
    assert system.is_up(), system.said
    assert eventually(lambda: vendor.is_sold_out and system.is_idle)
    vendor.let_it_be_over()
    assert system.beats()
    before = len(system.versions(*SOME[:1]))
    assert 0 == command(vendor.wall, "resample", "--lake", lake_folder).code

    assert eventually(lambda: not system.live(SOME[0], "1m")["bars"])
    assert 0 == system.stop(), system.said
    kept = kept_bars(store, day.session).filter(pl.col("interval").is_in(["1m", "1h", "1d"]))
    assert before == kept.filter(symbol=SOME[0]).height
