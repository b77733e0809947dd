"""What users told the lake by commands, as they told it: imports, withdrawals, made-up markets.

Each is a record, and each file's bytes are kept once, under their digest: so bronze can be made
anew of all that the lake was ever told. A record lands before anything of it is in bronze.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, Literal

from batch_layer.landing.answer import Answer
from batch_layer.landing.objects import land, landed, read
from lake import keys
from lake.errors import ConflictError, DamagedObjectError, ObjectNotFoundError, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lake.store import ObjectStore

Action = Literal["import", "withdraw", "generate"]
SOURCE: Final = "files"
_KIND: Final = "told"
_FAST: Final = 1
"""A file may be large, and who imports it waits."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that was told: its name without its folder, and the SHA-256 of its content."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Told:
    """What the lake was told by one command.

    Attributes:
        at: When the lake learnt of it.
        action: What was to be done.
        settled: The last session whose bars were taken then; None: there are no bars.
        files: Of bars, in the order in which they were named.
        reading: How they were to be read, as JSON has it.
        rows: Of `splits`, `dividends` and `listings`, as JSON has them; none of what was not told.
        market: The arguments of a made-up market, by name.
    """

    at: dt.datetime
    action: Action
    settled: dt.date | None = None
    files: Sequence[File] = ()
    reading: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    market: Mapping[str, Any] = field(default_factory=dict)


def land_file(store: ObjectStore, path: Path, digest: str) -> File:
    """Keep a file's bytes, packed by gzip where it came as plain text.

    Args:
        store: The lake.
        path: The file.
        digest: The SHA-256 of what was read of it.

    Raises:
        SourceError: If it has become another since.
        StoreError: If it cannot be written.
        OSError: If the file cannot be read.
    """
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        fact = f"{path} was changed while it was read."
        raise SourceError(fact, hint="run the command again when it is whole.")
    if _is_text(path.name):
        data = gzip.compress(data, _FAST, mtime=0)
    key = _content(path.name, digest)
    try:
        there = store.get(key)
    except ObjectNotFoundError:
        there = None
    # What is there already is read: what a disk has made of it is mended by the same file.
    if there is None or there.data != data:
        with suppress(ConflictError):  # another import put the same there
            store.put_if(key, data, there.fingerprint if there else None)
    return File(path.name, digest)


def restore_file(store: ObjectStore, file: File, folder: Path) -> Path:
    """Write a file as it was told into a folder; return its path.

    Raises:
        DamagedObjectError: If its bytes are not there, or are not those that were told.
    """
    key = _content(file.name, file.digest)
    try:
        data = store.get(key).data
        if _is_text(file.name):
            data = gzip.decompress(data)
    except ObjectNotFoundError:
        raise _lost(store, key, file, "is not there") from None
    except (OSError, EOFError, zlib.error) as error:
        raise _lost(store, key, file, f"is damaged: {error}") from error
    if hashlib.sha256(data).hexdigest() != file.digest:
        raise _lost(store, key, file, "is damaged: its SHA-256 is another")
    path = folder / PurePath(file.name).name
    path.write_bytes(data)
    return path


def _lost(store: ObjectStore, key: str, file: File, how: str) -> DamagedObjectError:
    fact = f"{key} in {store.location} {how}."
    hint = f"import or withdraw {file.name} again, or fiblake backup restore ID --landing."
    return DamagedObjectError(fact, hint=hint)


def contents(store: ObjectStore) -> set[str]:
    """Return the SHA-256 of each file that landed.

    Raises:
        StoreError: If the lake cannot be listed.
    """
    found = store.fingerprints(keys.landing(SOURCE, "contents"))
    return {PurePath(key).name.partition(".")[0] for key in found}


def land_told(store: ObjectStore, told: Told) -> str:
    """Keep a record of what the lake is told; return its key.

    Raises:
        StoreError: If it cannot be written.
    """
    said = " ".join(["fiblake", told.action, *(file.name for file in told.files)])
    body = json.dumps(_document(told), indent=1).encode()
    return land(store, SOURCE, _KIND, str(told.at.date()), [Answer(said, told.at, body)])


def all_told(store: ObjectStore) -> list[Told]:
    """Return all that the lake was told by commands, in the order in which it was.

    Raises:
        DamagedObjectError: If a record cannot be read.
    """
    found = []
    for keys_of_day in landed(store, SOURCE, _KIND).values():
        for key in keys_of_day:
            (answer,) = read(store, key)
            found.append((answer.fetched_at, key, _told(store, key, answer)))
    return [each for _, _, each in sorted(found, key=lambda one: one[:2])]


def _document(told: Told) -> dict[str, Any]:
    document = {
        "action": told.action,
        "settled": told.settled and told.settled.isoformat(),
        "files": [asdict(file) for file in told.files],
        "reading": told.reading,
        "rows": told.rows,
        "market": told.market,
    }
    return {name: value for name, value in document.items() if value}


def _told(store: ObjectStore, key: str, answer: Answer) -> Told:
    try:
        document = json.loads(answer.body)
        settled = document.pop("settled", None)
        return Told(
            at=answer.fetched_at,
            settled=settled and dt.date.fromisoformat(settled),
            files=[File(**file) for file in document.pop("files", ())],
            **document,
        )
    except (ValueError, TypeError, AttributeError) as error:
        fact = f"{key} in {store.location} is damaged: {error}."
        raise DamagedObjectError(fact, hint="restore it from a copy.") from error


def _content(name: str, digest: str) -> str:
    return keys.landed_content(SOURCE, digest, "".join(_endings(name)))


def _endings(name: str) -> list[str]:
    lower = name.lower()
    if lower.endswith(".parquet"):
        return [".parquet"]
    plain = PurePath(lower.removesuffix(".gz")).suffix
    return [plain, ".gz"]


def _is_text(name: str) -> bool:
    """Return whether a file came unpacked, and is packed here."""
    return not name.lower().endswith((".gz", ".parquet"))
