"""Creating, listing, verifying and restoring backups.

A backup counts once its manifest is there, which is written last. One that was killed has none: its
objects are removed by a later one, a day on. Older backups go after the new one was read back.
"""

from __future__ import annotations

import datetime as dt
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import structlog

from batch_layer.backups import copies
from batch_layer.backups import manifest as manifests
from batch_layer.backups.dump import dump
from batch_layer.backups.inventory import Area, areas, hints, take
from batch_layer.backups.load import lines_of, load
from batch_layer.backups.manifest import Manifest, get
from lake import keys
from lake.errors import BackupError, FiblakeError, MisuseError, UnknownBackupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from database import Database
    from lake.clock import Clock
    from lake.store import ObjectStore

_log = structlog.get_logger(__name__)
KEPT: Final = 7
"""How many backups are kept, where nothing else is said."""
_ABANDONED: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Created:
    """What a backup holds, and which older ones it took the place of.

    Attributes:
        id: Its name.
        place: The store of backups.
        database: Where the database was.
        rows: Rows of the database.
        objects: Objects of the lake that it tells of.
        landing_copied: Whether what landed is copied as well.
        bytes: How large it is, less what landed.
        removed: Older backups that are gone.
        seconds: How long it took.
    """

    id: str
    place: str
    database: str
    rows: int
    objects: int
    landing_copied: bool
    bytes: int
    removed: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Told:
    """A backup, in short.

    Attributes:
        id: Its name.
        made: When it was begun.
        rows: Rows of the database.
        revision: The database's migration; None: it had no tables.
        objects: Objects of the lake that it tells of.
        bytes: How large it is.
        fault: Why it is none; empty: its manifest is whole.
    """

    id: str
    made: str
    rows: int = 0
    revision: str | None = None
    objects: int = 0
    bytes: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether a backup is whole, and what became of the lake since.

    Attributes:
        id: Its name.
        made: When it was begun.
        objects: How many of its objects were read back.
        rows: How many rows of the database.
        faults: What is damaged or missing; empty: it is whole.
        areas: The lake as it was, and what of it is missing or another by now.
        hints: Commands that bring back what the lake lacks.
    """

    id: str
    made: str
    objects: int
    rows: int
    faults: tuple[str, ...]
    areas: tuple[Area, ...]
    hints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored.

    Attributes:
        id: Of the backup.
        made: When that was begun: what was changed later is lost.
        database: Where to; None: it was left as it is.
        tables: Rows of each table.
        put_back: Objects that were put back into the lake.
        areas: The lake as it was, and what of it is missing or another.
        hints: Commands that bring back what the lake lacks.
    """

    id: str
    made: str
    database: str | None
    tables: dict[str, int]
    put_back: int
    areas: tuple[Area, ...]
    hints: tuple[str, ...]


