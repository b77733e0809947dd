"""The manifest of minute bars: a digest of each session, by which silver knows what changed.

One document a year, of which an index keeps copies: however many sessions there are, planning asks
for two listings and one object. It is derived: what it does not tell of the object that is there is
made anew from it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from lake import keys
from lake.attempts import attempts
from lake.documents import Document, encode_document, read_document, read_documents
from lake.errors import ConflictError, DamagedObjectError, ObjectNotFoundError, StoreError
from lake.parquet import read_frame
from lake.schemas import MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from lake.store import ObjectStore

_FLOATS: Final = ("open", "high", "low", "close", "volume", "vwap")
_ATTEMPTS: Final = 6


@dataclass(frozen=True, slots=True)
class Told:
    """What the manifest tells of a session.

    Attributes:
        object: Fingerprint of the object it is of.
        digest: Of its bars, the same on every machine and whenever they were learnt.
        bars: How many there are.
    """

    object: str
    digest: str
    bars: int


def read(store: ObjectStore) -> dict[dt.date, Told]:
    """Return what there is of every session with minute bars, in order."""
    found = store.fingerprints(keys.MINUTE)
    if not found:
        return {}
    filed = read_documents(store, keys.MINUTE_MANIFESTS, keys.MINUTE_MANIFESTS_INDEX)
    told: dict[dt.date, Told] = {}
    for each in filed.values():
        told |= _sessions(each.document)
    return {
        session: told[session]
        if session in told and told[session].object == found[key]
        else _derive(store, session)
        for session, key in keys.by_session(found).items()
    }


def told_of(bars: pl.DataFrame, fingerprint: str) -> Told:
    """Return what there is to tell of a session's bars, schema `MINUTE`, in order."""
    return Told(fingerprint, digest(bars), bars.height)


def note(store: ObjectStore, session: dt.date, told: Told) -> None:
    """Keep what there is to tell of a session; in vain where others keep writing, as it may be."""
    key = keys.minute_manifest(session.year)
    for _ in attempts(_ATTEMPTS):
        try:
            document, fingerprint = _year(store, key)
            entries = {**_sessions(document), session: told}
            store.put_if(key, encode_document(_document(entries)), fingerprint)
        except ConflictError:
            continue
        except StoreError:  # a lake that may only be read can do without
            return
        return


def digest(bars: pl.DataFrame) -> str:
    """Return a digest of a session's bars, schema `MINUTE`, in order of symbol and start."""
    runs = bars.group_by("symbol", maintain_order=True).len()
    state = hashlib.blake2b("\n".join(runs["symbol"]).encode(), digest_size=16)
    state.update(runs["len"].cast(int).to_numpy().data)
    state.update(bars["start"].to_physical().to_numpy().data)
    for name in _FLOATS:
        state.update(bars[name].fill_null(float("nan")).to_numpy().data)
    state.update(bars["trades"].fill_null(-1).to_numpy().data)
    state.update(bars["revision"].to_numpy().data)
    return state.hexdigest()


def _year(store: ObjectStore, key: str) -> tuple[Document | None, str | None]:
    try:
        return read_document(store, key)
    except ObjectNotFoundError:
        return None, None
    except DamagedObjectError:
        return None, store.fingerprint(key)


def _sessions(document: Document | None) -> dict[dt.date, Told]:
    """Return what a document tells; nothing where it is damaged."""
    with suppress(AttributeError, KeyError, TypeError, ValueError):
        said = (document or {})["sessions"]
        return {dt.date.fromisoformat(day): Told(**each) for day, each in said.items()}
    return {}


def _document(told: Mapping[dt.date, Told]) -> Document:
    return {"sessions": {day.isoformat(): asdict(each) for day, each in sorted(told.items())}}


def _derive(store: ObjectStore, session: dt.date) -> Told:
    bars, fingerprint = read_frame(store, keys.minute(session), MINUTE)
    told = told_of(bars, fingerprint or "")
    note(store, session, told)
    return told
