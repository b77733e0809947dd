"""Compaction: what it drops, what it never may, and what else may happen meanwhile."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_layer.bronze import splits
from batch_layer.bronze.compaction import compact
from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.errors import DamagedObjectError, ForgottenError
from lake.horizon import move_horizon, read_horizon
from lake.interval import FIBONACCI
from lake.session import SessionTable
from lake.store import LocalStore
from tests.conftest import NOW
from tests.driver import Interrupted
from tests.frames import bronze, commit, set_clock, silver, split, withdrawn
from tests.integration.test_known_at import DAY, FEW, HOUR, NAMES, answer, changes, revised
from tests.integration.test_resample import FIRST, LAST, new_lake, plain_bars
from tests.strategies import daily_bars


@pytest.fixture
def revised_lake(lake: Lake) -> Lake:
    return revised(lake)


@FEW
@given(data=st.data())
def test_compaction_changes_no_answer_from_the_horizon_on_and_no_revision_to_come(
    blank_lake: Path, sessions: SessionTable, data: st.DataObject
) -> None:
    kept, compacted = new_lake(blank_lake), new_lake(blank_lake)
    bars = data.draw(daily_bars(sessions, first=FIRST, last=LAST, symbols=NAMES))
    instants = []
    horizon = NOW
    for number, change in enumerate(
        [lambda lake: commit(lake, bars), *data.draw(st.lists(changes(sessions), max_size=4))]
    ):
        instant = NOW + dt.timedelta(hours=number)
        instants.append(instant)
        for lake in (kept, compacted):
            set_clock(lake, instant)
            change(lake)
        if data.draw(st.booleans()):
            horizon = max(horizon, data.draw(st.sampled_from(instants)))
            report = compact(compacted.store, horizon=horizon)
            assert horizon == report.horizon
            assert 0 == compact(compacted.store, horizon=horizon).dropped
    kept.resample()
    compacted.resample()

    assert bronze(kept.store).equals(bronze(compacted.store))
    key = ["symbol", "session"]
    assert withdrawn(kept.store).sort(key).equals(withdrawn(compacted.store).sort(key))
    for interval in FIBONACCI:
        assert silver(kept.store, interval).equals(silver(compacted.store, interval))
    names = sorted(set(bars["symbol"]))
    for instant in (each for each in instants if each >= horizon):
        for name, adjustment in (("1d", "split"), ("5d", "all")):
            asked = {"interval": name, "adjustment": adjustment, "known_at": instant}
            assert answer(kept, names, **asked) == answer(compacted, names, **asked)


def test_before_the_horizon_nothing_is_answered(
    revised_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIBLAKE_HISTORY_DAYS", "30")
    set_clock(revised_lake, NOW + HOUR + dt.timedelta(30))
    lake = Lake(revised_lake.store.location, clock=revised_lake.clock)

    report = lake.compact()

    assert (NOW + HOUR, 1, 1) == (report.horizon, report.dropped, report.kept)
    assert [11.0] == lake.bars("FB", known_at=NOW + HOUR)["close"].to_list()
    with pytest.raises(ForgottenError) as refused:
        lake.bars("FB", known_at=NOW)
    assert (
        f"What the lake {lake.store.location} knew at 2026-01-05T12:00:00Z is no longer kept. "
        "Allowed: 2026-01-05T13:00:00Z and later. Hint: FIBLAKE_HISTORY_DAYS says how long compact "
        "keeps it."
    ) == str(refused.value)


def test_by_default_all_of_the_history_is_kept(revised_lake: Lake) -> None:
    before = revised_lake.store.fingerprints("")

    report = revised_lake.compact()

    assert (None, 0, 2) == (report.horizon, report.dropped, report.kept)
    assert before == revised_lake.store.fingerprints("")


def test_a_horizon_never_moves_back(revised_lake: Lake) -> None:
    compact(revised_lake.store, horizon=NOW + 2 * HOUR)

    assert NOW + 2 * HOUR == compact(revised_lake.store, horizon=NOW).horizon
    assert NOW + 2 * HOUR == compact(revised_lake.store, horizon=None).horizon


def test_compaction_leaves_silver_as_it_is(revised_lake: Lake) -> None:
    revised_lake.resample()
    compact(revised_lake.store, horizon=NOW + 2 * HOUR)

    assert () == revised_lake.resample().rebuilt


@pytest.mark.parametrize("put", [1, 2, 3])
def test_a_compaction_killed_between_two_writes_tells_nothing_wrong_and_is_completed(
    revised_lake: Lake, put: int
) -> None:
    class Killed(BaseException):
        pass

    def kill() -> None:
        raise Killed

    lake, horizon = revised_lake, NOW + 2 * HOUR
    for number in range(2):  # a split to compact as well
        splits.commit(
            lake.store, split("IBM", DAY, 2 + number), clock=SetClock(NOW + number * HOUR)
        )
    names = ["FB", "IBM"]
    expected = [answer(lake, names, interval=name, known_at=horizon) for name in ("1d", "5d")]

    with pytest.raises(Killed):
        compact(Interrupted(Path(lake.store.location), kill, put=put), horizon=horizon)

    found = [answer(lake, names, interval=name, known_at=horizon) for name in ("1d", "5d")]
    assert expected == found
    if put > 1:
        with pytest.raises(ForgottenError):
            lake.bars("FB", known_at=NOW)
    else:
        assert [10.0] == lake.bars("FB", known_at=NOW)["close"].to_list()
    compact(lake.store, horizon=horizon)
    assert 1 == daily_history_rows(lake.store)
    found = [answer(lake, names, interval=name, known_at=horizon) for name in ("1d", "5d")]
    assert expected == found


@pytest.mark.parametrize("put", [1, 2, 3])
def test_an_import_in_the_midst_of_a_compaction_loses_nothing(revised_lake: Lake, put: int) -> None:
    lake, horizon = revised_lake, NOW + 2 * HOUR

    def write() -> None:
        set_clock(lake, NOW + 3 * HOUR)
        commit(lake, plain_bars("IBM", [DAY], close=12.0))
        splits.commit(lake.store, split("IBM", DAY + dt.timedelta(1), 3), clock=lake.clock)

    splits.commit(lake.store, split("IBM", DAY + dt.timedelta(1), 4), clock=SetClock(NOW))
    splits.commit(lake.store, split("IBM", DAY + dt.timedelta(1), 2), clock=SetClock(NOW + HOUR))

    compact(Interrupted(Path(lake.store.location), write, put=put), horizon=horizon)

    closes = [lake.bars("IBM", known_at=horizon + n * HOUR)["close"][0] for n in (0, 1)]
    assert [5.0, 4.0] == closes


def test_a_compaction_that_begins_while_bars_are_read_is_noticed(revised_lake: Lake) -> None:
    folder = Path(revised_lake.store.location)

    def forget() -> None:
        compact(LocalStore(folder), horizon=NOW + 2 * HOUR)

    # The second document that is read: after the horizon was found good, before the bars are.
    revised_lake.store = Interrupted(folder, forget, get=2)

    with pytest.raises(ForgottenError):
        revised_lake.bars("FB", known_at=NOW)


def daily_history_rows(store: Any) -> int:
    found = store.fingerprints(keys.DAILY_HISTORY)
    return sum(pl.read_parquet(store.uri(key)).height for key in found)


def test_a_damaged_horizon_is_said(revised_lake: Lake) -> None:
    store = revised_lake.store
    move_horizon(store, NOW)
    assert NOW == read_horizon(store).instant
    store.put(keys.HISTORY_HORIZON, b"{}")

    with pytest.raises(DamagedObjectError, match="history_horizon"):
        revised_lake.bars("FB", known_at=NOW)
    assert revised_lake.bars("IBM")["close"].to_list() == [10.0]
