"""The same lake on S3: import, resample, status and bars through a real S3 server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fiblake import Lake
from lake.clock import SetClock
from lake.interval import FIBONACCI
from tests.frames import bronze, silver
from tests.parts import MotoServer


def test_a_lake_on_s3_holds_and_answers_the_same_as_a_folder(
    moto_server: MotoServer,
    monkeypatch: pytest.MonkeyPatch,
    sample_lake: Lake,
    blank_lake: Path,
    clock: SetClock,
) -> None:
    settings = moto_server.settings()
    monkeypatch.setenv("FIBLAKE_S3_ENDPOINT", settings.s3_endpoint or "")
    monkeypatch.setenv("FIBLAKE_S3_REGION", "us-east-1")
    monkeypatch.setenv("FIBLAKE_S3_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("FIBLAKE_S3_SECRET_ACCESS_KEY", "secret")
    lake = Lake(settings.lake, clock=clock)
    lake.store.put("meta/sessions.parquet", (blank_lake / "meta/sessions.parquet").read_bytes())

    lake.import_sample()
    report = lake.resample()

    assert 84 == len(report.rebuilt)
    assert () == lake.resample().rebuilt
    assert bronze(sample_lake.store).equals(bronze(lake.store))
    for interval in FIBONACCI:
        assert silver(sample_lake.store, interval).equals(silver(lake.store, interval))
        assert sample_lake.bars("MSFT", str(interval)).equals(lake.bars("MSFT", str(interval)))
    asked: dict[str, Any] = {"interval": "13d", "adjustment": "all", "known_at": clock.now()}
    assert sample_lake.bars("MSFT", **asked).equals(lake.bars("MSFT", **asked))
    assert sample_lake.status().bronze == lake.status().bronze
    assert sample_lake.status().silver == lake.status().silver
