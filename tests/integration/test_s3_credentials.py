"""Credentials of S3 on both roads to it: refused, missing, and rotated while a reader lives."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path

import pytest

from fiblake import Lake
from lake.errors import CredentialsError
from lake.interval import DAILY
from lake.settings import Settings
from lake.store import open_store
from serving_layer.query import BarsQuery
from serving_layer.reader import Reader
from tests.fault_proxy import (
    DENIED,
    EXPIRED,
    INVALID,
    Answer,
    FaultProxy,
    Request,
    by_boto3,
    by_duckdb,
)


@pytest.mark.parametrize(
    ("how", "hint"),
    [
        (EXPIRED, "renew the credentials"),
        (INVALID, "check the credentials"),
        (DENIED, "grant the permissions"),
    ],
)
@pytest.mark.parametrize("road", [by_boto3, by_duckdb])
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
        assert {"GET": 1} == fault_proxy.counts
    fault_proxy.heal()
    assert 85 == len(s3_lake.bars("A"))


def test_a_refusal_without_a_body_is_of_the_credentials_too(
    s3_lake: Lake, fault_proxy: FaultProxy
) -> None:
    fault_proxy.fail(EXPIRED, times=inf)
    with pytest.raises(CredentialsError, match=r"Bad Request.* Hint: renew the credentials, .* or"):
        s3_lake.store.fingerprint("a.bin")


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
