"""The commands `fiblake backup`: the database kept and brought back, and the lake told."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr, TypeAdapter, ValidationError

from fiblake import backup_reports
from fiblake.options import JsonOption, LakeOption
from fiblake.output import Output
from lake.clock import SystemClock
from lake.errors import MisuseError
from lake.setting_values import DatabaseUrl
from lake.settings import read_settings
from lake.store import open_backups, open_store

if TYPE_CHECKING:
    from batch_layer.backups.backup import Told
    from lake.settings import Settings

app = typer.Typer(
    name="backup",
    help="Keep the database, and what the lake has; verify it, and bring it back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
ToOption = Annotated[
    str | None,
    typer.Option(
        "--to", help="A folder or s3://bucket/prefix. [FIBLAKE_BACKUPS, else beside the lake]"
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", help="Where backups are. [FIBLAKE_BACKUPS, else beside the lake]"),
]


@dataclass(frozen=True, slots=True)
class Listed:
    """All backups, the oldest first."""

    place: str
    backups: list[Told]


@app.callback()
def root() -> None:
    """Keep the database, and what the lake has; verify it, and bring it back."""


@app.command("create")
def create_(
    *,
    to: ToOption = None,
    keep: Annotated[int, typer.Option(min=1, help="How many stay, this one among them.")] = 7,
    landing: Annotated[
        bool, typer.Option("--landing", help="Copy what landed as well: what is new of it.")
    ] = False,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a backup, read it back, and remove those older than the last few."""
    from batch_layer.backups.backup import create  # noqa: PLC0415 - needs an extra
    from database import open_database  # noqa: PLC0415 - likewise

    output, settings = Output(as_json=json), _settings(lake, to)
    with (
        closing(open_database(settings)) as database,
        output.progress("landing") as advance,
    ):
        made = create(
            open_store(settings),
            database,
            open_backups(settings),
            clock=SystemClock(),
            keep=keep,
            landing=landing,
            on_progress=advance,
        )
    output.report(made, backup_reports.of_created)


@app.command("list")
def list_(*, from_: FromOption = None, lake: LakeOption = None, json: JsonOption = False) -> None:
    """List all backups, the oldest first."""
    from batch_layer.backups.backup import listed  # noqa: PLC0415 - needs an extra

    place = open_backups(_settings(lake, from_))
    found = Listed(place.location, listed(place))
    Output(as_json=json).report(found, backup_reports.of_listed)


@app.command("verify")
def verify_(
    id_: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Which. Default: the last one.")
    ] = None,
    *,
    from_: FromOption = None,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Read a backup back, and compare the lake with it; exit code 1: the backup is damaged."""
    from batch_layer.backups.backup import verify  # noqa: PLC0415 - needs an extra

    settings = _settings(lake, from_)
    found = verify(open_backups(settings), id_, open_store(settings))
    Output(as_json=json).report(found, backup_reports.of_verified)
    if found.faults:
        raise typer.Exit(1)


@app.command("restore")
def restore_(  # noqa: PLR0913 - a command's options
    id_: Annotated[str, typer.Argument(metavar="ID", help="As fiblake backup list shows it.")],
    *,
    database_url: Annotated[
        str | None,
        typer.Option(help="Of PostgreSQL. [FIBLAKE_DATABASE_URL, which others do not see]"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Let what the database holds give way.")
    ] = False,
    landing: Annotated[
        bool, typer.Option("--landing", help="Put copies back into the lake, where it lacks them.")
    ] = False,
    keep_database: Annotated[
        bool, typer.Option("--keep-database", help="Leave the database as it is: --landing alone.")
    ] = False,
    from_: FromOption = None,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Bring the database of a backup back, and tell what of the lake is lost."""
    from batch_layer.backups.backup import restore  # noqa: PLC0415 - needs an extra
    from database import open_database  # noqa: PLC0415 - likewise
    from serving_layer.auth.managing import listed  # noqa: PLC0415 - likewise

    if keep_database and (force or database_url is not None or not landing):
        fact = "--keep-database goes with --landing, and neither --force nor --database-url."
        raise MisuseError(fact)
    output, settings = Output(as_json=json), _settings(lake, from_, database_url)
    place, store = open_backups(settings), open_store(settings)
    if keep_database:
        done = restore(place, id_, None, store, landing=True)
        output.report(done, backup_reports.of_restored)
        return
    with closing(open_database(settings)) as database:
        done = restore(place, id_, database, store, force=force, landing=landing)
        found = listed(database, SystemClock().now())
    output.report(done, backup_reports.of_restored)
    valid = sum(key.state == "valid" for key in found)
    output.note(
        f"{valid} API keys are in force, those revoked after {done.made} among them:"
        " look at fiblake keys list"
    )


def _settings(lake: str | None, place: str | None, database_url: str | None = None) -> Settings:
    settings = read_settings(lake=lake)
    changed: dict[str, object] = {}
    if place is not None:
        changed["backups"] = place
    if database_url is not None:
        changed["database_url"] = _checked(database_url)
    return settings.model_copy(update=changed)


def _checked(url: str) -> SecretStr:
    try:
        found: SecretStr = TypeAdapter(DatabaseUrl).validate_python(url)
    except ValidationError as error:
        # Never the URL: there may be a password in it.
        fact = f"--database-url cannot be: {error.errors(include_url=False)[0]['msg']}."
        raise MisuseError(fact) from None
    return found
