"""Runs that share the work, each the years of its share, and the boundary between them.

run 0:  plan ──► all of its years ──► look again ──► publish
run 1:         └ plan ──► all of its years ──► look again: run 0's are stale ┘
"""

from __future__ import annotations

from pathlib import Path

import pytest

from batch_layer.processing.resample import ResampleReport, resample
from batch_layer.processing.share import Share
from fiblake import Lake
from lake.boundary import read_boundary
from lake.interval import FIBONACCI
from tests.driver import Interrupted
from tests.frames import silver


@pytest.fixture
def stale(lake: Lake) -> Lake:
    lake.import_sample()
    return lake


def test_a_share_rebuilds_its_years_alone(stale: Lake) -> None:
    report = stale.resample(share=Share(1, 5))

    assert {2001, 2006, 2011} == {part.year for part in report.rebuilt}
    assert (18, 18) == (len(report.rebuilt), report.partitions)
    assert report.boundary is None


def test_the_last_of_the_shares_publishes_the_boundary(stale: Lake, sample_lake: Lake) -> None:
    reports = [stale.resample(share=Share(index, 3)) for index in (1, 2, 0)]

    assert [None, None, "2013-03-01"] == [report.boundary for report in reports]
    for interval in FIBONACCI:
        assert silver(sample_lake.store, interval).equals(silver(stale.store, interval))


# Right before the first write, before the last object, and before the last checkpoint.
@pytest.mark.parametrize("put", [1, 83, 84])
def test_a_share_that_planned_before_another_ran_publishes_when_it_is_the_last(
    stale: Lake, put: int
) -> None:
    other: list[ResampleReport] = []
    store = Interrupted(
        Path(stale.store.location),
        lambda: other.append(stale.resample(share=Share(1, 2))),
        put=put,
    )

    report = resample(store, share=Share(0, 2))

    assert [None] == [each.boundary for each in other]
    assert "2013-03-01" == report.boundary == str(read_boundary(stale.store).daily)
    assert () == stale.resample().rebuilt


def test_intervals_left_by_a_share_keep_the_boundary_where_it_was(stale: Lake) -> None:
    stale.resample(("3d", "5d"), share=Share(0, 1))

    assert read_boundary(stale.store).daily is None
