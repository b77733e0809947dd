"""What each vendor brought into bronze, session by session: counted, and where its answer landed.

One document a (kind, source, year). What is told again of a session replaces what was told before.
What files brought is in `imports`.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lake import keys
from lake.documents import Revision, read_documents, revise_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lake.documents import Document
    from lake.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Entry:
    """What came of some rows.

    Attributes:
        rows: How many there were.
        accepted: How many of them broke no rule.
        reasons: How many of the others broke which.
        landed: The key of the landed answer that they came from; None where there is none.
    """

    rows: int = 0
    accepted: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    landed: str | None = None


def read(store: ObjectStore, kind: str) -> dict[str, dict[dt.date, Entry]]:
    """Return what each source brought of a kind of bars (`daily`, `minute`), in order of sessions.

    However many documents there are, it takes a listing and a read. A damaged one tells nothing.
    """
    filed = read_documents(store, keys.ledgers(kind), keys.ledgers_index(kind))
    found: dict[str, dict[dt.date, Entry]] = defaultdict(dict)
    for key in sorted(filed):
        source = keys.ledger_source(key)
        if source is not None:
            found[source] |= _entries(filed[key].document)
    return dict(found)


def note(store: ObjectStore, kind: str, source: str, entries: Mapping[dt.date, Entry]) -> None:
    """Keep what a source brought of some sessions; what it brought of others stays.

    Raises:
        ConflictError: If others kept writing the same year all the while.
    """
    years: dict[int, dict[str, Document]] = defaultdict(dict)
    for session, entry in entries.items():
        years[session.year][session.isoformat()] = asdict(entry) | {"reasons": dict(entry.reasons)}
    for year, told in sorted(years.items()):
        revise_document(store, keys.ledger(kind, source, year), _with(told))


def _with(told: Mapping[str, Document]) -> Revision:
    def revise(old: Document | None) -> Document:
        known = (old or {}).get("sessions", {})
        return {"sessions": dict(sorted({**known, **told}.items()))}

    return revise


def _entries(document: Document | None) -> dict[dt.date, Entry]:
    told: Mapping[str, Any] = (document or {}).get("sessions", {})
    return {dt.date.fromisoformat(day): Entry(**entry) for day, entry in told.items()}
