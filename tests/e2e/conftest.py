"""Fixtures that run the command line in this process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from fiblake import Lake
from fiblake.cli import main
from tests.command_line import (
    Ran,
    Run,
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run `fiblake` with arguments, in this process."""

    def call(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["fiblake", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        return Ran(stop.value.code, *capsys.readouterr())

    yield call
    # Logs would go on to this test's standard error.
    structlog.reset_defaults()


@pytest.fixture
def in_lake(run: Run, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `fiblake` on an empty lake that has its session table."""
    monkeypatch.setenv("FIBLAKE_LAKE", lake.store.location)
    return run


@pytest.fixture
def in_sample(run: Run, sample_lake_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `fiblake` on the sample, to read from."""
    monkeypatch.setenv("FIBLAKE_LAKE", str(sample_lake_folder))
    return run
