"""The commands `fiblake rebuild`: what is derived, made anew from what it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from fiblake import fetch_reports
from fiblake.lake import Lake
from fiblake.options import JsonOption, LakeOption
from fiblake.output import Output

if TYPE_CHECKING:
    from lake.lease import Holder

app = typer.Typer(
    name="rebuild",
    help="Make anew what is derived.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def root() -> None:
    """Make anew what is derived."""


@app.command("bronze")
def bronze_(*, lake: LakeOption = None, json: JsonOption = False) -> None:
    """Make bronze anew from landing: what vendors, files and commands told, in their order."""
    output = Output(as_json=json)
    opened = Lake(lake)

    def wait(holder: Holder) -> None:
        output.note(f"process {holder.pid} on {holder.host} fetches: waiting for it")

    with output.progress("rebuild bronze") as advance:
        report = opened.rebuild_bronze(on_progress=advance, on_wait=wait)
    output.report(report, fetch_reports.of_rebuild)
    bars = (report, report.minutes)
    changed = any(each.restored or each.changed or each.dropped for each in bars)
    if changed or report.reference.changed:
        output.note("silver is stale now: fiblake resample")
