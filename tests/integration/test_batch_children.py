"""Children of an array job, as real processes on a real S3 server, and what they leave."""

from __future__ import annotations

import datetime as dt
import math
import re
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from batch_layer.jobs.service import Service
from batch_layer.jobs.submission import Order, submit
from fiblake import Lake
from lake import keys
from lake.boundary import read_boundary
from lake.hours import hours_of
from lake.interval import FIBONACCI, Interval
from lake.parquet import encode_frame
from lake.schemas import LIVE_BARS
from lake.store import ObjectStore
from tests.batch import DEFINITION, QUEUE, Batch, start_child
from tests.days import SESSION, calendar, made_day
from tests.fault_proxy import SLOW_DOWN, FaultProxy, Request
from tests.frames import silver
from tests.parts import MotoServer
from tests.recomputing import recompute
from tests.trading import micros

_FROM = 2008


def copy_bronze(source: ObjectStore, target: ObjectStore) -> None:
    """Copy the bronze of the sample's last years, which are enough here."""
    for key in source.fingerprints(""):
        year = re.search(r"year=(\d{4})", key)
        is_silver = key.startswith(("silver/", "meta/silver/", "meta/boundary"))
        if not is_silver and (year is None or int(year[1]) >= _FROM):
            target.put(key, source.get(key).data)


@pytest.fixture
def stale(sample_lake: Lake, tmp_path: Path) -> Lake:
    """Bronze in a folder, and no silver."""
    lake = Lake(tmp_path / "stale")
    copy_bronze(sample_lake.store, lake.store)
    return lake


@pytest.fixture
def stale_on_s3(
    batch: Batch, moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch, sample_lake: Lake
) -> Lake:
    """Bronze on S3, and no silver."""
    monkeypatch.setenv("FIBLAKE_S3_ENDPOINT", batch.url)
    lake = Lake(moto_server.settings().lake)
    copy_bronze(sample_lake.store, lake.store)
    return lake


@pytest.fixture
def undisturbed(sample_lake: Lake, tmp_path: Path) -> Lake:
    """The same bronze, resampled by a single run."""
    lake = Lake(tmp_path / "undisturbed")
    copy_bronze(sample_lake.store, lake.store)
    lake.resample()
    return lake


def submitted(lake: Lake, partitions: int, *intervals: str) -> str:
    order = Order(QUEUE, DEFINITION, partitions, attempts=3, timeout_s=600)
    chosen = [Interval.parse(interval) for interval in intervals]
    return submit(Service(), lake.store, chosen, order).job


def is_put_of_2008(request: Request) -> bool:
    return request.kind == "PUT" and "silver/interval=3d/year=2008" in request.key


def assert_equal(expected: Lake, actual: Lake) -> None:
    """The same bars, none of them stale, and the boundary moved."""
    for interval in FIBONACCI:
        assert silver(expected.store, interval).equals(silver(actual.store, interval))
    assert expected.status().silver == actual.status().silver
    assert dt.date(2013, 3, 1) == expected.status().boundary == actual.status().boundary


def test_children_at_once_one_killed_and_retried_make_the_silver_of_one_undisturbed_run(
    batch: Batch, stale_on_s3: Lake, undisturbed: Lake
) -> None:
    job = submitted(stale_on_s3, 4)
    with FaultProxy(batch.url) as proxy, ExitStack() as stack:
        # The later of its years is written, which it begins with; of the other not all can be.
        proxy.fail(SLOW_DOWN, times=math.inf, when=is_put_of_2008)
        by_proxy = {"FIBLAKE_S3_ENDPOINT": proxy.url, "FIBLAKE_S3_ATTEMPTS": "99"}
        children = [
            stack.enter_context(batch.start(job, index=index, variables=variables))
            for index, variables in enumerate([{}, by_proxy, {}, {}])
        ]
        children[1].wait_for("rebuilding", done=6)
        children[1].process.kill()
        children.append(stack.enter_context(batch.start(job, index=1, attempt=2)))
        ended = [child.finish() for child in children]

    assert [0, -signal.SIGKILL, 0, 0, 0] == [code for code, _ in ended]
    done = [log[-1] for code, log in ended if code == 0]
    assert {"resampled"} == {line["event"] for line in done}
    assert (f"{job}:1", 2, "1/4") == tuple(done[-1][name] for name in ("job", "attempt", "share"))
    assert 0 < done[-1]["rebuilt"] < done[-1]["partitions"]
    assert_equal(undisturbed, stale_on_s3)


def test_the_last_of_children_at_once_publishes_the_boundary(
    stale: Lake, undisturbed: Lake
) -> None:
    with ExitStack() as stack:
        environments = [
            {
                "FIBLAKE_LAKE": stale.store.location,
                "AWS_BATCH_JOB_ARRAY_INDEX": str(index),
                "AWS_BATCH_JOB_ARRAY_SIZE": "4",
            }
            for index in range(4)
        ]
        children = [stack.enter_context(start_child(each)) for each in environments]
        assert [0, 0, 0, 0] == [child.finish()[0] for child in children]

    assert_equal(undisturbed, stale)


