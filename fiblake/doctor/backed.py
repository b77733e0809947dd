"""Backups: whether there is one, and how old the last whole one is."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from fiblake.doctor.finding import Check, Finding, fail, ok, runbook, warn
from lake.instant import parse_instant
from lake.store import open_backups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fiblake.doctor.patient import Patient

_NIGHTLY: Final = dt.timedelta(hours=26)
_OLD: Final = dt.timedelta(days=4)
"""Longer than a weekend with a holiday behind it."""


def checks(patient: Patient) -> Iterator[Check]:
    """Yield what to look at of backups."""
    yield Check("backup.last", lambda: last(patient))


def last(patient: Patient) -> Iterator[Finding]:
    """Yield how old the last backup is, and whether its manifest is whole."""
    from batch_layer.backups.backup import listed  # noqa: PLC0415 - needs an extra

    place = open_backups(patient.settings)
    found = listed(place)
    damaged = [each for each in found if each.fault]
    for each in damaged:
        fact = f"The backup {each.id} is none: {each.fault}"
        yield warn("backup.damaged", fact, "make another: fiblake backup create.", _PAGE)
    whole = [each for each in found if not each.fault]
    if not whole:
        fact = f"There is no backup in {place.location}."
        yield warn("backup.last", fact, "fiblake backup create, and each night from now on.", _PAGE)
        return
    age = patient.now - max(parse_instant(each.made) for each in whole)
    fact = f"The last backup is {age / dt.timedelta(hours=1):,.0f} hours old."
    hint = "see why none was made since, or make one: fiblake backup create."
    if age > _OLD:
        yield fail("backup.last", fact, hint, _PAGE)
    elif age > _NIGHTLY:
        yield warn("backup.last", fact, hint, _PAGE)
    else:
        yield ok("backup.last", fact)


_PAGE: Final = runbook("backup-old")
