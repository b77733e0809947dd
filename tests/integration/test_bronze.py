"""Bronze: what a commit adds, corrects, leaves and withdraws, and what it keeps of the past."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from batch_layer.bronze import daily, dividends, manifest, splits
from batch_layer.bronze.daily import Changes
from batch_layer.bronze.year import read_year
from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.parquet import read_frame
from lake.schemas import SPLITS_HISTORY
from tests.conftest import NOW
from tests.frames import bronze, commit, dividend, history, split
from tests.integration.test_resample import plain_bars

DAY = dt.date(2012, 5, 18)
LATER = NOW + dt.timedelta(hours=1)


def test_the_same_bars_again_change_nothing(lake: Lake) -> None:
    first = commit(lake, plain_bars("FB", [DAY]))
    before = lake.store.fingerprints("")

    again = commit(lake, plain_bars("FB", [DAY]))

    assert (Changes(added=1), Changes(unchanged=1)) == (first, again)
    assert before == lake.store.fingerprints("")


def test_a_corrected_bar_moves_the_old_one_to_the_history(lake: Lake) -> None:
    commit(lake, plain_bars("FB", [DAY]))

    changes = commit(lake, plain_bars("FB", [DAY], close=11.0), at=LATER)

    assert Changes(corrected=1) == changes
    year = read_year(lake.store, 2012)
    current, old = year.bars.row(0, named=True), year.history.row(0, named=True)
    assert (11.0, 1, LATER) == (current["close"], current["revision"], current["known_from"])
    assert (10.0, 0, NOW, LATER) == (
        old["close"],
        old["revision"],
        old["known_from"],
        old["known_to"],
    )


def test_a_withdrawn_bar_is_gone_but_not_forgotten(lake: Lake) -> None:
    commit(lake, plain_bars("FB", [DAY]))
    commit(lake, plain_bars("AAPL", [DAY]))
    gone = pl.DataFrame({"symbol": ["FB", "NOPE"], "session": [DAY, DAY]})

    changes = daily.withdraw(lake.store, gone, clock=SetClock(LATER))

    assert Changes(withdrawn=1, unchanged=1) == changes
    assert ["AAPL"] == bronze(lake.store)["symbol"].to_list()
    assert [("FB", 0)] == history(lake.store).select("symbol", "revision").rows()


def test_a_bar_that_comes_back_has_a_higher_revision_than_any_before(lake: Lake) -> None:
    key = pl.DataFrame({"symbol": ["FB"], "session": [DAY]})
    commit(lake, plain_bars("FB", [DAY]))
    for expected in (2, 4):
        daily.withdraw(lake.store, key, clock=SetClock(LATER))
        assert Changes(added=1) == commit(lake, plain_bars("FB", [DAY]))
        assert [expected] == bronze(lake.store)["revision"].to_list()
    assert [0, 2] == history(lake.store)["revision"].to_list()


def test_a_source_without_vwap_does_not_erase_what_is_known(lake: Lake) -> None:
    known = plain_bars("FB", [DAY]).with_columns(vwap=pl.lit(9.5), trades=pl.lit(7))
    commit(lake, known)

    assert Changes(unchanged=1) == commit(lake, plain_bars("FB", [DAY]))
    assert Changes(corrected=1) == commit(lake, known.with_columns(vwap=pl.lit(9.6)))
    assert [(9.6, 7)] == bronze(lake.store).select("vwap", "trades").rows()


def test_a_vwap_that_comes_later_is_a_correction(lake: Lake) -> None:
    commit(lake, plain_bars("FB", [DAY]))

    assert Changes(corrected=1) == commit(
        lake, plain_bars("FB", [DAY]).with_columns(vwap=pl.lit(9.5))
    )


def test_bars_of_two_years_land_in_two_objects(lake: Lake) -> None:
    commit(lake, plain_bars("FB", [dt.date(2012, 12, 31), dt.date(2013, 1, 2)]))

    assert [keys.daily(2012), keys.daily(2013)] == sorted(lake.store.fingerprints(keys.DAILY))


def test_the_manifest_has_a_digest_of_every_session_ever_committed(lake: Lake) -> None:
    commit(lake, plain_bars("FB", [DAY, dt.date(2012, 5, 21)]))
    before = manifest.read(lake.store)
    gone = pl.DataFrame({"symbol": ["FB"], "session": [DAY]})

    daily.withdraw(lake.store, gone, clock=SetClock(LATER))

    after = manifest.read(lake.store)
    assert [DAY, dt.date(2012, 5, 21)] == list(after)
    assert before[DAY] != after[DAY]
    assert before[dt.date(2012, 5, 21)] == after[dt.date(2012, 5, 21)]


@pytest.mark.parametrize("damage", ["lost", "of other objects"])
def test_a_manifest_that_is_not_of_these_objects_is_made_anew(
    own_sample_lake: Lake, damage: str
) -> None:
    store = own_sample_lake.store
    before = manifest.read(store)
    key = keys.daily_manifest(2007)
    if damage == "lost":
        Path(store.uri(key)).unlink()
    else:
        store.put(key, store.get(keys.daily_manifest(2006)).data)

    assert before == manifest.read(store)
    assert () == own_sample_lake.resample().rebuilt


def test_history_written_by_a_run_that_was_killed_counts_only_once_the_bar_moved_on(
    lake: Lake,
) -> None:
    # A commit writes history, then bars: killed in between, the old bar stands in both.
    commit(lake, plain_bars("FB", [DAY]))
    before = lake.store.get(keys.daily(2012)).data
    commit(lake, plain_bars("FB", [DAY], close=11.0), at=LATER)
    lake.store.put(keys.daily(2012), before)
    assert read_year(lake.store, 2012).withdrawn().is_empty()

    changes = commit(lake, plain_bars("FB", [DAY], close=11.0), at=LATER)

    assert Changes(corrected=1) == changes
    assert [0] == history(lake.store)["revision"].to_list()
    assert [1] == bronze(lake.store)["revision"].to_list()


def test_splits_are_replaced_by_date_and_the_same_again_changes_nothing(lake: Lake) -> None:
    assert 1 == splits.commit(lake.store, split("FB", DAY, 2), clock=SetClock(NOW))
    assert 0 == splits.commit(lake.store, split("FB", DAY, 2), clock=SetClock(LATER))
    assert 1 == splits.commit(lake.store, split("FB", DAY, 3, 2), clock=SetClock(LATER))

    rows = splits.read(lake.store).select("symbol", "effective", "split_from", "split_to").rows()
    assert [("FB", DAY, 2.0, 3.0)] == rows


def split_versions(lake: Lake) -> list[tuple[float, dt.datetime, dt.datetime | None]]:
    """Return the ratios that were known, from when and until when."""
    now = splits.read(lake.store).with_columns(known_to=None)
    before, _ = read_frame(lake.store, keys.SPLITS_HISTORY, SPLITS_HISTORY)
    rows = [*before.iter_rows(named=True), *now.iter_rows(named=True)]
    return [(row["split_to"], row["known_from"], row["known_to"]) for row in rows]


def test_a_corrected_split_is_kept_with_when_it_was_known(lake: Lake) -> None:
    splits.commit(lake.store, split("FB", DAY, 2), clock=SetClock(NOW))
    splits.commit(lake.store, split("FB", DAY, 3), clock=SetClock(LATER))

    assert [(2.0, NOW, LATER), (3.0, LATER, None)] == split_versions(lake)


def test_what_corrects_a_split_is_known_after_it_even_by_a_clock_that_is_behind(lake: Lake) -> None:
    splits.commit(lake.store, split("FB", DAY, 2), clock=SetClock(LATER))
    splits.commit(lake.store, split("FB", DAY, 3), clock=SetClock(NOW))

    just_after = LATER + dt.timedelta(microseconds=1)
    assert [(2.0, LATER, just_after), (3.0, just_after, None)] == split_versions(lake)


def test_a_correction_of_a_split_that_was_killed_in_between_is_made_good(lake: Lake) -> None:
    splits.commit(lake.store, split("FB", DAY, 2), clock=SetClock(NOW))
    before = lake.store.get(keys.SPLITS).data
    splits.commit(lake.store, split("FB", DAY, 3), clock=SetClock(NOW + dt.timedelta(seconds=1)))
    lake.store.put(keys.SPLITS, before)

    splits.commit(lake.store, split("FB", DAY, 3), clock=SetClock(LATER))

    assert [(2.0, NOW, LATER), (3.0, LATER, None)] == split_versions(lake)


def test_dividends_are_replaced_by_date_and_the_same_again_changes_nothing(lake: Lake) -> None:
    assert 1 == dividends.commit(lake.store, dividend("FB", DAY, 0.5), clock=SetClock(NOW))
    assert 0 == dividends.commit(lake.store, dividend("FB", DAY, 0.5), clock=SetClock(LATER))
    assert 1 == dividends.commit(lake.store, dividend("FB", DAY, 0.6), clock=SetClock(LATER))

    assert [("FB", DAY, 0.6)] == dividends.read(lake.store).select(
        "symbol", "ex_date", "amount"
    ).rows()
