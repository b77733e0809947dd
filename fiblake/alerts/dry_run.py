"""The command `fiblake alerts dry-run`: when a rule would have fired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fiblake.alerts.app import app
from fiblake.alerts.reading import read_rule
from fiblake.options import JsonOption, LakeOption  # noqa: TC001 - typer reads annotations
from fiblake.output import Output, table_of
from lake.instant import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fiblake.lake import Lake
    from serving_layer.alerts.dry_run import DryFiring, DryRun, DryRuns
    from serving_layer.alerts.outcomes import Outcome, Summary


@app.command("dry-run")
def dry_run_(  # noqa: PLR0913 - a command's options
    file: Annotated[str, typer.Argument(help="A rule as JSON; - reads standard input.")],
    *,
    start: Annotated[
        str | None, typer.Option("--from", help="First session, YYYY-MM-DD. Default: all.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Last session, inclusive. Default: the last.")
    ] = None,
    resolution: Annotated[
        str, typer.Option(help="What prices are told of: 1d, 1m, or ticks that were recorded.")
    ] = "1d",
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Show when a rule would have fired, and what the price did then."""
    from fiblake.arguments import date_of  # noqa: PLC0415 - what follows takes a while
    from fiblake.lake import Lake  # noqa: PLC0415
    from serving_layer.alerts.dry_run import parse_resolution  # noqa: PLC0415

    output = Output(as_json=json)
    asked = parse_resolution(resolution)
    first, last = date_of(start), date_of(end)
    rule = read_rule(file)
    found = dry_runs(Lake(lake)).run(rule, first, last, asked)
    output.report(found, of_dry_run)
    if not rule.repeat and found.fired:
        output.note('it fires once: with "repeat": true it would again')
    if found.expired:
        output.note(f"it expired {written(found.expired)}: from then on nothing fires")
    if found.untold:
        output.note(f"{found.untold:,} of {found.sessions:,} sessions have no prices")


def dry_runs(lake: Lake) -> DryRuns:
    """Return what runs rules on a lake's past, recorded events too, with no limits."""
    from fiblake.alerts.recorded_events import RecordedEvents  # noqa: PLC0415 - as above
    from serving_layer.alerts.dry_run import DryRuns  # noqa: PLC0415
    from serving_layer.merged import MergedReader  # noqa: PLC0415

    return DryRuns(
        lake.reader, MergedReader(lake.reader), RecordedEvents(lake.store, lake.settings)
    )


def of_dry_run(run: DryRun) -> Iterator[str]:
    """Yield a dry run as lines and tables."""
    times = "time" if run.fired == 1 else "times"
    span = f"{run.start} to {run.end}, {run.sessions:,} sessions at {run.resolution}"
    yield f"{run.symbol} would have fired {run.fired:,} {times}: {span}, {run.seen:,} seen"
    if not run.fired:
        return
    yield ""
    after = [f"+{each.sessions}" for each in run.outcomes]
    yield table_of(["fired", "why", *after], map(_row, run.firings), left=2)
    if run.fired > len(run.firings):
        yield f"... and {run.fired - len(run.firings):,} more"
    yield ""
    yield table_of(["after", "firings", "mean", "median", "up"], map(_summary, run.outcomes))


def _row(firing: DryFiring) -> list[str]:
    time = written(firing.time.replace(microsecond=0))
    return [time, firing.text, *map(_change, firing.outcomes)]


def _change(outcome: Outcome) -> str:
    change = outcome.change_percent
    return "" if change is None else f"{change:+.2f}%"


def _summary(summary: Summary) -> list[str]:
    sessions = "1 session" if summary.sessions == 1 else f"{summary.sessions} sessions"
    if summary.mean_percent is None or summary.median_percent is None or summary.up_share is None:
        return [sessions, "0", "", "", ""]
    changes = (f"{each:+.2f}%" for each in (summary.mean_percent, summary.median_percent))
    return [sessions, f"{summary.count:,}", *changes, f"{100 * summary.up_share:.0f}%"]
