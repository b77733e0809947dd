"""A backup's manifest: what it is made of, each object with its digest. Written last.

What has no manifest is no backup: of one that was killed nothing counts. An id is the instant at
which it was begun, and what tells it from others of that second: ids are in order of time.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import secrets
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from lake import keys
from lake.errors import (
    BackupError,
    MisuseError,
    ObjectNotFoundError,
    UnknownBackupError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lake.store import ObjectStore

FORMAT: Final = 1
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_ID: Final = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class Piece:
    """One object of a backup.

    Attributes:
        key: In the store of backups.
        bytes: Its size.
        sha256: Of its bytes, in hexadecimal.
        rows: How many lines it holds; 0 where it holds none.
        of: The key in the lake that it is a copy of; empty where it is none.
    """

    key: str
    bytes: int
    sha256: str
    rows: int = 0
    of: str = ""


@dataclass(frozen=True, slots=True)
class TableDump:
    """A table of the database: its columns' kinds, in order, its rows, and where they are."""

    name: str
    kinds: Mapping[str, str]
    rows: int
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class DatabaseDump:
    """The database, of one moment.

    Attributes:
        place: Where it was, without a password.
        revision: Its migration; None where it had no tables.
        tables: All of its tables.
    """

    place: str
    revision: str | None
    tables: Sequence[TableDump]


@dataclass(frozen=True, slots=True)
class LakeDump:
    """The lake, told and not copied, but for a few objects.

    Attributes:
        location: Where it was.
        daily: The boundary of days, a date; empty: there was none.
        minute: The boundary of minutes, likewise.
        objects: How many objects it had.
        bytes: How large they were together.
        landing_copied: Whether the store of backups has copies of all that had landed.
        inventory: Lines of key, size and fingerprint, in order of keys.
        copies: Copies of what could not be made again of the rest.
    """

    location: str
    daily: str
    minute: str
    objects: int
    bytes: int
    landing_copied: bool
    inventory: Sequence[Piece]
    copies: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole backup.

    Attributes:
        id: What names it.
        made: When it was begun, ISO 8601, UTC.
        version: Of fiblake, that made it.
        database: What there was.
        lake: Likewise.
        format: Of this document.
    """

    id: str
    made: str
    version: str
    database: DatabaseDump
    lake: LakeDump
    format: int = FORMAT

    @property
    def pieces(self) -> Iterator[Piece]:
        """All of its objects but the manifest itself."""
        for table in self.database.tables:
            yield from table.pieces
        yield from self.lake.inventory
        yield from self.lake.copies

    @property
    def bytes(self) -> int:
        """How large they are together."""
        return sum(piece.bytes for piece in self.pieces)


def new_id(now: dt.datetime) -> str:
    """Return the id of a backup begun now."""
    return f"{now.astimezone(dt.UTC):{_STAMP}}-{secrets.token_hex(3)}"


def begun(id_: str) -> dt.datetime:
    """Return when a backup was begun, by its id; to the second.

    Raises:
        MisuseError: If it is no id.
    """
    match = _ID.fullmatch(id_)
    if match is None:
        fact = f"{id_!r} is not the id of a backup, as 20260105T210000Z-3f9a01."
        raise MisuseError(fact, hint="fiblake backup list.")
    return dt.datetime.strptime(match[1], _STAMP).replace(tzinfo=dt.UTC)


def put(place: ObjectStore, key: str, data: bytes, *, rows: int = 0, of: str = "") -> Piece:
    """Keep an object of a backup, and return what the manifest tells of it."""
    # Nobody else has its id. A condition would refuse what is asked again for want of an answer.
    place.put(key, data)
    return Piece(key, len(data), hashlib.sha256(data).hexdigest(), rows, of)


def get(place: ObjectStore, piece: Piece) -> bytes:
    """Return an object of a backup, if it is as it was made.

    Raises:
        BackupError: If it is missing or damaged.
    """
    try:
        data = place.get(piece.key).data
    except ObjectNotFoundError:
        fact = f"{piece.key} is missing in {place.location}."
        raise BackupError(fact) from None
    if len(data) != piece.bytes:
        fact = f"{piece.key} in {place.location} is damaged: {len(data)} bytes, not {piece.bytes}."
        raise BackupError(fact)
    if hashlib.sha256(data).hexdigest() != piece.sha256:
        fact = f"{piece.key} in {place.location} is damaged: its SHA-256 is another."
        raise BackupError(fact)
    return data


def publish(place: ObjectStore, manifest: Manifest) -> None:
    """Keep a manifest: from then on there is a backup."""
    document = asdict(manifest)
    document["sha256"] = _digest(document)
    data = json.dumps(document, indent=1).encode()
    place.put(keys.backup_manifest(manifest.id), data)


def read(place: ObjectStore, id_: str) -> Manifest:
    """Return the manifest of a backup.

    Raises:
        MisuseError: If that is no id.
        UnknownBackupError: If there is no whole backup of it.
        BackupError: If the manifest is damaged, or of a newer version.
    """
    begun(id_)
    key = keys.backup_manifest(id_)
    try:
        document = json.loads(place.get(key).data)
    except ObjectNotFoundError:
        fact = f"There is no backup {id_} in {place.location}, or none that is whole."
        raise UnknownBackupError(fact, hint="fiblake backup list.") from None
    except ValueError:
        raise _damaged(place, key, "it is not JSON") from None
    try:
        if document["format"] > FORMAT:
            fact = f"{key} in {place.location} is of format {document['format']}, not {FORMAT}."
            raise BackupError(fact, hint="use the newer version of fiblake that made it.")
        if document.pop("sha256") != _digest(document):
            raise _damaged(place, key, "it is not as it was written")
        return _manifest(document)
    except (KeyError, TypeError, AttributeError):
        raise _damaged(place, key, "it lacks what a manifest has") from None


def ids(place: ObjectStore) -> list[str]:
    """Return the ids of all whole backups, the oldest first."""
    found = map(keys.backup_of_manifest, place.fingerprints(""))
    return sorted(each for each in found if each and _ID.fullmatch(each))


def made_last(place: ObjectStore) -> dt.datetime | None:
    """Return when the newest whole backup was begun; None: there is none.

    Raises:
        StoreError: If the place of backups cannot be read.
    """
    found = ids(place)
    return begun(found[-1]) if found else None


def _digest(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _damaged(place: ObjectStore, key: str, why: str) -> BackupError:
    return BackupError(f"{key} in {place.location} is damaged: {why}.")


def _manifest(document: Mapping[str, Any]) -> Manifest:
    database, lake = document["database"], document["lake"]
    tables = [
        replace(TableDump(**each), pieces=_pieces(each["pieces"])) for each in database["tables"]
    ]
    return replace(
        Manifest(**document),
        database=replace(DatabaseDump(**database), tables=tables),
        lake=replace(
            LakeDump(**lake),
            inventory=_pieces(lake["inventory"]),
            copies=_pieces(lake["copies"]),
        ),
    )


def _pieces(told: Sequence[Mapping[str, Any]]) -> list[Piece]:
    return [Piece(**each) for each in told]
