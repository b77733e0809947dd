"""The embedded system under faults: what it tells in the end is what batch makes of the day."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import polars as pl
import pytest

from lake.recorded import all_recorded
from lake.store import LocalStore
from tests.days import Day
from tests.feeding import eventually, identities
from tests.live_system import SystemOf, VendorOf, kept_bars, sold_day
from tests.parity.through import assert_same_bars, through_batch


@pytest.fixture
def lake_folder(tmp_path: Path, blank_lake: Path) -> Path:
    shutil.copytree(blank_lake, tmp_path / "lake")
    return tmp_path / "lake"


@pytest.fixture
def store(lake_folder: Path) -> LocalStore:
    return LocalStore(lake_folder)


def batch_of(day: Day, folder: Path) -> pl.DataFrame:
    """Return what batch makes of a day's tape, in a lake of its own."""
    store = LocalStore(folder)
    day.record(store)
    return through_batch(store, day.session)


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_again_and_again_it_tells_the_bars_of_batch(
    seed: int,
    vendor_of: VendorOf,
    system_of: SystemOf,
    store: LocalStore,
    tmp_path: Path,
) -> None:
    day = sold_day(is_late=False)
    symbols = sorted(day.tape["symbol"].unique())
    vendor = vendor_of(day, per_frame=20)
    places = sorted(random.Random(seed).sample(range(500, day.tape.height - 500), 2))
    for place in places:
        system = system_of(vendor)
        assert system.is_up(), system.said
        assert eventually(lambda least=place: vendor.market.told >= least), system.said
        system.kill()
    system = system_of(vendor)
    assert system.is_up(), system.said
    assert eventually(lambda: vendor.is_sold_out and system.is_idle)
    vendor.let_it_be_over()
    assert system.beats()
    assert 0 == system.stop(), system.said

    recorded = all_recorded(store, "massive", day.session)
    assert identities(day.tape) == identities(recorded)
    assert_same_bars(batch_of(day, tmp_path / "batch"), kept_bars(store, day.session))
