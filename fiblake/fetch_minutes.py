"""The command `fiblake fetch minutes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fiblake import fetch_reports
from fiblake.fetching_minutes import SOURCES, Watch, source_of
from fiblake.lake import Lake
from fiblake.options import JsonOption, LakeOption
from fiblake.output import Output
from fiblake.waiting import waits_for
from serving_layer.query import parse_date

if TYPE_CHECKING:
    from collections.abc import Callable


def minutes_(  # noqa: PLR0913 - a command's options
    symbols: Annotated[
        list[str] | None, typer.Argument(help="Whose bars. Default: the whole market's.")
    ] = None,
    *,
    start: Annotated[
        str | None,
        typer.Option(help="The first date. Default: where they begin, or a week before the end."),
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="The last date. Default: the last session that is over.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help=f"One of {' '.join(SOURCES)}. Default: massive where symbols are named."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Ask for what is there, too, and correct what differs.")
    ] = False,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Fetch minute bars: of some symbols, or of the whole market, what the lake lacks, once."""
    output = Output(as_json=json)
    opened = Lake(lake)
    asked = source or source_of(symbols or ())
    with output.progress("fetch minutes") as advance:
        report = opened.fetch_minutes(
            symbols or (),
            asked,
            start=None if start is None else parse_date(start),
            end=None if end is None else parse_date(end),
            again=again,
            watch=_watch(output, asked, advance),
        )
    output.report(report, fetch_reports.of_sessions)
    if report.added or report.corrected or report.withdrawn:
        output.note("silver is stale now: fiblake resample")
    if report.failed:
        raise typer.Exit(1)


def _watch(output: Output, source: str, advance: Callable[[int, int], None]) -> Watch:
    def tell(calls: int, minutes: float) -> None:
        output.note(
            f"{calls:,} calls or more, {calls / minutes:g} a minute, take {minutes:,.0f} minutes; "
            "a plan that allows more: FIBLAKE_MASSIVE_CALLS_PER_MINUTE"
        )

    return Watch(advance, waits_for(output, source), tell)
