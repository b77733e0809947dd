"""Which partitions of intraday silver are stale.

A partition is the bars of one interval of one session, by symbol as bronze is: no bar is of two
sessions, so what symbols name is asked when bars are read, and never makes silver stale. It is a
pure function of the digest of the session's minutes, its hours and the resampler itself. A session
has one checkpoint for all its intervals: a fifth of the objects, which are many.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields
from functools import cache
from inspect import getsource
from typing import TYPE_CHECKING

from batch_layer.bronze import minute_manifest
from batch_layer.processing import dailies, shape
from batch_layer.processing.intraday import fold, minutes
from batch_layer.processing.listing import silver_objects
from lake import hours, keys, parquet
from lake.boundary import Boundary, boundary_to_move
from lake.documents import read_documents
from lake.errors import MINUTES_HINT, EmptyLakeError
from lake.exchange import load_sessions
from lake.instant import written
from lake.interval import INTRADAY
from lake.scan import sql
from lake.schemas import INTRADAY as SCHEMA

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from batch_layer.bronze.minute_manifest import Told
    from lake.documents import Document, Filed
    from lake.hours import SessionHours
    from lake.interval import Interval
    from lake.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a partition is built from.

    Attributes:
        resampler: Fingerprint of the code that builds it.
        bars: Digest of the session's minute bars.
        hours: When regular hours begin and end.
    """

    resampler: str
    bars: str
    hours: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a partition was last built from, and what came of it: its object, and its bars."""

    inputs: Inputs
    object: str
    bars: int


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition as it should be, and as it is.

    Attributes:
        checkpoint: What it was last built from; None where it never was.
        object_fingerprint: Of the partition's object; None where there is none.
    """

    interval: Interval
    session: dt.date
    inputs: Inputs
    checkpoint: Checkpoint | None
    object_fingerprint: str | None

    @property
    def year(self) -> int:
        """The year of its session."""
        return self.session.year

    @property
    def key(self) -> str:
        """Of its object."""
        return keys.intraday(self.interval, self.session)

    @property
    def stale(self) -> str | None:
        """Why it must be rebuilt; None where it need not."""
        if self.checkpoint is None:
            return "never built"
        if self.object_fingerprint is None:
            return "object lost"
        if self.checkpoint.object != self.object_fingerprint:
            return "object is not the one built"
        before = self.checkpoint.inputs
        names = [each.name for each in fields(Inputs)]
        changed = [name for name in names if getattr(before, name) != getattr(self.inputs, name)]
        return f"{' and '.join(changed)} changed" if changed else None


@dataclass(frozen=True, slots=True)
class Plan:
    """The minutes of the lake at one moment, as the resampler sees them.

    Attributes:
        held: What bronze holds, by session.
        hours: Of each of those.
        boundary: As published.
        partitions: Every partition there should be.
        checkpoints: All checkpoints as they were found, by key.
    """

    held: Mapping[dt.date, Told]
    hours: Mapping[dt.date, SessionHours]
    boundary: Boundary
    partitions: tuple[Partition, ...]
    checkpoints: Mapping[str, Filed]

    @property
    def committed(self) -> dt.date:
        """The last session that bronze has committed."""
        return max(self.held)


def make_plan(store: ObjectStore) -> Plan:
    """Return what intraday silver should be, and how it is.

    Raises:
        EmptyLakeError: If bronze holds no minutes.
        StoreError: If the lake cannot be read.
    """
    # What is built is read after the digests, and may be newer, never older: at worst a partition
    # is built once more.
    held = minute_manifest.read(store)
    if not held:
        fact = f"The lake {store.location} holds no minute bars."
        raise EmptyLakeError(fact, hint=MINUTES_HINT)
    boundary = boundary_to_move(store)
    objects = silver_objects(store, INTRADAY)
    checkpoints = read_documents(store, keys.INTRADAY_CHECKPOINTS, keys.INTRADAY_CHECKPOINTS_INDEX)
    sessions = load_sessions(store)
    of_session = {session: hours.hours_of(session, sessions) for session in held}
    partitions = [
        each
        for session, told in held.items()
        for each in _partitions(told, of_session[session], objects, checkpoints)
    ]
    return Plan(held, of_session, boundary, tuple(partitions), checkpoints)


def _partitions(
    told: Told,
    of_session: SessionHours,
    objects: Mapping[str, str],
    checkpoints: Mapping[str, Filed],
) -> Iterable[Partition]:
    session = of_session.session
    filed = checkpoints.get(keys.intraday_checkpoint(session))
    known = read_checkpoints(filed.document if filed else None)
    inputs = Inputs(
        resampler=resampler_version(),
        bars=told.digest,
        hours=f"{written(of_session.open)} to {written(of_session.close)}",
    )
    for interval in INTRADAY:
        key = keys.intraday(interval, session)
        yield Partition(interval, session, inputs, known.get(str(interval)), objects.get(key))


def read_checkpoints(document: Document | None) -> dict[str, Checkpoint]:
    """Return a session's checkpoints by interval; none where damaged, or of another version."""
    try:
        return {
            interval: Checkpoint(**{**said, "inputs": Inputs(**said["inputs"])})
            for interval, said in (document or {}).items()
        }
    except (KeyError, TypeError):
        return {}


def write_checkpoints(checkpoints: Mapping[str, Checkpoint]) -> Document:
    """Return a session's checkpoints as a document."""
    return {interval: asdict(each) for interval, each in checkpoints.items()}


@cache
def resampler_version() -> str:
    """Return a fingerprint of the code that makes partitions of minutes, and of their format."""
    code = [getsource(module) for module in (dailies, fold, hours, minutes, parquet, shape)]
    text = "\n".join([sql(fold.PACKAGE, "fold"), *code, str(SCHEMA)])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
