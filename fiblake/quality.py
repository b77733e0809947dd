"""The quality report as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from fiblake.output import table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from batch_layer.quality.report import (
        Counts,
        Findings,
        Found,
        QualityReport,
        SessionCounts,
        Source,
    )

_SHOWN: Final = 10
Finding = TypeVar("Finding")


def of_quality(report: QualityReport) -> Iterator[str]:
    """Yield the lines and tables of a lake's quality: of each finding its count, and the first."""
    yield from _of_acceptance(report)
    for source in report.sources:
        yield from _of_sessions(source)
    if report.findings is not None:
        yield from _of_findings(report.findings)
    yield ""
    yield f"looked at in {report.seconds:.2f} s"


def _of_acceptance(report: QualityReport) -> Iterator[str]:
    yield f"lake {report.lake}"
    if report.is_kept is None:
        yield "no rows were counted as they came in"
        return
    promise = f"the promise of more than {report.promise_percent} %"
    yield (
        f"accepted {report.counts.accepted:,} of {report.counts.rows:,} rows, "
        f"{_percent(report.counts)}: {promise} is {'kept' if report.is_kept else 'broken'}"
    )
    rows = [
        (
            source.source,
            source.kind,
            f"{source.counts.rows:,}",
            f"{source.counts.rejected:,}",
            _percent(source.counts),
            f"{source.blemished:,}",
        )
        for source in report.sources[:_SHOWN]
    ]
    yield ""
    yield table_of(
        ("source", "kind", "rows", "rejected", "accepted", "sessions below"), rows, left=2
    )
    yield from _rest(len(report.sources))
    if report.counts.reasons:
        reasons = [(reason, f"{count:,}") for reason, count in report.counts.reasons.items()]
        yield ""
        yield table_of(("rejected because", "rows"), reasons)


def _of_sessions(source: Source) -> Iterator[str]:
    below = [each for each in source.sessions if each.counts.rejected]
    if not below:
        return
    worst = sorted(below, key=lambda each: (-each.counts.rejected, each.session))
    yield ""
    yield table_of(
        (f"{source.source}: session", "why", "rows", "rejected", "accepted"),
        (_session(each) for each in worst[:_SHOWN]),
        left=2,
    )
    yield from _rest(source.blemished)


def _session(each: SessionCounts) -> tuple[str, ...]:
    counts = each.counts
    why = ", ".join(counts.reasons)
    return (
        str(each.session),
        why,
        f"{counts.rows:,}",
        f"{counts.rejected:,}",
        _percent(counts),
    )


def _of_findings(findings: Findings) -> Iterator[str]:
    yield ""
    yield f"bars of {findings.sessions:,} sessions, {findings.first} to {findings.last}:"
    yield from _found(
        "symbols vanished",
        findings.vanished,
        ("symbol", "last bar", "sessions since", "last close"),
        lambda it: (it.symbol, str(it.last), f"{it.sessions_since:,}", _price(it.last_close)),
    )
    yield from _found(
        "closes more than 1.5 times apart, and no split says why",
        findings.jumps,
        ("symbol", "session", "from", "to", "ratio", "as a split of"),
        lambda it: (
            *(it.symbol, str(it.session), _price(it.close_before), _price(it.close)),
            *(f"{it.ratio:.3f}", it.likely_split or ""),
        ),
    )
    yield from _found(
        "splits that closes do not show",
        findings.unseen_splits,
        ("symbol", "session", "from", "to", "shares for one"),
        lambda it: (
            *(it.symbol, str(it.session), _price(it.close_before), _price(it.close)),
            f"{it.split:g}",
        ),
    )
    yield from _found(
        "runs of sessions without volume",
        findings.idle_runs,
        ("symbol", "first", "last", "sessions"),
        lambda it: (it.symbol, str(it.first), str(it.last), f"{it.sessions:,}"),
    )
    yield from _found(
        "symbols with gaps",
        findings.gaps,
        ("symbol", "missing bars", "gaps", "longest", "after", "before"),
        lambda it: (
            *(it.symbol, f"{it.missing:,}", f"{it.gaps:,}", f"{it.longest:,}"),
            *(str(it.after), str(it.before)),
        ),
    )
    yield from _found(
        "pairs of symbols with the same bars",
        findings.twins,
        ("symbol", "twin", "sessions", "first", "last"),
        lambda it: (it.symbol, it.twin, f"{it.sessions:,}", str(it.first), str(it.last)),
    )


def _found(
    what: str,
    found: Found[Finding],
    header: Sequence[str],
    cells: Callable[[Finding], Sequence[str]],
) -> Iterator[str]:
    if not found.count:
        yield ""
        yield f"{what}: none"
        return
    yield ""
    yield f"{what}: {found.count:,}"
    yield table_of(header, (cells(each) for each in found.first[:_SHOWN]))
    yield from _rest(found.count)


def _rest(count: int) -> Iterator[str]:
    if count > _SHOWN:
        yield f"... and {count - _SHOWN:,} more: --json"


def _percent(counts: Counts) -> str:
    if not counts.rows:
        return ""
    # Never rounded up: 100 % is all of them.
    return f"{counts.accepted * 100_000 // counts.rows / 1000:.3f} %"


def _price(value: float) -> str:
    return f"{value:.4f}"
