"""The vendor: whether there is a key, and whether it is accepted."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from fiblake.doctor.finding import Check, Finding, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fiblake.doctor.patient import Patient

_WEEK: Final = dt.timedelta(days=7)


def checks(patient: Patient) -> Iterator[Check]:
    """Yield what to look at of the vendor."""
    yield Check("vendor.key", lambda: vendor(patient))


def vendor(patient: Patient) -> Iterator[Finding]:
    """Yield whether there is a key and, where it is to be asked, whether the vendor accepts it."""
    if patient.settings.massive_key is None:
        fact = "There is no key of Massive: nothing is fetched, and nothing live is heard."
        yield warn("vendor.key", fact, "set FIBLAKE_MASSIVE_KEY.")
        return
    if not patient.is_vendor_asked:
        yield ok("vendor.key", "There is a key of Massive; --vendor asks whether it holds.")
        return
    from batch_layer.vendors.massive import Massive  # noqa: PLC0415 - needs an extra

    today = patient.now.date()
    # A few rows, by whatever plan: splits are told to all.
    next(Massive.of(patient.settings, clock=patient.clock).splits(today - _WEEK, today), None)
    yield ok("vendor.key", f"{patient.settings.massive_url} accepts the key.")
