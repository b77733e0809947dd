"""The commands `fiblake db`: the relational store's tables."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import typer

from fiblake.options import JsonOption, LakeOption
from fiblake.output import Output
from lake.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from database import Database
    from database.migrating import Revision

app = typer.Typer(
    name="db",
    help="Look at and upgrade the database of keys and of what else changes by transaction.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def root() -> None:
    """Look at and upgrade the database of keys and of what else changes by transaction."""


@app.command("upgrade")
def upgrade_(*, lake: LakeOption = None, json: JsonOption = False) -> None:
    """Bring the tables to what this version needs; twice, or two at once, do no harm."""
    from database.migrating import revision_of, upgrade  # noqa: PLC0415 - needs an extra

    output = Output(as_json=json)
    with _opened(lake) as database:
        before = upgrade(database)
        after = revision_of(database)
    output.report(after, _of_revision)
    if not before.is_current:
        output.note(f"upgraded from {before.at or 'nothing'}")


@app.command("status")
def status_(*, lake: LakeOption = None, json: JsonOption = False) -> None:
    """Show where the database is, and whether its tables are those that this version needs."""
    from database.migrating import revision_of  # noqa: PLC0415 - needs an extra

    with _opened(lake) as database:
        found = revision_of(database)
    Output(as_json=json).report(found, _of_revision)
    if not found.is_current:
        raise typer.Exit(1)


@contextmanager
def _opened(location: str | None) -> Iterator[Database]:
    from database import open_database  # noqa: PLC0415 - needs an extra

    with closing(open_database(read_settings(lake=location))) as database:
        yield database


def _of_revision(revision: Revision) -> Iterator[str]:
    yield f"database {revision.database}"
    if revision.is_current:
        yield f"at {revision.at}, as this version needs it"
    elif revision.at is not None and revision.at > revision.head:
        yield f"at {revision.at}, of a newer version: this one needs {revision.head}"
    else:
        yield f"at {revision.at or 'nothing'}; fiblake db upgrade brings it to {revision.head}"
