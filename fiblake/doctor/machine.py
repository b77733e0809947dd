"""This machine: room for what the settings let it keep here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fiblake.doctor.finding import Check, Finding, fail, ok, warn
from lake.errors import MisuseError
from lake.state import state_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fiblake.doctor.patient import Patient

_MIB: Final = 1 << 20
SCARCE_MIB: Final = 1024
LEAST_MIB: Final = 64


def checks(patient: Patient) -> Iterator[Check]:
    """Yield what to look at of this machine."""
    yield Check("machine.disk", lambda: disks(patient))


def disks(
    patient: Patient, *, scarce_mib: int = SCARCE_MIB, least_mib: int = LEAST_MIB
) -> Iterator[Finding]:
    """Yield how much room there is for state, for the cache, and for a lake in a folder.

    Args:
        patient: Whose.
        scarce_mib: With less, it is time to make room.
        least_mib: With less, nothing can be written soon.
    """
    for what, folder in _folders(patient):
        there = next(each for each in (folder, *folder.parents) if each.exists())
        free = shutil.disk_usage(there).free // _MIB
        check, fact = f"machine.{what}", f"{folder} has {free:,} MiB left."
        hint = f"make room there, or set FIBLAKE_{what.upper()}."
        if free < least_mib:
            yield fail(check, fact, hint)
        elif free < scarce_mib:
            yield warn(check, fact, hint)
        else:
            yield ok(check, fact)


def _folders(patient: Patient) -> Iterator[tuple[str, Path]]:
    settings = patient.settings
    yield "state", state_folder(settings)
    if settings.cache.lower() != "off":
        try:
            yield "cache", Path(settings.cache).expanduser().resolve()
        except RuntimeError:
            fact = f"FIBLAKE_CACHE={settings.cache!r} names the home of a user that is none."
            raise MisuseError(fact, hint="name another folder.") from None
    if "://" not in settings.lake:
        yield "lake", Path(settings.lake).expanduser().resolve()
