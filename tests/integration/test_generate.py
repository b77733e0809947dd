"""A made-up market in a lake: the same bytes each time, never beside other bars."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from batch_layer.bronze.year import read_year
from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.errors import InvalidRangeError, MisuseError
from tests.command_line import process
from tests.frames import assert_silver_is_right, bronze, bronze_years
from tests.integration.test_bronze import LATER
from tests.integration.test_resample import plain_bars

SMALL: dict[str, Any] = {"symbols": 12, "start": "2018-06-01", "end": "2020-06-30", "seed": 7}
OPTIONS = [f"--{name}={value}" for name, value in SMALL.items()]


def made(lake: Lake) -> dict[str, bytes]:
    """All objects but the manifests, which name the files' times."""
    found = lake.store.fingerprints("")
    return {
        key: lake.store.get(key).data for key in found if not key.startswith(keys.DAILY_MANIFESTS)
    }


def test_a_generated_lake_holds_the_market_and_resamples_right(lake: Lake) -> None:
    report = lake.generate(**SMALL)
    lake.resample()

    assert [2018, 2019, 2020] == bronze_years(lake.store)
    assert (report.bars, report.bars, 0) == (
        bronze(lake.store).height,
        report.added,
        report.unchanged,
    )
    assert ("2018-06-01", "2020-06-30") == (report.first, report.last)
    assert report.splits == lake.status().bronze.splits > 0
    assert_silver_is_right(lake)


def test_the_same_seed_makes_the_same_bytes_at_any_time(tmp_path: Path, lake: Lake) -> None:
    other = Lake(tmp_path / "other", clock=SetClock(LATER + dt.timedelta(days=400)))

    lake.generate(**SMALL)
    other.generate(**SMALL)

    ours, theirs = made(lake), made(other)
    del ours[keys.SESSIONS], theirs[keys.SESSIONS]  # the lake's own had reached further already
    assert ours == theirs


def test_it_is_learnt_at_the_close_of_its_last_session(lake: Lake) -> None:
    lake.generate(**SMALL)

    close = dt.datetime(2020, 6, 30, 20, tzinfo=dt.UTC)
    bars = read_year(lake.store, 2018).bars
    assert [close] == bars["known_from"].unique().to_list()


def test_every_generated_bar_would_be_imported(tmp_path: Path, lake: Lake) -> None:
    lake.generate(**SMALL)
    bronze(lake.store).drop("revision").write_parquet(tmp_path / "bars.parquet")

    report = Lake(tmp_path / "other", clock=lake.clock).import_files(tmp_path / "bars.parquet")

    assert (0, report.rows) == (report.rejected, report.added)


def test_the_same_again_changes_nothing(lake: Lake) -> None:
    first = lake.generate(**SMALL)
    before = lake.store.fingerprints("")

    again = lake.generate(**SMALL)

    assert (0, first.bars) == (again.added, again.unchanged)
    assert before == lake.store.fingerprints("")


def test_one_that_was_cut_short_is_completed_by_the_same(tmp_path: Path, lake: Lake) -> None:
    class Stopped(Exception):  # noqa: N818 - no error
        pass

    def stop(done: int, _total: int) -> None:
        if done == 2:
            raise Stopped

    whole = Lake(tmp_path / "whole", clock=lake.clock)
    whole.generate(**SMALL)
    with pytest.raises(Stopped):
        lake.generate(**SMALL, on_progress=stop)
    assert [2018, 2019] == bronze_years(lake.store)

    lake.generate(**SMALL)

    assert bronze(whole.store).equals(bronze(lake.store))
    assert whole.store.get(keys.SPLITS).data == lake.store.get(keys.SPLITS).data


def test_it_tells_how_far_it_is_in_years(lake: Lake) -> None:
    told: list[tuple[int, int]] = []

    lake.generate(**SMALL, on_progress=lambda *each: told.append(each))

    assert [(0, 3), (1, 3), (2, 3), (3, 3)] == told


