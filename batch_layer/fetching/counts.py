"""What came of each source's rows, in numbers."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from batch_layer.bronze.imports import File
from batch_layer.bronze.ledger import Entry
from batch_layer.fetching.sources import digest_of
from batch_layer.fetching.validation import NARROW

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from batch_layer.fetching.validation import Validated

_Counts = dict[str | None, int]


def entries_of(judged: Validated) -> dict[str, Entry]:
    """Return, for each source that was judged, how many rows it had, and what came of them."""
    reasons: dict[str, dict[str, int]] = defaultdict(dict)
    for (source, _), counts in _by_session(judged).items():
        for reason, count in counts.items():
            if reason is not None:
                reasons[source][reason] = reasons[source].get(reason, 0) + count
    return {
        source: Entry(
            rows, rows - sum(reasons[source].values()), dict(sorted(reasons[source].items()))
        )
        for source, rows in judged.rows.items()
    }


def files_of(judged: Validated, paths: Sequence[Path]) -> list[File]:
    """Return what each file brought; of copies of one file, what the first did."""
    entries = entries_of(judged)
    spans = {row["source"]: row for row in judged.spans.to_dicts()}
    sessions: dict[str, dict[dt.date | None, Entry]] = defaultdict(dict)
    for (source, session), counts in _by_session(judged).items():
        sessions[source][session] = _entry(counts)
    files: dict[str, File] = {}
    for path in dict.fromkeys(paths):
        source = str(path)
        span = spans.get(source, {"symbols": 0, "names": [], "first": None, "last": None})
        told = sessions[source]
        undated = told.pop(None, Entry())
        file = File(
            name=path.name,
            digest=digest_of(path),
            total=entries[source],
            undated=undated,
            sessions={session: entry for session, entry in told.items() if session is not None},
            blemished=len(told),
            first=span["first"],
            last=span["last"],
            symbols=span["symbols"],
            names=span["names"] if span["symbols"] <= NARROW else (),
        )
        files.setdefault(file.key, file)
    return list(files.values())


def _by_session(judged: Validated) -> Mapping[tuple[str, dt.date | None], _Counts]:
    tally: dict[tuple[str, dt.date | None], _Counts] = defaultdict(dict)
    for source, session, reason, count in judged.tally.iter_rows():
        tally[source, session][reason] = count
    return tally


def _entry(counts: _Counts) -> Entry:
    reasons = {reason: count for reason, count in counts.items() if reason is not None}
    return Entry(sum(counts.values()), counts.get(None, 0), dict(sorted(reasons.items())))
