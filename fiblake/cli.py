"""The command `fiblake`.

Exit codes: 0 done, 1 failed, 2 misused.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batch_layer.fetching.columns import parse_columns
from batch_layer.fetching.dividends_file import read_dividends
from batch_layer.fetching.listings_file import read_listings
from batch_layer.fetching.sample import sample_file, sample_splits
from batch_layer.fetching.splits_file import read_splits
from batch_layer.fetching.validation import Reading
from batch_layer.processing.share import Share
from fiblake import (
    backup,
    batch,
    db,
    feed,
    fetch,
    flink,
    infra,
    keys,
    rebuild,
    reconcile,
    reports,
    topics,
    vendor,
    view,
)
from fiblake.alerts.commands import app as alerts_app
from fiblake.doctor.command import app as doctor_app
from fiblake.lake import Lake
from fiblake.options import JsonOption, LakeOption
from fiblake.output import Output
from fiblake.printing import Format, write_bars
from fiblake.quality import of_quality
from lake.errors import FiblakeError, MisuseError
from lake.interval import INTERVALS, RESAMPLED
from serving_layer.query import parse_adjustment, parse_hours

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(
    name="fiblake",
    help="A market-data lake of Fibonacci bars.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(batch.app)
app.add_typer(fetch.app)
app.add_typer(rebuild.app)
app.add_typer(vendor.app)
app.add_typer(feed.app)
app.add_typer(flink.app)
app.add_typer(view.app)
app.add_typer(reconcile.app)
app.add_typer(keys.app)
app.add_typer(alerts_app)
app.add_typer(topics.app)
app.add_typer(db.app)
app.add_typer(infra.app)
app.add_typer(backup.app)
app.add_typer(doctor_app)
_EXTRAS = {
    "boto3": "s3",
    "botocore": "s3",
    "polygon": "massive",
    "urllib3": "massive",
    "websockets": "massive",
    "redis": "redis",
    "psycopg": "postgres",
    "httpx": "client",
    "standardwebhooks": "alerts",
}
_ALL = " ".join(str(interval) for interval in INTERVALS)
_RESAMPLED = " ".join(str(interval) for interval in RESAMPLED)


def main() -> None:
    """Run the command line; an error ends it with one line on standard error."""
    try:
        app()
    except FiblakeError as error:
        Output().note(f"error: {error}")
        sys.exit(2 if isinstance(error, MisuseError) else 1)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name or "", "serving")
        Output().note(
            f"error: {error.name} is not installed. Hint: pip install 'fiblake[{extra}]'."
        )
        sys.exit(1)
    except OSError as error:
        Output().note(f"error: {error.filename or 'The output'}: {error.strerror or error}.")
        sys.exit(1)


@app.callback(invoke_without_command=True)
def root(
    *, show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    """A market-data lake of Fibonacci bars."""
    if show_version:
        Output().show(f"fiblake {version('fiblake')}")
        raise typer.Exit


@app.command("import")
def import_(  # noqa: PLR0913 - a command's options
    paths: Annotated[
        list[Path] | None, typer.Argument(help="CSV, CSV.gz or Parquet files of daily bars.")
    ] = None,
    *,
    sample: Annotated[
        bool, typer.Option("--sample", help="Import five stocks, 2000-2013.")
    ] = False,
    splits: Annotated[
        Path | None, typer.Option(help="A CSV of splits: symbol,effective,ratio (as 2:1).")
    ] = None,
    dividends: Annotated[
        Path | None, typer.Option(help="A CSV of dividends: symbol,ex_date,amount (USD a share).")
    ] = None,
    listings: Annotated[
        Path | None, typer.Option(help="A CSV of listings: listing,symbol,first,last.")
    ] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Withdraw the bars that the files name.")
    ] = False,
    columns: Annotated[str, typer.Option(help="As symbol=Ticker,session=Day.")] = "",
    symbol: Annotated[str | None, typer.Option(help="For files of one symbol's bars.")] = None,
    date_format: Annotated[
        str | None, typer.Option(help="As %m/%d/%Y. Default: YYYY-MM-DD.")
    ] = None,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Import daily bars into bronze; bad rows are rejected, kept and counted."""
    output = Output(as_json=json)
    opened = Lake(lake)
    reading = Reading(parse_columns(columns), symbol, date_format)
    with output.progress("import") as advance:
        importer = opened.importer(reading=reading, on_progress=advance)
        report = (
            importer.withdraw_files(_only_files(paths, sample, splits, dividends, listings))
            if withdraw
            else importer.import_files(
                _files(paths, splits or dividends or listings, sample=sample),
                splits=_splits(splits, sample=sample),
                dividends=read_dividends(dividends) if dividends else None,
                listed=read_listings(listings) if listings else None,
            )
        )
    output.report(report, reports.of_import)
    if report.makes_silver_stale:
        output.note("silver is stale now: fiblake resample")
    if report.rows and report.rejected == report.rows:
        raise typer.Exit(1)


