"""Reports as text: what commands did and found, in lines and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fiblake.output import table_of
from lake.instant import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_layer.bronze.compaction import CompactReport
    from batch_layer.fetching.importing import ImportReport
    from batch_layer.fetching.source_reports import SourceReport
    from batch_layer.generating.generate import GenerateReport
    from batch_layer.jobs.state import Failure, JobState
    from batch_layer.jobs.submission import Submitted
    from batch_layer.processing.resample import ResampleReport
    from batch_layer.processing.status import Status
    from batch_layer.trades.partial import Partial

_GAPS_SHOWN: Final = 5


def of_import(report: ImportReport) -> Iterator[str]:
    """Yield the lines of an import's report."""
    for source in report.sources:
        yield from _of_source(source)
    if report.splits_changed:
        yield f"splits: {report.splits_changed:,} new or changed"
    if report.dividends_changed:
        yield f"dividends: {report.dividends_changed:,} new or changed"
    if report.listings_changed:
        yield f"listings: {report.listings_changed:,} new or changed"
    if not report.sources:
        if not (report.splits_changed or report.dividends_changed or report.listings_changed):
            yield "imported: nothing new"
        return
    counts = {
        "added": report.added,
        "corrected": report.corrected,
        "withdrawn": report.withdrawn,
        "unchanged": report.unchanged,
        "rejected": report.rejected,
    }
    said = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    did = "withdrew" if report.withdrawn else "imported"
    yield f"{did} {report.rows:,} rows: {said} {_pace(report.rows, report.seconds)}"


def _of_source(source: SourceReport) -> Iterator[str]:
    if source.ignored_columns:
        yield f"{source.source}: ignored {', '.join(source.ignored_columns)}"
    for reason, count in source.reasons.items():
        yield f"{source.source}: {count:,} rejected: {reason}"
    if source.rejects:
        yield f"{source.source}: rejected rows are kept in {source.rejects}"


def of_generate(report: GenerateReport) -> Iterator[str]:
    """Yield the lines of a generation's report."""
    did = "generated" if report.added else "nothing to do: the lake holds these"
    yield (
        f"{did} {report.bars:,} bars of {report.symbols:,} symbols, {report.first} to "
        f"{report.last}, {report.splits:,} splits, {report.dividends:,} dividends "
        f"{_pace(report.bars, report.seconds)}"
    )


def of_resample(report: ResampleReport) -> Iterator[str]:
    """Yield the lines of a resampling's report."""
    if report.partitions or report.intraday is None:
        yield from _of_resample(report, "session bars")
    if report.intraday is not None:
        yield from _of_resample(report.intraday, "minute bars")


def _of_resample(report: ResampleReport, what: str) -> Iterator[str]:
    which = " of minute bars" if what == "minute bars" else ""
    if not report.rebuilt:
        yield (
            f"resampled: nothing to do, {report.partitions:,} partitions{which} are up to date"
            f"{_through(report)} ({report.seconds:.2f} s)"
        )
        return
    yield (
        f"resampled {report.rows:,} {what} into {report.bars:,} bars, "
        f"{len(report.rebuilt):,} of {report.partitions:,} partitions"
        f"{_through(report)} {_pace(report.rows, report.seconds)}"
    )
    if report.conflicts:
        yield f"another run was first {report.conflicts:,} times; its partitions were kept"


def of_compact(report: CompactReport) -> Iterator[str]:
    """Yield the lines of a compaction's report."""
    yield f"history: {report.dropped:,} rows dropped, {report.kept:,} kept"
    if report.horizon is None:
        yield "known_at reaches back to the first import: FIBLAKE_HISTORY_DAYS is not set"
    else:
        yield f"known_at reaches back to {written(report.horizon)}"


