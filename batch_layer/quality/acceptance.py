"""How much of what sources brought was accepted: counted as it came in, not claimed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from batch_layer.bronze import imports, ledger
from batch_layer.bronze.ledger import Entry
from batch_layer.quality.report import Counts, SessionCounts, Source
from lake.errors import MisuseError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from batch_layer.bronze.imports import File
    from lake.store import ObjectStore

KINDS: Final = ("daily", "minute")
FILE: Final = "file"


def sources_of(store: ObjectStore, start: dt.date, end: dt.date) -> list[Source]:
    """Return what each source brought of the sessions from `start` to `end`, both inclusive.

    A file with bars or rejected rows of some of them counts as a whole: of its sessions, the lake
    keeps just those with a rejected row.
    """
    vendors = [
        _vendor(source, kind, entries)
        for kind in KINDS
        for source, entries in _by_vendor(ledger.read(store, kind), start, end).items()
    ]
    by_name: dict[str, list[File]] = defaultdict(list)
    for file in imports.read(store):
        if _reaches_into(file, start, end):
            by_name[file.name].append(file)
    files = [_files(name, same, start, end) for name, same in by_name.items()]
    return [source for source in (*vendors, *files) if source.counts.rows]


def only(sources: Sequence[Source], name: str) -> list[Source]:
    """Return the sources of this name.

    Raises:
        MisuseError: If there is none.
    """
    found = [source for source in sources if source.source == name]
    if not found:
        known = ", ".join(sorted({source.source for source in sources})) or "none"
        fact = f"No source {name!r} brought anything of these sessions. Known: {known}."
        raise MisuseError(fact)
    return found


def summed(counts: Iterable[Counts]) -> Counts:
    """Return the counts of all together."""
    return _counts(Entry(each.rows, each.accepted, each.reasons) for each in counts)


def _by_vendor(
    told: Mapping[str, Mapping[dt.date, Entry]], start: dt.date, end: dt.date
) -> dict[str, dict[dt.date, list[Entry]]]:
    """Return the entries of each vendor: those of a symbol's bars, `massive.AAPL`, among its."""
    found: dict[str, dict[dt.date, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for name, entries in told.items():
        of_vendor = found[name.partition(".")[0]]
        for day, entry in entries.items():
            if start <= day <= end:
                of_vendor[day].append(entry)
    return found


def _vendor(source: str, kind: str, entries: Mapping[dt.date, Sequence[Entry]]) -> Source:
    every = [entry for same in entries.values() for entry in same]
    return Source(
        source=source,
        kind=kind,
        counts=_counts(every),
        undated=_counts(()),
        blemished=sum(
            any(entry.accepted < entry.rows for entry in same) for same in entries.values()
        ),
        sessions=_sessions(entries.items()),
    )


def _files(name: str, files: Sequence[File], start: dt.date, end: dt.date) -> Source:
    sessions: dict[dt.date, list[Entry]] = defaultdict(list)
    for file in files:
        for day, entry in file.sessions.items():
            if start <= day <= end:
                sessions[day].append(entry)
    return Source(
        source=name,
        kind=FILE,
        counts=_counts(file.total for file in files),
        undated=_counts(file.undated for file in files),
        # Those that were too many to be kept are of any time.
        blemished=len(sessions) + sum(file.blemished - len(file.sessions) for file in files),
        sessions=_sessions(sessions.items()),
    )


def _reaches_into(file: File, start: dt.date, end: dt.date) -> bool:
    bounds = [*file.sessions, *filter(None, (file.first, file.last))]
    # A file of which no date can be told is not passed over in silence.
    return not bounds or (min(bounds) <= end and max(bounds) >= start)


def _sessions(entries: Iterable[tuple[dt.date, Iterable[Entry]]]) -> list[SessionCounts]:
    return [SessionCounts(day, _counts(same)) for day, same in sorted(entries)]


def _counts(entries: Iterable[Entry]) -> Counts:
    rows = accepted = 0
    reasons: dict[str, int] = defaultdict(int)
    for entry in entries:
        rows += entry.rows
        accepted += entry.accepted
        for reason, count in entry.reasons.items():
            reasons[reason] += count
    return Counts(
        rows=rows,
        accepted=accepted,
        rejected=rows - accepted,
        percent=100 * accepted / rows if rows else None,
        reasons=dict(sorted(reasons.items(), key=lambda each: (-each[1], each[0]))),
    )