def test_a_job_of_one_partition_is_no_array_and_rebuilds_what_it_is_told(
    batch: Batch, stale_on_s3: Lake
) -> None:
    job = submitted(stale_on_s3, 1, "21d", "34d")
    with batch.start(job) as child:
        code, log = child.finish()

    assert (0, None) == (code, log[-1]["share"])
    rebuilt = [each.interval for each in stale_on_s3.status().silver if each.stale == 0]
    assert ["21d", "34d"] == rebuilt
    assert read_boundary(stale_on_s3.store).daily is None


def test_a_child_ends_when_its_host_is_taken_away_and_the_next_attempt_goes_on(
    stale: Lake, undisturbed: Lake
) -> None:
    environment = {"FIBLAKE_LAKE": stale.store.location}
    with start_child(environment) as child:
        child.wait_for("rebuilding", done=0)
        child.process.terminate()
        code, log = child.finish()
    was_cut_short = Lake(stale.store.location).status().silver != undisturbed.status().silver
    with start_child(environment | {"AWS_BATCH_JOB_ATTEMPT": "2"}) as child:
        assert 0 == child.finish()[0]

    assert (143, True) == (code, was_cut_short)
    assert "resampled" not in {line["event"] for line in log}
    assert_equal(undisturbed, stale)


def test_what_was_recorded_live_becomes_bronze_and_silver_and_what_was_told_is_held_to_it(
    tmp_path: Path,
) -> None:
    lake, session = Lake(tmp_path / "live"), SESSION.isoformat()
    made_day(2, 200).record(lake.store)
    dusk = micros(hours_of(SESSION, calendar()).dusk)

    def done(command: str) -> dict[str, Any]:
        with start_child({"FIBLAKE_LAKE": lake.store.location}, *command.split()) as child:
            code, log = child.finish()
        assert 0 == code
        return log[-1]

    trades, resampled = done("trades"), done("resample")
    told, _ = recompute(lake.store, SESSION, clock=dusk + 10**12)
    lake.store.put(keys.live_bars(SESSION), encode_frame(told.tail(-1), LIVE_BARS))
    reconciled = done(f"reconcile --start {session} --end {session}")

    assert (1, 2) == (trades["sessions"], trades["days"]["added"])
    assert session == resampled["boundary"]
    assert {"missing": 1} == reconciled["differences"]
    assert (1, 1, 0) == tuple(reconciled[name] for name in ("sessions", "new", "pending"))


ARRAY = {"AWS_BATCH_JOB_ARRAY_INDEX": "3"}
OF_THREE = {**ARRAY, "AWS_BATCH_JOB_ARRAY_SIZE": "3"}
NO_SHARE = "is not a share. Allowed: INDEX/OF with INDEX from 0 to OF - 1, as 2/16."
NO_NUMBER = "Input should be a valid integer, unable to parse string as an integer."
BAD_INDEX = {"AWS_BATCH_JOB_ARRAY_INDEX": "x"}
OFFERED = (
    "is not an interval offered here. Allowed: 5m, 15m, 1h, 2h, 4h, 3d, 5d, 8d, 13d, 21d, 34d."
)
NO_DATE = "Allowed: a date, as 2025-10-03."
USAGE = "Allowed: usage: reconcile [--start START] [--end END]"
OF_ARRAY = "is the work of one job, and this is child 3 of an array."
ALONE = f"{OF_ARRAY} Hint: submit it without arrayProperties."
EMPTY = "holds no daily bars. Hint: fiblake import FILE, or fiblake import --sample."
REFUSED = [
    (ARRAY, "3d", 2, f"'3/0' {NO_SHARE}"),
    (OF_THREE, "resample 3d", 2, f"'3/3' {NO_SHARE}"),
    (BAD_INDEX, "3d", 2, f"AWS_BATCH_JOB_ARRAY_INDEX='x' cannot be: {NO_NUMBER}"),
    ({}, "7d", 2, f"'7d' {OFFERED}"),
    ({}, "resample trades", 2, f"'trades' {OFFERED}"),
    ({}, "reconcile --start soon", 2, f"--start is 'soon'. {NO_DATE}"),
    ({}, "reconcile 13d", 2, f"reconcile: unrecognized arguments: 13d. {USAGE}"),
    (ARRAY, "reconcile", 2, f"reconcile {ALONE}"),
    (ARRAY, "trades", 2, f"trades {ALONE}"),
    ({}, "3d", 1, f"The lake {{lake}} {EMPTY}"),
]


@pytest.mark.parametrize(("environment", "command", "code", "told"), REFUSED)
def test_a_child_that_cannot_work_says_why_in_one_line(
    tmp_path: Path, environment: dict[str, str], command: str, code: int, told: str
) -> None:
    lake = str(tmp_path / "lake")
    with start_child(environment | {"FIBLAKE_LAKE": lake}, *command.split()) as child:
        ended, log = child.finish()

    assert (code, "error", told.format(lake=lake)) == (ended, log[-1]["level"], log[-1]["event"])
