"""What a lake has, object by object; and what of it is missing, or is another, some time later.

Silver and bronze are made of `landing/`, whose objects never change: so the inventory tells what
was lost, which commands bring it back, and the few small objects that none would are copied.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_layer.backups.load import lines_of
from batch_layer.backups.manifest import LakeDump, Piece, put
from lake import keys
from lake.boundary import boundary_to_move
from lake.errors import ObjectNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lake.store import ObjectStore

_PART: Final = 50_000
"""Objects that are told in one object of the inventory."""
_LEVEL: Final = 6
_COPIED: Final = (
    keys.GENERATION,
    keys.HISTORY_HORIZON,
    keys.IMPORTS,
    keys.SPLITS,
    keys.SPLITS_HISTORY,
    keys.DIVIDENDS,
    keys.DIVIDENDS_HISTORY,
    keys.LISTINGS,
    keys.LISTINGS_HISTORY,
    keys.CONDITIONS,
)
"""What each backup has a copy of: small, and of use where landing is lost as well."""
_NAMED: Final = 5
_DERIVED: Final = ("silver", "bronze", "meta")


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the lake, and what became of it since the backup.

    Attributes:
        name: As `silver`, `bronze`, `landing/massive/daily`.
        objects: How many the backup tells of.
        missing: How many of them are not there.
        changed: How many are others by now: usual in all but landing.
        examples: Some of those that are missing or, in landing, changed.
    """

    name: str
    objects: int
    missing: int
    changed: int
    examples: tuple[str, ...]

    @property
    def is_landing(self) -> bool:
        """Whether it is what came from outside, and cannot be made again here."""
        return self.name.startswith(keys.LANDING)

    @property
    def is_harmed(self) -> bool:
        """Whether something of it is lost."""
        return bool(self.missing or (self.is_landing and self.changed))


def take(lake: ObjectStore, place: ObjectStore, id_: str) -> tuple[LakeDump, dict[str, int]]:
    """Write what a lake has into a backup; return what that is, and the sizes of what landed.

    Raises:
        StoreError: If the lake cannot be read, or the backup not be written.
    """
    found, sizes = _listed(lake, place)
    boundary = boundary_to_move(lake)
    dump = LakeDump(
        location=lake.location,
        daily=str(boundary.daily or ""),
        minute=str(boundary.minute or ""),
        objects=len(found),
        bytes=sum(sizes[key] for key in found),
        landing_copied=False,
        inventory=list(_told(place, id_, found, sizes)),
        copies=list(_copies(lake, place, id_)),
    )
    return dump, {key: sizes[key] for key in found if _is_landing(key)}


def areas(dump: LakeDump, place: ObjectStore, lake: ObjectStore) -> list[Area]:
    """Return what became of a lake since a backup, by area.

    Raises:
        BackupError: If the inventory is damaged.
        StoreError: If the lake cannot be read.
    """
    found, sizes = _listed(lake, place)
    count: defaultdict[str, int] = defaultdict(int)
    missing: defaultdict[str, list[str]] = defaultdict(list)
    changed: defaultdict[str, list[str]] = defaultdict(list)
    for key, size, fingerprint in told(dump, place):
        name = area_of(key)
        count[name] += 1
        if key not in found:
            missing[name].append(key)
        elif sizes[key] != size or (found[key] != fingerprint and not _is_landing(key)):
            changed[name].append(key)
    return [
        Area(
            name,
            count[name],
            len(missing[name]),
            len(changed[name]),
            tuple([*missing[name], *(changed[name] if _is_landing(name) else [])][:_NAMED]),
        )
        for name in sorted(count)
    ]


def told(dump: LakeDump, place: ObjectStore) -> Iterator[tuple[str, int, str]]:
    """Yield key, size and fingerprint of all that a lake had.

    Raises:
        BackupError: If the inventory is damaged.
    """
    for piece in dump.inventory:
        yield from ((key, size, mark) for key, size, mark in lines_of(place, piece))


def area_of(key: str) -> str:
    """Return the area of a key: its first part, and in landing source and kind."""
    parts = key.split("/")[:-1]
    return "/".join(parts[: 3 if _is_landing(key) else 1]) or key


def _listed(lake: ObjectStore, place: ObjectStore) -> tuple[dict[str, str], dict[str, int]]:
    """Return fingerprints and sizes of all that a lake has, less backups that are kept in it."""
    within = f"{place.location}/".removeprefix(f"{lake.location}/")
    found, sizes = lake.fingerprints(""), lake.sizes("")
    is_within = within != f"{place.location}/"
    kept = {
        key: fingerprint
        for key, fingerprint in sorted(found.items())
        if key in sizes and not (is_within and key.startswith(within))
    }
    return kept, sizes


def _told(
    place: ObjectStore, id_: str, found: dict[str, str], sizes: dict[str, int]
) -> Iterator[Piece]:
    every = list(found)
    for number, at in enumerate(range(0, len(every), _PART)):
        some = every[at : at + _PART]
        lines = "".join(f"{json.dumps([key, sizes[key], found[key]])}\n" for key in some)
        data = gzip.compress(lines.encode(), _LEVEL, mtime=0)
        yield put(place, keys.backup_inventory(id_, number), data, rows=len(some))


def _copies(lake: ObjectStore, place: ObjectStore, id_: str) -> Iterator[Piece]:
    for key in _COPIED:
        try:
            data = lake.get(key).data
        except ObjectNotFoundError:
            continue
        yield put(place, keys.backup_copy(id_, key), data, of=key)


def _is_landing(key: str) -> bool:
    return key.startswith(keys.LANDING)


def hints(found: Sequence[Area], copied: str = "") -> list[str]:
    """Return the commands that bring back what is lost, in the order in which to run them.

    Args:
        found: What became of the lake.
        copied: The backup, where it has copies of what landed.
    """
    lost = [each for each in found if each.is_harmed]
    said = [_hint(each.name) for each in lost if each.is_landing]
    if said and copied:
        # A vendor tells bars as they are now, not as they were known.
        said = [f"fiblake backup restore {copied} --landing --keep-database"]
    names = {each.name for each in lost}
    if names & {"bronze", "meta"} or said:
        said.append("fiblake rebuild bronze")
    if names & set(_DERIVED) or said:
        said.append("fiblake resample")
    return list(dict.fromkeys(said))


def _hint(name: str) -> str:
    source, kind = name.split("/")[1:3]
    if kind in {"live", "coverage", "late"} or source == "files":
        return f"{name}: from versions of the bucket, or fiblake backup restore ID --landing"
    if kind == "daily":
        return f"fiblake fetch daily --source {source} --again"
    if kind == "minute":
        return "fiblake fetch minutes --again"
    return "fiblake fetch reference --again"
