"""The same lake on S3: import, resample, status and bars through real S3 servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fiblake import Lake
from lake.clock import SetClock
from lake.interval import FIBONACCI
from lake.settings import Settings
from tests.frames import bronze, silver
from tests.parts import RcloneServer


def assert_holds_the_same(expected: Lake, actual: Lake) -> None:
    assert bronze(expected.store).equals(bronze(actual.store))
    for interval in FIBONACCI:
        assert silver(expected.store, interval).equals(silver(actual.store, interval))
    assert expected.status().bronze == actual.status().bronze
    assert expected.status().silver == actual.status().silver


def test_a_lake_on_s3_holds_and_answers_the_same_as_a_folder(
    s3_lake: Lake, sample_lake: Lake, clock: SetClock
) -> None:
    s3_lake.import_sample()
    report = s3_lake.resample()

    assert 84 == len(report.rebuilt)
    assert () == s3_lake.resample().rebuilt
    assert_holds_the_same(sample_lake, s3_lake)
    for interval in FIBONACCI:
        expected = sample_lake.bars("MSFT", str(interval))
        assert expected.equals(s3_lake.bars("MSFT", str(interval)))
    asked: dict[str, Any] = {"interval": "13d", "adjustment": "all", "known_at": clock.now()}
    assert sample_lake.bars("MSFT", **asked).equals(s3_lake.bars("MSFT", **asked))


def test_a_lake_is_read_from_a_server_that_checks_signatures(
    rclone_server: RcloneServer, open_lake: Callable[[Settings], Lake], sample_lake: Lake
) -> None:
    lake = open_lake(rclone_server.settings())
    for key in sample_lake.store.fingerprints(""):
        lake.store.put(key, sample_lake.store.get(key).data)

    assert sample_lake.bars(["AAPL", "IBM"], "13d").equals(lake.bars(["AAPL", "IBM"], "13d"))
    assert sample_lake.bars("MSFT").equals(lake.bars("MSFT"))
    assert sample_lake.status().bronze == lake.status().bronze
