"""The command `fiblake fetch minutes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from batch_layer.fetching.daily_sources import FLATFILES
from batch_layer.fetching.session_fetch import Order
from fiblake import fetch_reports
from fiblake.lake import Lake
from fiblake.options import JsonOption, LakeOption
from fiblake.output import Output
from serving_layer.query import parse_date

if TYPE_CHECKING:
    from lake.lease import Holder


def minutes_(  # noqa: PLR0913 - a command's options
    *,
    start: Annotated[
        str | None,
        typer.Option(help="The first date. Default: where they begin, or a week before the end."),
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="The last date. Default: the last session that is over.")
    ] = None,
    source: Annotated[str, typer.Option(help="One of flatfiles, massive.")] = FLATFILES,
    again: Annotated[
        bool, typer.Option("--again", help="Ask for what is there, too, and correct what differs.")
    ] = False,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Fetch minute bars: the sessions that the lake lacks, each once."""
    output = Output(as_json=json)
    opened = Lake(lake)
    order = Order(
        source,
        None if start is None else parse_date(start),
        None if end is None else parse_date(end),
        again=again,
    )

    def wait(holder: Holder) -> None:
        output.note(f"process {holder.pid} on {holder.host} fetches from {source}: waiting for it")

    with output.progress("fetch minutes") as advance:
        report = opened.minute_fetcher(on_progress=advance, on_wait=wait).fetch(order)
    output.report(report, fetch_reports.of_sessions)
    if report.added or report.corrected or report.withdrawn:
        output.note("silver is stale now: fiblake resample")
    if report.failed:
        raise typer.Exit(1)
