"""The commands `fiblake fetch`: what vendors sell, into the lake."""

from __future__ import annotations

from typing import Annotated

import typer

from batch_layer.fetching.daily_sources import MASSIVE, READERS
from batch_layer.fetching.reference import ReferenceOrder
from batch_layer.fetching.session_fetch import Order
from fiblake import fetch_reports
from fiblake.fetch_minutes import minutes_
from fiblake.lake import Lake
from fiblake.options import JsonOption, LakeOption
from fiblake.output import Output
from fiblake.waiting import waits_for
from serving_layer.query import parse_date

app = typer.Typer(
    name="fetch",
    help="Fetch what is missing from a vendor.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("minutes")(minutes_)


@app.command("daily")
def daily_(  # noqa: PLR0913 - a command's options
    *,
    start: Annotated[
        str | None,
        typer.Option(help="The first date, YYYY-MM-DD. Default: where the bars begin."),
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="The last date. Default: the last session that is over.")
    ] = None,
    source: Annotated[str, typer.Option(help=f"One of {' '.join(READERS)}.")] = MASSIVE,
    again: Annotated[
        bool, typer.Option("--again", help="Ask for what is there, too, and correct what differs.")
    ] = False,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Fetch daily bars: the sessions that the lake lacks, each once."""
    output = Output(as_json=json)
    opened = Lake(lake)
    order = Order(
        source,
        None if start is None else parse_date(start),
        None if end is None else parse_date(end),
        again=again,
    )

    def tell(calls: int, minutes: float) -> None:
        output.note(
            f"{calls:,} calls, {calls / minutes:g} a minute, take {minutes:,.0f} minutes, the "
            "latest sessions first; a plan that allows more: FIBLAKE_MASSIVE_CALLS_PER_MINUTE"
        )

    with output.progress("fetch daily") as advance:
        fetcher = opened.fetcher(
            on_progress=advance, on_wait=waits_for(output, source), on_long=tell
        )
        report = fetcher.fetch(order)
    output.report(report, fetch_reports.of_sessions)
    if report.added or report.corrected or report.withdrawn:
        output.note("silver is stale now: fiblake resample")
    if report.failed:
        raise typer.Exit(1)


@app.command("reference")
def reference_(
    *,
    start: Annotated[
        str | None,
        typer.Option(help="Splits and dividends from its year on. Default: where the bars begin."),
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="To its year. Default: those that are announced.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Ask for what is there, too.")] = False,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Fetch listings, splits, dividends and trade conditions from Massive."""
    output = Output(as_json=json)
    opened = Lake(lake)
    order = ReferenceOrder(
        None if start is None else parse_date(start),
        None if end is None else parse_date(end),
        again=again,
    )

    def tell(calls: int, minutes: float) -> None:
        output.note(
            f"{calls:,} calls or more, {calls / minutes:g} a minute, take {minutes:,.0f} minutes "
            "or more; a plan that allows more: FIBLAKE_MASSIVE_CALLS_PER_MINUTE"
        )

    with output.progress("fetch reference") as advance:
        fetcher = opened.reference_fetcher(
            on_progress=advance, on_wait=waits_for(output, MASSIVE), on_long=tell
        )
        report = fetcher.fetch(order)
    output.report(report, fetch_reports.of_reference)
    if report.changed:
        output.note("silver is stale now: fiblake resample")
    if report.failed:
        raise typer.Exit(1)
