"""Faults of S3 on both roads to it, boto3's and DuckDB's: asked again, given up on, repaired."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from math import inf
from pathlib import Path

import polars as pl
import pytest

from batch_layer.fetching.importing import Importer
from batch_layer.processing.resample import resample
from fiblake import Lake
from fiblake.cli import main
from lake import keys
from lake.errors import StoreError, UnavailableError
from lake.interval import FIBONACCI
from lake.store import ObjectStore, open_store
from tests.fault_proxy import (
    EXPIRED,
    SLOW_DOWN,
    Answer,
    Cut,
    FaultProxy,
    Meanwhile,
    Request,
    by_boto3,
    by_duckdb,
)
from tests.frames import bronze, silver
from tests.parts import MotoServer

Frames = dict[str, pl.DataFrame]


@pytest.fixture
def expected(lake: Lake, bars_file: Path) -> Frames:
    """What an undisturbed lake holds of them."""
    lake.import_files(bars_file)
    lake.resample()
    return content(lake.store)


def content(store: ObjectStore) -> Frames:
    return {
        "1d": bronze(store),
        **{str(each): silver(store, each) for each in FIBONACCI},
    }


def differing(expected: Frames, actual: Frames) -> list[str]:
    return [name for name, frame in expected.items() if not frame.equals(actual[name])]


def a_read(request: Request) -> bool:
    return request.kind == "GET"


def a_scan_read(request: Request) -> bool:
    return by_duckdb(request) and a_read(request)


def a_replacement(request: Request) -> bool:
    return request.conditional and request.kind == "PUT"


@pytest.mark.parametrize(
    ("how", "times", "when"),
    [
        (SLOW_DOWN, 4, by_boto3),
        (Cut(20), 1, lambda request: by_boto3(request) and a_read(request)),
        (Cut(20), 1, lambda request: request.kind == "LIST"),
        (Cut(-1), 1, a_replacement),
        (Cut(-1), 5, a_replacement),
        (SLOW_DOWN, 5, by_duckdb),
        (Cut(-1), 5, by_duckdb),
        (Cut(20), 5, a_scan_read),
    ],
)
def test_faults_that_pass_change_nothing(
    s3_lake: Lake,
    fault_proxy: FaultProxy,
    bars_file: Path,
    expected: Frames,
    how: Answer | Cut,
    times: int,
    when: Callable[[Request], bool],
) -> None:
    fault_proxy.fail(how, times=times, when=when)
    s3_lake.import_files(bars_file)
    assert [] == differing({"1d": expected["1d"]}, {"1d": bronze(s3_lake.store)})

    s3_lake.resample()
    assert [] == differing(expected, content(s3_lake.store))
    assert () == s3_lake.resample().rebuilt
    assert 36 == len(s3_lake.bars(["A", "B"], "5d"))
    assert 0 == fault_proxy.pending


def from_the(first: int, kind: str) -> Callable[[Request], bool]:
    """True of a kind of request from the n-th on, the first being 0."""
    seen = itertools.count()
    return lambda request: request.kind == kind and next(seen) >= first


def later(puts: int) -> Callable[[Request], bool]:
    """True of every PUT but the first few."""
    seen = itertools.count()
    return lambda request: request.kind == "PUT" and next(seen) >= puts


# An import of one year puts the file, what it is told, its bars, then their digests.
@pytest.mark.parametrize("puts", [0, 1, 2, 3])
def test_an_import_that_cannot_write_on_ends_with_an_error_and_the_next_completes_it(
    s3_lake: Lake, fault_proxy: FaultProxy, bars_file: Path, expected: Frames, puts: int
) -> None:
    fault_proxy.fail(SLOW_DOWN, times=inf, when=later(puts))
    with pytest.raises(
        UnavailableError, match=r"^Could not write .* \(given up after 8 attempts\)"
    ):
        s3_lake.import_files(bars_file)
    fault_proxy.heal()

    assert min(puts, 2) == len(s3_lake.store.fingerprints(keys.LANDING))
    assert (puts == 3) == bool(s3_lake.store.fingerprints(keys.DAILY))
    s3_lake.import_files(bars_file)
    s3_lake.resample()
    assert [] == differing(expected, content(s3_lake.store))


# Each partition is an object and its checkpoint; they are put at once, so the fault hits any.
@pytest.mark.parametrize(
    ("puts", "how"), [(0, SLOW_DOWN), (1, SLOW_DOWN), (7, SLOW_DOWN), (5, EXPIRED), (5, Cut(-1))]
)
def test_a_resample_that_cannot_write_on_shows_nothing_half_done_and_the_next_completes_it(
    s3_lake: Lake,
    fault_proxy: FaultProxy,
    bars_file: Path,
    expected: Frames,
    puts: int,
    how: Answer | Cut,
) -> None:
    s3_lake.import_files(bars_file)
    s3_lake.status()  # makes the digests where the import left none
    fault_proxy.fail(how, times=inf, when=later(puts))
    with pytest.raises(StoreError, match=r"^Could not write .* Hint: (run|renew) "):
        s3_lake.resample()
    fault_proxy.heal()

    assert s3_lake.reader.boundary() is None
    for interval in FIBONACCI:
        if s3_lake.store.fingerprints(keys.silver_prefix(interval)):
            assert expected[str(interval)].equals(silver(s3_lake.store, interval))
    s3_lake.resample()
    assert [] == differing(expected, content(s3_lake.store))
    assert () == s3_lake.resample().rebuilt


@pytest.mark.parametrize(
    ("command", "road"),
    [
        ("import bars.csv", by_boto3),
        ("status", by_boto3),
        ("resample", by_boto3),
        ("bars A", by_duckdb),
    ],
)
def test_a_command_on_an_s3_that_never_answers_ends_with_one_line(
    s3_lake: Lake,
    fault_proxy: FaultProxy,
    bars_file: Path,
    command: str,
    road: Callable[[Request], bool],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    s3_lake.import_files(bars_file)
    fault_proxy.fail(SLOW_DOWN, times=inf, when=road)
    monkeypatch.setattr(sys, "argv", ["fiblake", *command.split()])
    with pytest.raises(SystemExit) as stop:
        main()

    out, err = capsys.readouterr()
    assert (1, "", 1) == (stop.value.code, out, len(err.strip().splitlines()))
    assert err.strip().startswith("error: Could not ")
    assert " (given up after 8 attempts). Hint: run the command again later" in err


@pytest.mark.parametrize("after", [0, 1, 999])
def test_an_answer_that_breaks_off_is_read_again(
    s3_lake: Lake, fault_proxy: FaultProxy, after: int
) -> None:
    s3_lake.store.put("a.bin", bytes(1000))
    fault_proxy.forget()
    fault_proxy.fail(Cut(after), times=3)

    assert bytes(1000) == s3_lake.store.get("a.bin").data
    assert {"GET": 4} == fault_proxy.counts


def test_an_answer_that_always_breaks_off_is_given_up_on(
    s3_lake: Lake, fault_proxy: FaultProxy
) -> None:
    s3_lake.store.put("a.bin", bytes(1000))
    fault_proxy.forget()
    fault_proxy.fail(Cut(999), times=inf)

    with pytest.raises(UnavailableError, match=r"^Could not read a\.bin in s3://.* after 8 att"):
        s3_lake.store.get("a.bin")
    assert {"GET": 8} == fault_proxy.counts


def test_a_server_that_is_not_there_is_given_up_on(moto_server: MotoServer) -> None:
    settings = moto_server.settings(s3_endpoint="http://127.0.0.1:1", s3_attempts=2)

    with pytest.raises(UnavailableError, match=r"connect .* \(given up after 2 attempts\)\. Hint:"):
        open_store(settings).get("a.bin")


def test_of_two_resamplers_at_once_the_loser_looks_again(
    s3_lake: Lake,
    moto_server: MotoServer,
    fault_proxy: FaultProxy,
    lake: Lake,
    bars_file: Path,
    csv_file: Callable[..., Path],
) -> None:
    correction = csv_file(
        "symbol,date,open,high,low,close,volume", "A,2012-03-01,10,13,9,12,150", name="late.csv"
    )
    for each in (lake, s3_lake):
        each.import_files(bars_file)
    # The other run is past the proxy, and knows of a correction.
    other = open_store(s3_lake.settings.model_copy(update={"s3_endpoint": moto_server.url}))

    def overtake() -> None:
        Importer(store=other, clock=s3_lake.clock).import_files([correction])
        resample(other)

    fault_proxy.fail(Meanwhile(overtake), when=lambda request: "/silver/" in request.key)
    report = s3_lake.resample()
    lake.import_files(correction)
    lake.resample()

    assert report.conflicts > 0
    assert [] == differing(content(lake.store), content(s3_lake.store))
    assert () == s3_lake.resample().rebuilt


def test_the_proxy_counts_requests_by_kind(s3_lake: Lake, fault_proxy: FaultProxy) -> None:
    store = s3_lake.store
    store.put_if("a.bin", b"one", store.put("a.bin", b"two"))
    store.get("a.bin")
    store.fingerprint("a.bin")
    store.fingerprints("")

    assert {"PUT": 2, "GET": 1, "HEAD": 1, "LIST": 1} == fault_proxy.counts
