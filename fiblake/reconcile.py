"""The command `fiblake reconcile`: what the speed layer told, held to what batch made."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from fiblake.lake import Lake
from fiblake.options import JsonOption, LakeOption
from fiblake.output import Output, table_of
from speed_layer.covering import Covering
from speed_layer.views.choosing import open_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_layer.reconciling.reconcile import Reconciled, ReconcileReport

app = typer.Typer()


@app.command("reconcile")
def reconcile_(
    *,
    start: Annotated[str | None, typer.Option(help="First session, YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option(help="Last session, YYYY-MM-DD.")] = None,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Compare live bars with those that batch made, and say why they differ."""
    output = Output(as_json=json)
    opened = Lake(lake)
    if opened.settings.view != "memory":
        # A view in memory is another process's: it keeps its bars in the lake itself.
        with closing(open_view(opened.settings, opened.clock)) as view:
            Covering(view, opened.store).keep()
    with output.progress("reconcile") as advance:
        report = opened.reconcile(start=start, end=end, on_progress=advance)
    output.report(report, of_reconcile)


def of_reconcile(report: ReconcileReport) -> Iterator[str]:
    """Yield what a reconciliation found, session by session."""
    if not report.sessions and not report.pending:
        yield "the speed layer told of no session yet"
        return
    if report.sessions:
        header = ("session", "live bars", "batch bars", "agreed", "forming", "differences")
        yield table_of(header, [_row(each) for each in report.sessions])
    if report.pending:
        days = ", ".join(map(str, report.pending))
        yield f"not made by batch yet: {days} (fiblake resample)"


def _row(session: Reconciled) -> tuple[str, ...]:
    causes = {cause: sum(counts.values()) for cause, counts in sorted(session.differences.items())}
    told = ", ".join(f"{count:,} {cause}" for cause, count in causes.items() if count)
    counts = (session.speed, session.batch, session.agreed, session.forming)
    return (str(session.session), *(f"{count:,}" for count in counts), told or "none")
