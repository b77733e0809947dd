"""Reports of fetching as text."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from fiblake.output import table_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_layer.fetching.fetch_report import Failure, FetchReport
    from batch_layer.fetching.rebuild import RebuildReport
    from batch_layer.fetching.reference_rebuild import BronzeReport
    from batch_layer.fetching.reference_report import ReferenceReport

_NAMED: Final = 5


def of_sessions(report: FetchReport) -> Iterator[str]:
    """Yield the lines and the table of the report of a fetch by session."""
    span = f", {report.start} to {report.end}" if report.start else ""
    yield f"{report.kind} bars from {report.source}: {report.sessions:,} sessions{span}"
    counts = {
        "fetched": report.fetched,
        "from landing": report.from_landing,
        "already there": report.already_there,
        "not yet": len(report.not_yet),
        "failed": len(report.failed),
        "not asked": report.not_asked,
    }
    shown = {what: count for what, count in counts.items() if count or what != "not asked"}
    yield ""
    yield table_of(("sessions", *shown), [("", *(f"{count:,}" for count in shown.values()))])
    if report.failed:
        yield ""
        yield table_of(("failed", "why"), list(_failures(report.failed)), left=2)
    yield ""
    yield _of_bars(report)


def _of_bars(report: FetchReport) -> str:
    counts = {
        "added": report.added,
        "corrected": report.corrected,
        "withdrawn": report.withdrawn,
        "unchanged": report.unchanged,
        "rejected": report.rejected,
    }
    said = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    pace = f"{report.seconds:.2f} s, {report.rows / max(report.seconds, 1e-9):,.0f} rows/s"
    return f"brought {report.rows:,} rows: {said or 'nothing new'} ({pace})"


def _failures(failed: Sequence[Failure]) -> Iterator[tuple[str, str]]:
    """Yield neighbours that failed for the same reason as one line."""
    for why, group in groupby(failed, key=lambda failure: failure.why):
        sessions = [failure.session for failure in group]
        if len(sessions) == 1:
            yield str(sessions[0]), why
        else:
            yield f"{min(sessions)} to {max(sessions)} ({len(sessions):,})", why


def of_reference(report: ReferenceReport) -> Iterator[str]:
    """Yield the table of a fetch of reference data."""
    yield f"reference data from {report.source} ({report.seconds:.2f} s)"
    header = ("", "asked", "there", "pages", "rows", "rejected", "new or changed", "failed")
    rows = [
        (each.asked, each.there, each.pages, each.rows, each.rejected, each.changed)
        for each in report.parts
    ]
    yield ""
    yield table_of(
        header,
        [
            (part.what, *(f"{count:,}" for count in row), f"{len(part.failed):,}")
            for part, row in zip(report.parts, rows, strict=True)
        ],
    )
    failed = [
        (f"{part.what} {missed.unit}", missed.why)
        for part in report.parts
        for missed in part.failed
    ]
    if failed:
        yield ""
        yield table_of(("failed", "why"), failed, left=2)


def of_rebuild(report: BronzeReport) -> Iterator[str]:
    """Yield the lines of a rebuild's report."""
    yield from _of_rebuilt("daily", report)
    if report.unlanded:
        some = ", ".join(report.unlanded[:_NAMED]) + (", ..." if report.unlanded[_NAMED:] else "")
        yield (
            f"{len(report.unlanded):,} files were imported before files landed ({some}): "
            "import them again, once"
        )
    if report.minutes.answers:
        yield from _of_rebuilt("minute", report.minutes)
    made = report.reference
    if made.answers:
        yield (
            f"reference data of {made.answers:,} answers: {made.splits:,} splits, "
            f"{made.dividends:,} dividends, {made.listings:,} rows of listings, "
            f"{made.conditions:,} trade conditions, {made.changed:,} new or changed"
        )


def _of_rebuilt(kind: str, report: RebuildReport) -> Iterator[str]:
    counts = {
        "restored": report.restored,
        "changed": report.changed,
        "dropped": report.dropped,
        "as they should be": report.unchanged,
        "kept, which came another way too": report.kept,
    }
    said = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    told = f", and what {report.told:,} commands told" if report.told else ""
    yield f"read {report.answers:,} landed answers of {report.sessions:,} sessions{told}"
    yield f"{kind} bars: {said or 'nothing landed'} ({report.seconds:.2f} s)"