@app.command("generate")
def generate_(  # noqa: PLR0913 - a command's options
    *,
    symbols: Annotated[int, typer.Option(help="How many, 1 to 100000.")] = 100,
    start: Annotated[str, typer.Option(help="The first date, YYYY-MM-DD.")] = "1962-01-02",
    end: Annotated[str, typer.Option(help="The last date, before today.")] = "2025-10-03",
    seed: Annotated[int, typer.Option(help="The same one makes the same market.")] = 7,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Fill an empty lake with a made-up market of daily bars, splits and dividends."""
    output = Output(as_json=json)
    opened = Lake(lake)
    with output.progress("generate") as advance:
        report = opened.generate(symbols, start=start, end=end, seed=seed, on_progress=advance)
    output.report(report, reports.of_generate)
    if report.added:
        output.note("silver is stale now: fiblake resample")


@app.command("resample")
def resample_(
    *,
    interval: Annotated[
        list[str] | None, typer.Option(help=f"One of {_RESAMPLED}; may be repeated.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Rebuild what is not stale too.")] = False,
    share: Annotated[
        str | None,
        typer.Option(help="INDEX/OF: only the years of one of OF workers, from 0, as 2/16."),
    ] = None,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Rebuild the stale partitions of silver."""
    output = Output(as_json=json)
    opened = Lake(lake)
    part = Share.parse(share) if share is not None else None
    if part is None:
        _build_trades(opened, output)
    with output.progress("resample") as advance:
        report = opened.resample(interval or (), force=force, share=part, on_progress=advance)
    output.report(report, reports.of_resample)


@app.command("status")
def status_(*, lake: LakeOption = None, json: JsonOption = False) -> None:
    """Show what the lake holds, and what of it is stale."""
    output = Output(as_json=json)
    output.report(Lake(lake).status(), reports.of_status)


@app.command("quality")
def quality_(
    *,
    source: Annotated[
        str | None, typer.Option(help="Count this source alone: a vendor, or a file's name.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First session, YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option(help="Last session, YYYY-MM-DD.")] = None,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Show how much of what came in was accepted, and what is odd in the daily bars."""
    output = Output(as_json=json)
    output.report(Lake(lake).quality(source=source, start=start, end=end), of_quality)


@app.command("compact")
def compact_(*, lake: LakeOption = None, json: JsonOption = False) -> None:
    """Drop the history that is older than FIBLAKE_HISTORY_DAYS."""
    output = Output(as_json=json)
    output.report(Lake(lake).compact(), reports.of_compact)


@app.command("bars")
def bars_(  # noqa: PLR0913 - a command's options
    symbols: Annotated[list[str], typer.Argument(help="Tickers, as AAPL.")],
    *,
    interval: Annotated[str, typer.Option(help=f"One of {_ALL}.")] = "1d",
    start: Annotated[str | None, typer.Option(help="First start of a bar, YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option(help="Last start of a bar, YYYY-MM-DD.")] = None,
    adjustment: Annotated[str, typer.Option(help="raw, split, or all: dividends too.")] = "split",
    as_of: Annotated[
        str | None,
        typer.Option(help="The date whose basis is wanted. Default: today, or that of --known-at."),
    ] = None,
    known_at: Annotated[
        str | None,
        typer.Option(help="Answer as the lake knew it then, as 2026-01-05T21:00:00Z."),
    ] = None,
    session: Annotated[
        str, typer.Option(help="Of 1m to 4h: regular, or extended, from 04:00 to 20:00.")
    ] = "regular",
    format_: Annotated[
        Format | None, typer.Option("--format", help="Default: the file's ending, or a table.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write to a file instead.")] = None,
    lake: LakeOption = None,
) -> None:
    """Print bars, in order of symbol and start; those forming are among them."""
    found = Lake(lake).bars(
        symbols,
        interval,
        start=start,
        end=end,
        adjustment=parse_adjustment(adjustment),
        as_of=as_of,
        known_at=known_at,
        session=parse_hours(session),
    )
    write_bars(found, interval, form=format_, path=output)


@app.command("up")
def up(
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0: any free one.")] = 8000,
    feed: Annotated[
        str | None,
        typer.Option(help="Live bars: massive, replay:sample@60x, replay:2026-01-05@60x."),
    ] = None,
    lake: LakeOption = None,
) -> None:
    """Serve the lake, with its chart page and live bars, until Ctrl-C."""
    from fiblake.local import serve  # noqa: PLC0415 - needs the extra `serving`

    output = Output()
    serve(
        Lake(lake),
        host=host,
        port=port,
        feed=feed,
        on_start=lambda url: output.note(f"fiblake serves {url} until Ctrl-C"),
    )


@app.command("demo")
def demo_(
    *,
    page: Annotated[Path, typer.Option(help="Where to write the chart page.")] = Path(
        "fiblake-demo.html"
    ),
    lake: LakeOption = None,
) -> None:
    """Import the sample, resample it, show some bars and write a chart page."""
    from fiblake.demo import run_demo  # noqa: PLC0415 - needs the extra `serving`

    run_demo(Lake(lake), page, Output())


def _build_trades(lake: Lake, output: Output) -> None:
    with output.progress("trades") as advance:
        made = lake.build_trades(on_progress=advance)
    if made.sessions:
        of = f"{made.sessions} sessions of recorded trades"
        output.note(f"{of}: {made.statements:,} in force, {made.minutes.added:,} new minutes")
    for partial in made.partial:
        for line in reports.of_partial(partial):
            output.note(line)


def _files(paths: list[Path] | None, others: Path | None, *, sample: bool) -> list[Path]:
    if sample:
        return [sample_file(), *(paths or [])]
    if not paths and others is None:
        fact = "There is nothing to import."
        raise MisuseError(fact, hint="name files, or use --sample.")
    return paths or []


def _splits(path: Path | None, *, sample: bool) -> pl.DataFrame | None:
    if sample and path:
        fact = "--sample has its own splits."
        raise MisuseError(fact, hint="import --splits apart.")
    if sample:
        return sample_splits()
    return read_splits(path) if path else None


def _only_files(paths: list[Path] | None, *others: object) -> list[Path]:
    if any(others) or not paths:
        fact = "--withdraw takes files that name bars by symbol and date, and nothing else."
        raise MisuseError(fact, hint="fiblake import --withdraw FILE.")
    return paths