def of_status(status: Status) -> Iterator[str]:
    """Yield the lines and tables of a lake's status."""
    bronze = status.bronze
    yield (
        f"lake {status.lake}: boundary {status.boundary or 'none'}, "
        f"bronze {status.committed or 'none'}"
    )
    if status.minute:
        yield f"minutes: boundary {status.minute.boundary or 'none'}, bronze {status.minute.last}"
    header = (
        *("bronze", "symbols", "bars", "sessions", "first", "last", "missing bars"),
        *("splits", "dividends"),
    )
    daily = (
        "daily",
        f"{bronze.symbols:,}",
        f"{bronze.bars:,}",
        f"{bronze.sessions:,}",
        str(bronze.first or ""),
        str(bronze.last or ""),
        f"{bronze.missing_bars:,}",
        f"{bronze.splits:,}",
        f"{bronze.dividends:,}",
    )
    yield ""
    yield table_of(header, [daily, *_of_minutes(status)])
    if bronze.missing_sessions:
        yield f"{bronze.missing_sessions:,} sessions between first and last have no bar at all"
    for partial in status.partial:
        yield from of_partial(partial)
    rows = [
        (
            silver.interval,
            f"{silver.bars:,}",
            str(silver.last_start or ""),
            f"{silver.partitions:,}",
            f"{silver.stale:,}",
        )
        for silver in status.silver
    ]
    yield ""
    yield table_of(("silver", "bars", "last bucket", "partitions", "stale"), rows)
    if any(silver.stale for silver in status.silver):
        yield "stale partitions: fiblake resample rebuilds them"


def of_partial(partial: Partial) -> Iterator[str]:
    """Yield the lines on a session that was recorded only in part."""
    yield (
        f"{partial.session} is recorded in part: "
        f"{partial.withheld:,} daily bars are withheld, minutes are as far as they go"
    )
    for gap in partial.gaps[:_GAPS_SHOWN]:
        whose = f"{len(gap['symbols']):,} symbols" if gap["symbols"] else "all symbols"
        of = "symbols never seen" if gap["why"] == "unseen" else whose
        yield f"  {gap['since']} to {gap['until']}, {of}: {gap['why']}, {gap['told']}"
    if len(partial.gaps) > _GAPS_SHOWN:
        yield f"  and {len(partial.gaps) - _GAPS_SHOWN:,} more: fiblake status --json has all"


def _of_minutes(status: Status) -> Iterator[tuple[str, ...]]:
    minute = status.minute
    if minute:
        counts = (f"{minute.bars:,}", f"{minute.sessions:,}", str(minute.first), str(minute.last))
        yield ("minute", "", *counts, "", "", "")


def of_submission(submitted: Submitted) -> Iterator[str]:
    """Yield the lines of a job's submission."""
    yield f"submitted {submitted.job} to {submitted.queue}, partitions: {submitted.partitions:,}"
    yield f"look at it: fiblake batch status {submitted.job}"


def of_job(state: JobState) -> Iterator[str]:
    """Yield the lines and the table of a job's state."""
    why = f" ({state.reason})" if state.reason else ""
    yield f"job {state.job}: {state.name}, {state.status}{why}"
    yield ""
    yield table_of(("children", *state.children), [("", *map(str, state.children.values()))])
    for failure in state.failures:
        yield from _of_failure(failure)
    unnamed = state.children["FAILED"] - len(state.failures)
    if unnamed > 0:
        yield f"{unnamed:,} more failed"


def counts_of(state: JobState) -> str:
    """Return in how many children a job is in which state, those of none left out."""
    counts = [f"{count:,} {status}" for status, count in state.children.items() if count]
    return f"job {state.job}: {', '.join(counts)}"


def _of_failure(failure: Failure) -> Iterator[str]:
    code = "" if failure.exit_code is None else f", exit code {failure.exit_code}"
    why = f": {failure.reason}" if failure.reason else ""
    yield ""
    yield f"{failure.job} failed{code}, attempts {failure.attempts}{why}"
    if failure.log_error:
        yield f"  no log: {failure.log_error}"
    yield from (f"  {line}" for line in failure.log)


def _through(report: ResampleReport) -> str:
    return f" through {report.boundary}" if report.boundary else ", no boundary yet"


def _pace(rows: int, seconds: float) -> str:
    return f"({seconds:.2f} s, {rows / max(seconds, 1e-9):,.0f} rows/s)"