def test_a_lake_of_other_bars_is_refused(own_sample_lake: Lake) -> None:
    before = own_sample_lake.store.fingerprints("")

    with pytest.raises(MisuseError, match="holds other bars; made-up ones do not mix") as refused:
        own_sample_lake.generate(**SMALL)

    assert own_sample_lake.store.location in str(refused.value)
    assert before == own_sample_lake.store.fingerprints("")


@pytest.mark.parametrize(
    "change", [{"seed": 8}, {"symbols": 13}, {"end": "2020-07-01"}, {"start": "2018-06-04"}]
)
def test_a_lake_of_another_generation_is_refused(lake: Lake, change: dict[str, Any]) -> None:
    lake.generate(**SMALL)

    with pytest.raises(MisuseError, match="holds other bars"):
        lake.generate(**SMALL | change)


def test_a_lake_whose_generation_wrote_no_bar_may_take_another(lake: Lake) -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lake.generate(**SMALL, on_progress=stop)

    assert 0 < lake.generate(**SMALL | {"seed": 8}).added


def test_bars_whose_generation_cannot_be_told_are_refused(lake: Lake) -> None:
    lake.generate(**SMALL)
    lake.store.put(keys.GENERATION, b"?")

    with pytest.raises(MisuseError, match="holds other bars"):
        lake.generate(**SMALL)


WRONG = {
    "no symbols": ({"symbols": 0}, "A market of 0 symbols .* Allowed: 1 to 100,000"),
    "too many": ({"symbols": 100_001}, "Allowed: 1 to 100,000"),
    "a negative seed": ({"seed": -1}, "-1 is not a seed. Allowed: 0 and above"),
    "too early": ({"start": "1962-01-01"}, "1962-01-01 is before 1962-01-02"),
    "the other way round": ({"start": "2020-07-01"}, "2020-07-01 is after the end 2020-06-30"),
    "not over": ({"end": "2026-01-05"}, "2026-01-05 is not over. Allowed: .* before 2026-01-05"),
    "far ahead": ({"end": "9999-12-31"}, "9999-12-31 is not over"),
    "no session": ({"start": "2020-06-27", "end": "2020-06-28"}, "no session from 2020-06-27"),
    "no date": ({"start": "June"}, "'June' is not a date"),
}


@pytest.mark.parametrize(("change", "told"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_told_before_anything_is_written(
    lake: Lake, change: dict[str, Any], told: str
) -> None:
    before = lake.store.fingerprints("")

    with pytest.raises(MisuseError, match=told):
        lake.generate(**SMALL | change)

    assert before == lake.store.fingerprints("")


def test_a_wrong_range_says_so_by_its_kind(lake: Lake) -> None:
    with pytest.raises(InvalidRangeError):
        lake.generate(**SMALL | {"start": "1961-12-29"})


def test_bars_may_be_imported_into_a_generated_lake(lake: Lake) -> None:
    lake.generate(**SMALL)
    plain_bars("LATER", [dt.date(2020, 7, 1)]).write_csv("later.csv")

    assert 1 == lake.import_files("later.csv").added


def test_the_command_reports_in_words_and_in_json(tmp_path: Path) -> None:
    words = process("generate", *OPTIONS, "--lake", tmp_path / "lake")
    again = process("generate", *OPTIONS, "--lake", tmp_path / "lake", "--json")

    report = json.loads(again.out)
    bars = report["bars"]
    assert (0, 0) == (words.code, again.code)
    assert f"generated {bars:,} bars of 12 symbols, 2018-06-01 to 2020-06-30, " in words.out
    assert "silver is stale now: fiblake resample" == words.err.strip()
    assert ("", 0, bars) == (again.err, report["added"], report["unchanged"])


def test_the_command_says_what_is_misused(tmp_path: Path) -> None:
    ran = process("generate", "--symbols", "0", "--lake", tmp_path / "lake")

    assert (2, "") == (ran.code, ran.out)
    assert "error: A market of 0 symbols cannot be. Allowed: 1 to 100,000.\n" == ran.err
    assert not (tmp_path / "lake").exists()
