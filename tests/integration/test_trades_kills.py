"""A build of recorded events that is killed between any two writes ends, run again, the same."""

from __future__ import annotations

import datetime as dt
import gzip
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

from batch_layer.bronze import minute
from batch_layer.bronze.year import read_year
from batch_layer.generating.trading import note_whole
from batch_layer.trades import build_trades
from lake import keys
from lake.clock import SetClock
from lake.event import Event
from lake.parquet import read_frame
from lake.schemas import TRADES
from lake.store import LocalStore
from lake.wire import encode_events
from tests.conftest import NOW
from tests.days import SESSION, made_day
from tests.minutes import bar
from tests.minutes import frame as minutes_frame
from tests.trading import frame, trade

SETTLING: Final = dt.timedelta(minutes=30)
FIRST: Final = trade(SESSION, "10:00:30", 10.0)
ONLY: Final = trade(SESSION, "11:00:30", 20.0, symbol="B")


class KilledError(BaseException):
    """The process ends here: nothing may catch it."""


class Mortal(LocalStore):
    """A lake on disk whose process is killed before its n-th write from now on."""

    writes = 0
    last: int | None = None

    def put(self, key: str, data: bytes) -> str:
        self._live_on()
        return super().put(key, data)

    def put_if(self, key: str, data: bytes, fingerprint: str | None) -> str:
        self._live_on()
        return super().put_if(key, data, fingerprint)

    def _live_on(self) -> None:
        if self.last is not None and self.writes >= self.last:
            raise KilledError
        self.writes += 1


def land(store: LocalStore, *events: Event) -> None:
    number = len(store.fingerprints(keys.live_events("test", SESSION)))
    lines = b"\n".join(encode_events(frame(events)))
    store.put(keys.live("test", SESSION, number), gzip.compress(lines))
    note_whole(store, "test", SESSION)


def build(store: LocalStore) -> None:
    build_trades(store, SetClock(NOW), SETTLING)


def content(store: LocalStore, *without: str) -> dict[str, Any]:
    """What bronze holds of the session."""
    trades = read_frame(store, keys.trades(SESSION), TRADES)[0]
    days = read_year(store, SESSION.year)
    return {
        "trades": trades.rows(),
        "minutes": minute.read(store, SESSION)[0].drop(without).rows(),
        "days": days.bars.drop(without).rows(),
        "history": [] if without else days.history.rows(),
    }


def a_messy_day(store: LocalStore) -> None:
    made_day(4, 60).record(store, each=100)


def corrections(store: LocalStore) -> None:
    land(store, replace(FIRST, price=9.0, revision=1), replace(ONLY, revision=1, cancelled=True))
    land(store, trade(SESSION, "10:05:00", 12.0))


def more_corrections(store: LocalStore) -> None:
    land(store, replace(FIRST, price=8.0, revision=2), trade(SESSION, "10:06:00", 13.0))


def killed_at(source: Path, folder: Path, number: int) -> bool:
    """Build in a copy of a lake, killed before a write; return whether there was one to kill."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, copy_function=shutil.copy2)
    store = Mortal(folder)
    store.last = number
    try:
        build(store)
    except KilledError:
        return True
    return False


@pytest.fixture
def before(blank_lake: Path, tmp_path: Path) -> Path:
    """A lake in which two trades were made into bronze, and a vendor's minute is."""
    folder = tmp_path / "before"
    shutil.copytree(blank_lake, folder, copy_function=shutil.copy2)
    store = LocalStore(folder)
    land(store, FIRST, ONLY)
    build(store)
    start = dt.datetime.fromtimestamp(trade(SESSION, "10:05:00").time / 1e6, dt.UTC)
    minute.commit(store, minutes_frame(bar("AA", start, 11.0)))
    return folder


@pytest.mark.parametrize("landing", [a_messy_day, corrections])
def test_a_build_killed_before_any_write_and_run_again_ends_the_same(
    before: Path, tmp_path: Path, landing: Callable[[LocalStore], None]
) -> None:
    landing(LocalStore(before))
    after = tmp_path / "after"
    shutil.copytree(before, after, copy_function=shutil.copy2)
    build(LocalStore(after))
    expected = content(LocalStore(after))
    number = 0
    while killed_at(before, folder := tmp_path / "killed", number):
        build(LocalStore(folder))
        assert expected == content(LocalStore(folder)), number
        number += 1
    assert number >= 8


def test_what_lands_after_a_kill_is_made_too(before: Path, tmp_path: Path) -> None:
    corrections(LocalStore(before))
    after = tmp_path / "after"
    shutil.copytree(before, after, copy_function=shutil.copy2)
    more_corrections(LocalStore(after))
    build(LocalStore(after))
    # How often a bar changed tells of the kill.
    expected = content(LocalStore(after), "revision", "known_from")
    number = 0
    while killed_at(before, folder := tmp_path / "killed", number):
        more_corrections(LocalStore(folder))
        build(LocalStore(folder))
        assert expected == content(LocalStore(folder), "revision", "known_from"), number
        number += 1
    assert {"AA"} == {row[0] for row in expected["minutes"]}
    assert 11.0 in {row[2] for row in expected["minutes"]}  # the vendor's
    assert number >= 8


def test_trades_are_in_bronze_before_the_checkpoint_tells_of_them(
    before: Path, tmp_path: Path
) -> None:
    trades = pl.DataFrame(read_frame(LocalStore(before), keys.trades(SESSION), TRADES)[0])

    assert ["AA", "B"] == trades["symbol"].to_list()
    assert LocalStore(before).fingerprint(keys.trades_checkpoint(SESSION))
    assert not killed_at(before, tmp_path / "again", 1)
