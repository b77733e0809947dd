"""What ends the embedded system: one error, and exit code 1."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from fiblake import Lake, live
from lake import keys
from lake.errors import BrokenPartError, FiblakeError
from lake.settings import read_settings
from lake.state import state_folder
from lake.store import LocalStore
from speed_layer.engine.running import Running
from tests.days import SESSION, made_day
from tests.feeding import eventually
from tests.live_system import SystemOf, VendorOf, sold_day


def errors_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("error:")]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("wrong", "error: Massive's socket refuses the key"),
        ("", "error: There is no key for Massive. Hint: set"),
    ],
)
def test_a_key_that_is_refused_or_missing_ends_it(
    key: str, expected: str, vendor_of: VendorOf, system_of: SystemOf
) -> None:
    system = system_of(vendor_of(sold_day()), FIBLAKE_MASSIVE_KEY=key)

    assert 1 == system.ended()
    (error,) = errors_of(system.said)
    assert (True, True) == (expected in error, "FIBLAKE_MASSIVE_KEY" in error)


def test_a_feed_that_cannot_record_ends_it(
    vendor_of: VendorOf, system_of: SystemOf, lake_folder: Path
) -> None:
    spool = state_folder(read_settings(lake=str(lake_folder))) / "spool" / "massive"
    spool.mkdir(parents=True)
    (spool / f"session={SESSION}").touch()
    system = system_of(vendor_of(sold_day()))

    assert 1 == system.ended()
    (error,) = errors_of(system.said)
    assert f"The spool in {spool} cannot be written" in error


def test_a_damaged_recording_is_told_before_anything_is_served(
    vendor_of: VendorOf, system_of: SystemOf, lake_folder: Path
) -> None:
    key = keys.live("massive", SESSION, 0)
    LocalStore(lake_folder).put(key, b"no gzip")
    system = system_of(vendor_of(sold_day()))

    assert 1 == system.ended()
    hint = "Hint: restore it from a copy."
    said = f"error: {key} in {lake_folder} is damaged: it is not gzip. {hint}"
    assert [said] == errors_of(system.said)


class Breaking(Running):
    """An engine with a bug."""

    def apply(self, events: pl.DataFrame) -> None:
        raise ZeroDivisionError(events.height)


def test_a_part_that_breaks_is_told_and_not_gone_on_without(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_day(6, 600).record(lake.store)
    monkeypatch.setattr(live, "Running", Breaking)
    failures: list[FiblakeError] = []
    with live.fed_view(lake, f"replay:{SESSION}@max", failures.append):
        assert eventually(lambda: bool(failures))

    (failure,) = failures
    assert isinstance(failure, BrokenPartError)
    assert "The engine failed: ZeroDivisionError: " in str(failure)
