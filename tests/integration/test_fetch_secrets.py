"""No secret of a vendor's leaves the settings: not by logs, errors, landing, reports or `repr`."""

from __future__ import annotations

import logging
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from batch_layer.fetching.daily_sources import open_source
from batch_layer.local_vendor import Access, LocalVendor
from lake.clock import SystemClock
from lake.settings import read_settings
from lake.store import LocalStore
from tests.command_line import FIBLAKE
from tests.fetching import FAST

SECRETS: Final = ("K3y-of-Massive", "S3cret-of-the-flat-files")
# What a program that logs all it can would show, before the command line begins.
_LOUD: Final = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
from fiblake.cli import main
main()
"""


@pytest.fixture
def secretive(vendor_lake_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    access = Access(key=SECRETS[0], secret_access_key=SECRETS[1])
    with LocalVendor(LocalStore(vendor_lake_folder), access=access) as vendor:
        for name, value in {**vendor.settings, **FAST}.items():
            monkeypatch.setenv(name, value)
        yield vendor


def loud(*arguments: str) -> str:
    """Return all that a command says with every log at level debug."""
    python = str(FIBLAKE.with_name("python"))
    done = subprocess.run(
        [python, "-c", _LOUD, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "FIBLAKE_LOG_LEVEL": "debug"},
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("source", ["massive", "flatfiles"])
@pytest.mark.parametrize(
    "kind", [None, "unauthorized", "throttled", "reset", "html", "not_in_plan"]
)
def test_no_secret_is_said_whatever_happens(
    secretive: LocalVendor, tmp_path: Path, source: str, kind: Any
) -> None:
    if kind:
        secretive.fail(kind, times=3)
    span = ("--start", "2013-01-02", "--end", "2013-01-04", "--lake", str(tmp_path / "lake"))
    said = loud("fetch", "daily", "--source", source, "--json", *span)
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    assert "DEBUG" in said  # else it would prove nothing
    assert [] == [secret for secret in SECRETS if secret in said or secret.encode() in kept]


@pytest.mark.usefixtures("secretive")
@pytest.mark.parametrize("source", ["massive", "flatfiles"])
def test_no_secret_is_in_a_repr(source: str) -> None:
    settings = read_settings()
    shown = repr(settings) + str(settings) + repr(open_source(source, settings, SystemClock()))

    assert [] == [secret for secret in SECRETS if secret in shown]


def test_the_client_s_own_logger_says_nothing(
    secretive: LocalVendor, capfd: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("RESTClient").setLevel(logging.DEBUG)
    source = open_source("massive", read_settings(), SystemClock())
    source.ask(secretive.sessions[0])

    assert ("", "") == tuple(capfd.readouterr())
