"""The command `fiblake view`: what a view of live bars needs before it is filled."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from fiblake.options import JsonOption
from fiblake.output import Output
from lake.errors import MisuseError
from lake.settings import read_settings
from serving_layer.stream.registry import create_table
from speed_layer.views.choosing import open_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lake.dynamodb_creating import Table
    from lake.settings import Settings

app = typer.Typer(
    name="view",
    help="The view of live bars.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@dataclass(frozen=True, slots=True)
class CreateReport:
    """What there is now.

    Attributes:
        tables: In DynamoDB, ready to be used.
    """

    tables: Sequence[Table]


@app.callback()
def view_() -> None:
    """The view of live bars."""


@app.command("create")
def create_(*, json: JsonOption = False) -> None:
    """Create the tables that are used in DynamoDB, and wait for them; those that are there stay."""
    output = Output(as_json=json)
    output.report(CreateReport(_tables(read_settings())), _told)


def _tables(settings: Settings) -> Sequence[Table]:
    tables = [*_tables_of_view(settings), *create_table(settings)]
    if not tables:
        fact = f"There is nothing to create, as FIBLAKE_VIEW={settings.view} needs no tables."
        raise MisuseError(fact, hint="set FIBLAKE_VIEW=dynamodb.")
    return tables


def _tables_of_view(settings: Settings) -> Sequence[Table]:
    with closing(open_view(settings)) as view:
        if settings.view == "dynamodb":
            return view.create_tables()  # type: ignore[attr-defined, no-any-return] # it can
    return []


def _told(report: CreateReport) -> Iterator[str]:
    for table in report.tables:
        yield f"{table.name}: {'created' if table.is_new else 'was there'}"
