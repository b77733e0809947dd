"""The lake: whether it is there, how far batch has come, and what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_layer.processing.status import status_of
from fiblake.doctor.finding import Check, Finding, fail, ok, runbook, warn
from lake import keys
from lake.boundary import read_boundary
from lake.boundary_age import sessions_behind
from lake.documents import encode_document
from lake.errors import EmptyLakeError
from lake.instant import written
from lake.session import EXPECTED_AHEAD

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from fiblake.doctor.patient import Patient
    from lake.session import SessionTable

_EMPTY: Final = "fiblake demo, fiblake import FILE or fiblake fetch daily fills it."


def checks(patient: Patient) -> Iterator[Check]:
    """Yield what to look at of the lake."""
    yield Check("lake.there", lambda: there(patient))
    yield Check("lake.sessions", lambda: sessions(patient))
    yield Check("lake.boundary", lambda: boundary(patient))
    yield Check("lake.silver", lambda: silver(patient))


def there(patient: Patient) -> Iterator[Finding]:
    """Yield whether the lake can be read and written."""
    store = patient.store
    if store.fingerprint(keys.SESSIONS) is None:
        # Nothing is written where there is no lake: its location may be a mistake.
        yield warn("lake.there", f"There is no lake in {store.location} yet.", _EMPTY)
        return
    before = store.fingerprint(keys.DOCTOR)
    yield ok("lake.there", f"{store.location} can be read.")
    store.put_if(keys.DOCTOR, encode_document({"looked": written(patient.now)}), before)
    yield ok("lake.writable", f"{store.location} can be written.")


def sessions(patient: Patient) -> Iterator[Finding]:
    """Yield whether the session table reaches far enough."""
    check, today = "lake.sessions", patient.now.date()
    try:
        table = patient.sessions()
    except EmptyLakeError:
        yield warn(check, f"{patient.settings.lake} has no session table: it is new.", _EMPTY)
        return
    ahead = sum(1 for each in range(len(table)) if table[each] > today)
    fact = f"The session table ends at {table.last}, {ahead} sessions from now."
    hint = "fiblake resample makes it anew."
    if ahead == 0:
        yield fail(check, fact, hint)
    elif ahead < EXPECTED_AHEAD:
        yield warn(check, fact, hint)
    else:
        yield ok(check, fact)


def boundary(patient: Patient) -> Iterator[Finding]:
    """Yield how many settled sessions batch has not committed."""
    read, table = read_boundary(patient.store), _sessions_or_none(patient)
    if table is None or (read.daily is None and read.minute is None):
        yield warn("lake.boundary", "Batch has committed no session yet.", _EMPTY)
        return
    for kind, last in (("daily", read.daily), ("minute", read.minute)):
        if last is not None:
            yield _of_boundary(patient, table, kind, last)


def silver(patient: Patient) -> Iterator[Finding]:
    """Yield what of silver is stale, and what bronze lacks."""
    try:
        status = status_of(patient.store)
    except EmptyLakeError:
        yield warn("lake.silver", "The lake holds no bars.", _EMPTY)
        return
    stale = sum(each.stale for each in status.silver)
    if stale:
        fact = f"{stale:,} partitions of silver are older than what they are made of."
        yield warn("lake.silver", fact, "fiblake resample.")
    else:
        yield ok("lake.silver", "All of silver is up to date.")
    yield from _gaps(status.bronze.missing_sessions, len(status.partial))


def _gaps(missing: int, partial: int) -> Iterator[Finding]:
    if missing:
        fact = f"Of {missing:,} sessions amid the others there is no bar at all."
        yield warn("lake.gaps", fact, "fiblake fetch daily asks a vendor for them.")
    if partial:
        fact = f"Of {partial:,} sessions not all was recorded."
        yield warn("lake.gaps", fact, "fiblake status tells which.", runbook("feed-gaps"))
    if not missing and not partial:
        yield ok("lake.gaps", "No session is missing or recorded in part.")


def _of_boundary(patient: Patient, table: SessionTable, kind: str, last: dt.date) -> Finding:
    check = f"lake.{kind}_boundary"
    late = sessions_behind(last, table, patient.settings, patient.now)
    fact = f"Batch has committed {kind} bars up to {last}: {late} settled sessions are missing."
    hint = "see how the daily chain went, or run fiblake fetch daily and fiblake resample."
    if late == 0:
        return ok(check, f"Batch has committed {kind} bars up to {last}, the last settled session.")
    # It may be at it: a session is taken some hours after it has settled. And where there is no
    # key of a vendor, whoever imports files knows when.
    tell = warn if late == 1 or patient.settings.massive_key is None else fail
    return tell(check, fact, hint, runbook("boundary-late"))


def _sessions_or_none(patient: Patient) -> SessionTable | None:
    try:
        return patient.sessions()
    except EmptyLakeError:
        return None
