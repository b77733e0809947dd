"""What each file brought into bronze: one record a file, told apart by its name and its content.

All are one document: a market can come in thousands of files of one symbol, whose every session
would be an entry of the ledger. So of sessions, just those with a rejected row are kept apart.
The same file again replaces its record.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from batch_layer.bronze.ledger import Entry
from lake import keys
from lake.documents import read_document, revise_document
from lake.errors import DamagedObjectError, ObjectNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lake.documents import Document
    from lake.store import ObjectStore

SESSIONS_MOST: Final = 100
"""Sessions with a rejected row that are kept of one file: those with the most."""


@dataclass(frozen=True, slots=True)
class File:
    """What one file brought.

    Attributes:
        name: Its name, without its folder.
        digest: The SHA-256 of its content, in hexadecimal.
        total: All its rows.
        undated: Its rows whose session cannot be read.
        sessions: Its rows of the sessions with a rejected row; of SESSIONS_MOST at most.
        blemished: How many such sessions there are.
        first: The first session of its bars; None where it has none.
        last: The last one.
        symbols: How many symbols its bars have.
        names: Which; none where they are too many to be named.
    """

    name: str
    digest: str
    total: Entry = field(default_factory=Entry)
    undated: Entry = field(default_factory=Entry)
    sessions: Mapping[dt.date, Entry] = field(default_factory=dict)
    blemished: int = 0
    first: dt.date | None = None
    last: dt.date | None = None
    symbols: int = 0
    names: Sequence[str] = ()

    @property
    def key(self) -> str:
        """What tells it from others."""
        return f"{self.name}-{self.digest[:12]}"


def read(store: ObjectStore) -> list[File]:
    """Return what files brought, in order of their names; a damaged document tells nothing."""
    try:
        document, _ = read_document(store, keys.IMPORTS)
    except (ObjectNotFoundError, DamagedObjectError):
        return []
    return [_file(told) for _, told in sorted(document.get("files", {}).items())]


def note(store: ObjectStore, files: Sequence[File]) -> None:
    """Keep what files brought.

    Raises:
        ConflictError: If others kept writing all the while.
    """
    told = {file.key: _told(file) for file in files}

    def revise(old: Document | None) -> Document:
        known = (old or {}).get("files", {})
        return {"files": dict(sorted({**known, **told}.items()))}

    revise_document(store, keys.IMPORTS, revise)


def _told(file: File) -> Document:
    worst = sorted(file.sessions.items(), key=lambda each: each[1].accepted - each[1].rows)
    return {
        "name": file.name,
        "digest": file.digest,
        "total": asdict(file.total),
        "undated": asdict(file.undated),
        "sessions": {
            day.isoformat(): asdict(entry) for day, entry in sorted(worst[:SESSIONS_MOST])
        },
        "blemished": file.blemished,
        "first": file.first and file.first.isoformat(),
        "last": file.last and file.last.isoformat(),
        "symbols": file.symbols,
        "names": list(file.names),
    }


def _file(told: Mapping[str, Any]) -> File:
    return File(
        name=told["name"],
        digest=told["digest"],
        total=Entry(**told["total"]),
        undated=Entry(**told["undated"]),
        sessions={_date(day): Entry(**entry) for day, entry in told["sessions"].items()},
        blemished=told["blemished"],
        first=told["first"] and _date(told["first"]),
        last=told["last"] and _date(told["last"]),
        symbols=told["symbols"],
        names=tuple(told["names"]),
    )


def _date(text: str) -> dt.date:
    return dt.date.fromisoformat(text)
