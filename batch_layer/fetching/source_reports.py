"""What came of each file: told to whoever imports it, its rejected rows kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import structlog

from batch_layer.fetching.sources import digest_of
from lake import keys

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch_layer.fetching.validation import Validated
    from lake.store import ObjectStore

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What came of one file.

    Attributes:
        rows: Rows it holds.
        rejected: Rows that break a rule.
        reasons: How many rows were rejected for each reason.
        rejects: The key under which they are kept; None where there are none.
        ignored_columns: Its columns that say nothing to us.
    """

    source: str
    rows: int
    rejected: int
    reasons: dict[str, int]
    rejects: str | None
    ignored_columns: tuple[str, ...]


def keep_rejects(
    store: ObjectStore, paths: Sequence[Path], judged: Validated
) -> tuple[SourceReport, ...]:
    """Keep the rejected rows of files in a lake, and return what came of each file.

    Raises:
        StoreError: If they cannot be written.
    """
    return tuple(_source_report(store, path, judged) for path in dict.fromkeys(paths))


def _source_report(store: ObjectStore, path: Path, judged: Validated) -> SourceReport:
    source = str(path)
    rejected = judged.rejected.filter(pl.col("source") == source).drop("source")
    key = None
    if not rejected.is_empty():
        key = keys.rejects(path.name, digest_of(path))
        store.put(key, rejected.write_csv().encode())
        _log.info("rows rejected", source=source, rows=rejected.height, kept=key)
    reasons = rejected["reason"].str.replace(r"^(malformed line).*", "$1").value_counts()
    return SourceReport(
        source=source,
        rows=judged.rows.get(source, 0),
        rejected=rejected.height,
        reasons=dict(sorted(reasons.iter_rows())),
        rejects=key,
        ignored_columns=judged.ignored[source],
    )
