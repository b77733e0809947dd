"""What the commands of backups report, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fiblake.output import table_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_layer.backups.backup import Created, Restored, Told, Verified
    from batch_layer.backups.inventory import Area
    from fiblake.backup import Listed

_KIB: Final = 1 << 10
_MIB: Final = 1 << 20


def of_created(made: Created) -> Iterator[str]:
    """Yield the lines of a new backup."""
    yield f"backup {made.id} in {made.place}"
    landing = ", and copies of what landed" if made.landing_copied else ""
    yield (
        f"{made.rows:,} rows of {made.database}, {made.objects:,} objects of the lake told{landing}"
    )
    yield f"{_size(made.bytes)}, read back ({made.seconds:.1f} s)"
    if made.removed:
        yield f"removed {', '.join(made.removed)}"


def of_listed(listed: Listed) -> Iterator[str]:
    """Yield a table of all backups."""
    if not listed.backups:
        yield f"there is no backup in {listed.place} yet: fiblake backup create"
        return
    header = ("backup", "made", "revision", "rows", "objects", "size", "state")
    yield table_of(header, [_row(each) for each in listed.backups], left=3)


def of_verified(found: Verified) -> Iterator[str]:
    """Yield whether a backup is whole, and the lake as it was."""
    if found.faults:
        yield f"backup {found.id} is damaged:"
        yield from (f"  {fault}" for fault in found.faults)
    else:
        yield f"backup {found.id} is whole: {found.objects:,} objects, {found.rows:,} rows"
    yield from _of_lake(found.areas, found.hints)


def of_restored(done: Restored) -> Iterator[str]:
    """Yield what was restored, and what of the lake is lost."""
    if done.database:
        rows = sum(done.tables.values())
        yield f"restored {rows:,} rows of {len(done.tables)} tables into {done.database}"
        yield f"as they were at {done.made}: what was changed later is lost"
        yield from (f"  {name}: {count:,}" for name, count in done.tables.items() if count)
    else:
        yield "the database is left as it is"
    if done.put_back:
        yield f"put {done.put_back:,} objects back into the lake"
    yield from _of_lake(done.areas, done.hints)


def _of_lake(areas: Sequence[Area], hints: Sequence[str]) -> Iterator[str]:
    if areas:
        header = ("the lake", "objects", "missing", "changed since", "")
        yield table_of(header, [_area(each) for each in areas])
    for each in areas:
        if each.is_harmed:
            yield f"lost of {each.name}: {', '.join(each.examples)} ..."
    if hints:
        yield "to bring it back:"
        yield from (f"  {hint}" for hint in hints)


def _area(area: Area) -> tuple[str, ...]:
    counts = (f"{area.objects:,}", f"{area.missing:,}", f"{area.changed:,}")
    return (area.name, *counts, "lost" if area.is_harmed else "as it should be")


def _row(told: Told) -> tuple[str, ...]:
    counts = (f"{told.rows:,}", f"{told.objects:,}", _size(told.bytes))
    return (told.id, told.made[:19], told.revision or "none", *counts, told.fault or "whole")


def _size(count: int) -> str:
    return f"{count / _MIB:,.1f} MiB" if count >= _MIB else f"{count / _KIB:,.1f} KiB"
