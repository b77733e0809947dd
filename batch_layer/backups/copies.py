"""Copies of what landed, beside the backups, and those put back into a lake.

What landed never changes, so a copy is made once and kept under the same key for all backups. Two
that differ are never both whole: a whole copy does not give way to what a disk has made of the
lake's.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from batch_layer.backups.inventory import told
from batch_layer.backups.manifest import get
from lake import keys
from lake.errors import BackupError, ConflictError, ObjectNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from batch_layer.backups.manifest import LakeDump
    from lake.store import ObjectStore

_CHUNK: Final = 1 << 20


def copy_landing(
    lake: ObjectStore,
    place: ObjectStore,
    sizes: Mapping[str, int],
    on_progress: Callable[[int, int], None],
) -> None:
    """Copy what landed to the same keys of the place of backups, what is not there yet.

    Args:
        lake: The lake.
        place: The store of backups.
        sizes: Of all that landed, by key.
        on_progress: Called with (done, of how many) as objects are copied.

    Raises:
        StoreError: If the lake cannot be read, or the place not be written.
    """
    there = place.sizes(keys.LANDING)
    due = [key for key in sizes if there.get(key) != sizes[key]]
    for done, key in enumerate(due, start=1):
        _copy(lake, place, key, is_there=key in there)
        on_progress(done, len(due))


def put_back(dump: LakeDump, place: ObjectStore, lake: ObjectStore) -> int:
    """Put copies back where the lake lacks them, or has what landed in another size.

    Returns:
        How many objects were put back.

    Raises:
        BackupError: If the inventory or a copy is damaged, or a copy is missing.
        StoreError: If the lake cannot be written.
    """
    there = lake.sizes(keys.LANDING)
    done = 0
    for key, size, _ in told(dump, place):
        if key.startswith(keys.LANDING) and there.get(key) != size:
            lake.put(key, _whole(place, key, size))
            done += 1
    for piece in dump.copies:
        if lake.fingerprint(piece.of) is None:
            lake.put_if(piece.of, get(place, piece), None)
            done += 1
    return done


def faults(dump: LakeDump, place: ObjectStore, *, is_read: bool) -> Iterator[str]:
    """Yield what is wrong with the copies of what had landed by a backup.

    Args:
        dump: What the backup tells.
        place: The store of backups.
        is_read: Whether each is read to its end; else its size is looked at.

    Raises:
        BackupError: If the inventory is damaged.
    """
    there = place.sizes(keys.LANDING)
    for key, size, _ in told(dump, place):
        if not key.startswith(keys.LANDING):
            continue
        if there.get(key) != size:
            yield f"The copy of {key} in {place.location} is missing or of another size."
        elif is_read:
            try:
                _whole(place, key, size)
            except BackupError as error:
                yield error.fact


def is_whole(key: str, data: bytes) -> bool:
    """Return whether an object of landing is as it was written, by what it tells of itself.

    Of gzip that is its checksum; another file of a user's has its SHA-256 in its key.
    """
    if key.endswith(".gz"):
        try:
            with gzip.open(io.BytesIO(data)) as plain:
                while plain.read(_CHUNK):
                    pass
        except (OSError, EOFError, zlib.error):
            return False
        return True
    return hashlib.sha256(data).hexdigest() == PurePosixPath(key).stem


def _whole(place: ObjectStore, key: str, size: int) -> bytes:
    try:
        data = place.get(key).data
    except ObjectNotFoundError:
        fact = f"The copy of {key} in {place.location} is missing."
        raise BackupError(fact) from None
    if len(data) != size or not is_whole(key, data):
        fact = f"The copy of {key} in {place.location} is damaged."
        raise BackupError(fact)
    return data


def _copy(lake: ObjectStore, place: ObjectStore, key: str, *, is_there: bool) -> None:
    if is_there:
        if not is_whole(key, place.get(key).data):
            place.put(key, lake.get(key).data)
        return
    try:
        place.put_if(key, lake.get(key).data, None)
    except ConflictError:
        return  # another backup copied it