def create(  # noqa: PLR0913 - what, whereto, and how
    lake: ObjectStore,
    database: Database,
    place: ObjectStore,
    *,
    clock: Clock,
    keep: int = KEPT,
    landing: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Created:
    """Make a backup, read it back, and remove those older than the last `keep`.

    Args:
        lake: The lake.
        database: The relational database.
        place: Where backups are kept.
        clock: Tells the present.
        keep: How many backups stay, this one among them; at least 1.
        landing: Whether what landed is copied as well.
        on_progress: Called with (done, of how many) as objects of landing are copied.

    Raises:
        MisuseError: If none is to be kept.
        BackupError: If what was written cannot be read back, or the database is empty and was not:
            no older one is removed then.
        DatabaseError: If the database does not answer.
        StoreError: If the lake cannot be read, or the place not be written.
    """
    if keep < 1:
        fact = f"{keep} backups cannot be kept. Allowed: 1 and above."
        raise MisuseError(fact)
    started = time.perf_counter()
    now = clock.now()
    id_ = manifests.new_id(now)
    of_database = dump(database, place, id_)
    of_lake, landed = take(lake, place, id_)
    if landing:
        copies.copy_landing(lake, place, landed, on_progress)
        of_lake = replace(of_lake, landing_copied=True)
    made = Manifest(id_, now.isoformat(), version("fiblake"), of_database, of_lake)
    manifests.publish(place, made)
    _refuse_faults(place, id_)
    _refuse_emptiness(place, made)
    removed = _prune(place, keep, now, id_)
    return _created(made, place, removed, time.perf_counter() - started)


def listed(place: ObjectStore) -> list[Told]:
    """Return all backups that have a manifest, the oldest first; damaged ones too.

    Raises:
        StoreError: If the place cannot be read.
    """
    return [_told_of(place, id_) for id_ in manifests.ids(place)]


def verify(place: ObjectStore, id_: str | None, lake: ObjectStore) -> Verified:
    """Read a backup back, the last one by default, and compare the lake with what it tells.

    All is read to its end, copies of what landed as well.

    Raises:
        MisuseError: If that is no id.
        UnknownBackupError: If there is no such backup, or none at all.
        BackupError: If its manifest is damaged.
        StoreError: If the place or the lake cannot be read.
    """
    whole = manifests.read(place, id_ or _last(place))
    faults = tuple(_faults(whole, place, is_landing_read=True))
    found: list[Area] = []
    try:
        found = areas(whole.lake, place, lake)
    except BackupError:
        _log.warning("the inventory cannot be compared with the lake", backup=whole.id)
    return Verified(
        id=whole.id,
        made=whole.made,
        objects=sum(1 for _ in whole.pieces),
        rows=_rows(whole),
        faults=faults,
        areas=tuple(found),
        hints=tuple(hints(found, whole.id if whole.lake.landing_copied else "")),
    )


def restore(  # noqa: PLR0913 - which, whereto, and how
    place: ObjectStore,
    id_: str,
    database: Database | None,
    lake: ObjectStore,
    *,
    force: bool = False,
    landing: bool = False,
) -> Restored:
    """Bring a backup's database back, in one transaction, and tell what of the lake is lost.

    Args:
        place: Where backups are kept.
        id_: Which one.
        database: Where to: it must hold no rows. None: what there is now stays as it is.
        lake: The lake.
        force: Whether what the database holds gives way.
        landing: Whether copies of what landed, and of the small objects that each backup has, are
            put back into the lake, where it lacks them.

    Raises:
        MisuseError: If that is no id, or what landed was not copied.
        UnknownBackupError: If there is no such backup.
        BackupError: If it is damaged or newer, or the database holds rows: nothing changed then.
        DatabaseError: If the database does not answer.
        StoreError: If the place or the lake cannot be read.
    """
    whole = manifests.read(place, id_)
    if landing and not whole.lake.landing_copied:
        fact = f"The backup {id_} has no copies of what landed."
        raise MisuseError(fact, hint="those made by fiblake backup create --landing have.")
    if database is not None:
        load(whole.database, place, database, replace=force)
    done = copies.put_back(whole.lake, place, lake) if landing else 0
    found = areas(whole.lake, place, lake)
    return Restored(
        id=id_,
        made=whole.made,
        database=database.place if database else None,
        tables={each.name: each.rows for each in whole.database.tables} if database else {},
        put_back=done,
        areas=tuple(found),
        hints=tuple(hints(found, whole.id if whole.lake.landing_copied else "")),
    )


def _created(
    made: Manifest, place: ObjectStore, removed: tuple[str, ...], seconds: float
) -> Created:
    return Created(
        id=made.id,
        place=place.location,
        database=made.database.place,
        rows=_rows(made),
        objects=made.lake.objects,
        landing_copied=made.lake.landing_copied,
        bytes=made.bytes,
        removed=removed,
        seconds=seconds,
    )


def _refuse_faults(place: ObjectStore, id_: str) -> None:
    # Copies of what landed are of all backups, and many: verify reads them.
    faults = list(_faults(manifests.read(place, id_), place, is_landing_read=False))
    if faults:
        fact = f"The backup {id_} cannot be read back: {faults[0]}"
        raise BackupError(fact, hint="check the place of backups; no older one was removed.")


def _refuse_emptiness(place: ObjectStore, made: Manifest) -> None:
    """Refuse a backup of no rows where earlier ones have some: of another database, it seems."""
    if _rows(made):
        return
    full = [each for each in listed(place) if each.rows]
    if full:
        fact = f"{made.database.place} holds no rows, and {full[-1].rows:,} are in {full[-1].id}."
        hint = "check FIBLAKE_DATABASE_URL and FIBLAKE_STATE; no older backup was removed."
        raise BackupError(fact, hint=hint)


def _faults(whole: Manifest, place: ObjectStore, *, is_landing_read: bool) -> Iterator[str]:
    """Yield what is wrong with a backup's objects, each read to its end."""
    for table in whole.database.tables:
        if table.rows != sum(piece.rows for piece in table.pieces):
            yield f"{table.name} has other rows than its parts."
    for piece in whole.pieces:
        try:
            if piece.of:
                get(place, piece)
            else:
                for _ in lines_of(place, piece):
                    pass
        except BackupError as error:
            yield error.fact
    if whole.lake.landing_copied:
        with suppress(BackupError):  # its inventory is damaged, which is told already
            yield from copies.faults(whole.lake, place, is_read=is_landing_read)


def _prune(place: ObjectStore, keep: int, now: dt.datetime, made: str) -> tuple[str, ...]:
    """Remove backups but the last ones, and what was left of those that were killed."""
    whole = manifests.ids(place)
    # Where a clock was ahead, others seem younger than the one that was just made.
    old = [each for each in whole[:-keep] if each != made]
    by_backup: dict[str, list[str]] = {}
    for key in place.fingerprints(""):
        by_backup.setdefault(key.partition("/")[0], []).append(key)
    for id_, found in by_backup.items():
        if id_ in old or (id_ not in whole and _is_abandoned(id_, now)):
            # The manifest first: what is left, if this is killed, is no backup.
            manifest = keys.backup_manifest(id_)
            for key in sorted(found, key=lambda each: each != manifest):
                place.delete(key)
    return tuple(old)


def _is_abandoned(id_: str, now: dt.datetime) -> bool:
    try:
        return now - manifests.begun(id_) > _ABANDONED
    except MisuseError:
        return False  # not ours


def _rows(whole: Manifest) -> int:
    return sum(table.rows for table in whole.database.tables)


def _last(place: ObjectStore) -> str:
    found = manifests.ids(place)
    if not found:
        fact = f"There is no backup in {place.location}."
        raise UnknownBackupError(fact, hint="fiblake backup create.")
    return found[-1]


def _told_of(place: ObjectStore, id_: str) -> Told:
    made = manifests.begun(id_).isoformat()
    try:
        whole = manifests.read(place, id_)
    except FiblakeError as error:
        return Told(id_, made, fault=error.fact)
    return Told(
        id_, whole.made, _rows(whole), whole.database.revision, whole.lake.objects, whole.bytes
    )
