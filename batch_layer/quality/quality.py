"""The quality of a lake: how much of what came in was accepted, and what is odd in the bars."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

from batch_layer.quality.acceptance import only, sources_of, summed
from batch_layer.quality.findings import findings_of
from batch_layer.quality.report import PROMISE_PERCENT, QualityReport
from lake.errors import IMPORT_HINT, EmptyLakeError, InvalidRangeError

if TYPE_CHECKING:
    from lake.store import ObjectStore


def quality_of(
    store: ObjectStore,
    *,
    source: str | None = None,
    start: dt.date | None = None,
    end: dt.date | None = None,
) -> QualityReport:
    """Return how good the lake is.

    Args:
        store: The lake.
        source: Count this source alone, and look at no bars: they do not tell whence they came.
        start: The first session looked at; None: the first there is.
        end: The last one, inclusive; None: the last there is.

    Raises:
        MisuseError: If no such source brought anything, or `start` is after `end`.
        EmptyLakeError: If the lake holds no bars, and nothing was ever counted.
        StoreError: If the lake cannot be read.
    """
    started = time.perf_counter()
    first, last = start or dt.date.min, end or dt.date.max
    if first > last:
        fact = f"The start {first} is after the end {last}."
        raise InvalidRangeError(fact)
    sources = sources_of(store, first, last)
    if source is not None:
        sources = only(sources, source)
    findings = None if source is not None else findings_of(store, first, last)
    if not sources and findings is None:
        fact = f"The lake {store.location} holds nothing of these sessions."
        raise EmptyLakeError(fact, hint=IMPORT_HINT)
    counts = summed(each.counts for each in sources)
    return QualityReport(
        lake=store.location,
        promise_percent=PROMISE_PERCENT,
        is_kept=None if counts.percent is None else counts.percent > PROMISE_PERCENT,
        counts=counts,
        sources=sources,
        findings=findings,
        seconds=time.perf_counter() - started,
    )
