"""Faults of S3 on both roads to it, boto3's and DuckDB's: asked again, given up on, repaired."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path

import polars as pl
import pytest

from batch_layer.fetching.importing import Importer
from batch_layer.processing.resample import resample
from fiblake import Lake
from fiblake.cli import main
from lake import keys
from lake.errors import CredentialsError, StoreError, UnavailableError
from lake.interval import DAILY, FIBONACCI
from lake.session import SessionTable
from lake.settings import Settings
from lake.store import ObjectStore, open_store
from serving_layer.reader import BarsQuery, Reader
from tests.fault_proxy import (
    DENIED,
    EXPIRED,
    INVALID,
    SLOW_DOWN,
    Answer,
    Cut,
    FaultProxy,
    Meanwhile,
    Request,
)
from tests.frames import bronze, silver
from tests.parts import MotoServer

Frames = dict[str, pl.DataFrame]


@pytest.fixture
def bars_file(csv_file: Callable[..., Path], sessions: SessionTable) -> Path:
    """Two listings and four months."""
    span = sessions.ordinals(dt.date(2012, 3, 1), dt.date(2012, 6, 29))
    rows = [f"{name},{sessions[each]},10,12,9,11,100" for name in ("A", "B") for each in span]
    return csv_file("symbol,date,open,high,low,close,volume", *rows)


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


def by_boto3(request: Request) -> bool:
    return request.by == "boto3"


def a_read(request: Request) -> bool:
    return request.kind == "GET"


def a_scan(request: Request) -> bool:
    return request.by == "duckdb"


def a_scan_read(request: Request) -> bool:
    return a_scan(request) and a_read(request)


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
        (SLOW_DOWN, 5, a_scan),
        (Cut(-1), 5, a_scan),
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


# An import of one year puts its bars, then their digests.
@pytest.mark.parametrize("puts", [0, 1])
def test_an_import_that_cannot_write_on_ends_with_an_error_and_the_next_completes_it(
    s3_lake: Lake, fault_proxy: FaultProxy, bars_file: Path, expected: Frames, puts: int
) -> None:
    fault_proxy.fail(SLOW_DOWN, times=inf, when=later(puts))
    with pytest.raises(
        UnavailableError, match=r"^Could not write .* \(given up after 8 attempts\)"
    ):
        s3_lake.import_files(bars_file)
    fault_proxy.heal()

    assert puts == len(s3_lake.store.fingerprints(keys.DAILY))
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
        ("resample", a_scan),
        ("bars A", a_scan),
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


@pytest.mark.parametrize(
    ("how", "hint"),
    [
        (EXPIRED, "renew the credentials"),
        (INVALID, "check the credentials"),
        (DENIED, "grant the permissions"),
    ],
)
@pytest.mark.parametrize("road", [by_boto3, a_scan])
def test_refused_credentials_are_told_at_once_with_what_to_do(
    s3_lake: Lake,
    fault_proxy: FaultProxy,
    bars_file: Path,
    how: Answer,
    hint: str,
    road: Callable[[Request], bool],
) -> None:
    s3_lake.import_files(bars_file)
    fault_proxy.forget()
    fault_proxy.fail(how, times=inf, when=road)
    with pytest.raises(CredentialsError, match=rf"^Could not .*{how.code}: .* Hint: {hint}"):
        s3_lake.bars("A")

    if road is by_boto3:
        assert {"LIST": 1} == fault_proxy.counts
    fault_proxy.heal()
    assert 85 == len(s3_lake.bars("A"))


def test_a_refusal_without_a_body_is_of_the_credentials_too(
    s3_lake: Lake, fault_proxy: FaultProxy
) -> None:
    fault_proxy.fail(EXPIRED, times=inf)
    with pytest.raises(CredentialsError, match=r"Bad Request.* Hint: renew the credentials, .* or"):
        s3_lake.store.fingerprint("a.bin")


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


class Role:
    """Credentials that a process prints, as AWS's tools take them; they expire in five minutes.

    That is so soon that they are asked for anew whenever they are needed.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._told = folder / "credentials.json"
        config = folder / "config"
        config.write_text(f"[default]\ncredential_process = cat {self._told}\n", "utf-8")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "none"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def rotate(self, key_id: str, *, minutes: int = 5) -> None:
        expires = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
        told = {
            "Version": 1,
            "AccessKeyId": key_id,
            "SecretAccessKey": f"secret of {key_id}",
            "SessionToken": f"token of {key_id}",
            "Expiration": expires.isoformat(),
        }
        aside = self._told.with_suffix(".new")
        aside.write_text(json.dumps(told), "utf-8")
        aside.replace(self._told)


@pytest.fixture
def role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Role:
    return Role(tmp_path, monkeypatch)


def without_keys(settings: Settings) -> Settings:
    nothing = {"s3_access_key_id": None, "s3_secret_access_key": None}
    return settings.model_copy(update=nothing)


def test_a_reader_outlives_the_credentials_it_began_with(
    s3_lake: Lake, fault_proxy: FaultProxy, bars_file: Path, role: Role
) -> None:
    s3_lake.import_files(bars_file)
    role.rotate("OLD")
    reader = Reader(open_store(without_keys(s3_lake.settings)), s3_lake.clock)
    query = BarsQuery(symbols=("A",), interval=DAILY)
    before = reader.bars(query)

    role.rotate("NEW")
    fault_proxy.forget()
    fault_proxy.fail(INVALID, times=inf, when=lambda request: request.key_id == "OLD")

    assert before.equals(reader.bars(query))
    assert {("boto3", "NEW"), ("duckdb", "NEW")} == {
        (request.by, request.key_id) for request in fault_proxy.seen
    }


def test_many_queries_at_once_sign_anew_without_harm(
    s3_lake: Lake, bars_file: Path, role: Role
) -> None:
    s3_lake.import_files(bars_file)
    role.rotate("OLD")
    reader = Reader(open_store(without_keys(s3_lake.settings)), s3_lake.clock)
    query = BarsQuery(symbols=("A",), interval=DAILY)
    expected = reader.bars(query)

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(reader.bars, query) for _ in range(12)]
        role.rotate("NEW")
    assert all(expected.equals(answer.result()) for answer in answers)


def test_credentials_that_are_expired_when_they_are_renewed_are_one_clear_error(
    s3_lake: Lake, role: Role
) -> None:
    role.rotate("OLD", minutes=-5)
    store = open_store(without_keys(s3_lake.settings))

    with pytest.raises(CredentialsError, match=r"still expired\. Hint: check the credentials"):
        store.get("a.bin")


@pytest.mark.usefixtures("role")
def test_credentials_that_cannot_be_had_are_one_clear_error(s3_lake: Lake) -> None:
    with pytest.raises(CredentialsError, match=r"No such file.* Hint: check the credentials"):
        open_store(without_keys(s3_lake.settings))


def test_no_credentials_at_all_are_one_clear_error(
    s3_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = open_store(without_keys(s3_lake.settings))

    with pytest.raises(CredentialsError, match=r"Unable to locate .* Hint: check the credentials"):
        store.get("a.bin")


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
