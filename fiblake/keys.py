"""The commands `fiblake keys`: who may ask the API."""

from __future__ import annotations

import datetime as dt
import getpass
import re
import socket
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fiblake.options import JsonOption, LakeOption
from fiblake.output import Output, table_of
from lake.clock import SystemClock
from lake.errors import MisuseError
from lake.instant import parse_instant, written
from lake.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from database import Database
    from database.audit import Actor
    from serving_layer.auth.managing import Created, Key

app = typer.Typer(
    name="keys",
    help="Create, list and revoke the keys of the API.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_SPAN: Final = re.compile(r"([1-9]\d{0,4})([hd])")
_HOURS: Final = {"h": 1, "d": 24}


@dataclass(frozen=True, slots=True)
class Listed:
    """All keys, in order of creation."""

    keys: list[Key]


@app.callback()
def root() -> None:
    """Create, list and revoke the keys of the API."""


@app.command("create")
def create_(  # noqa: PLR0913 - a command's options
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    *,
    scope: Annotated[
        list[str],
        typer.Option(help="What it may do: read, live, alerts or admin; may be repeated."),
    ],
    owner: Annotated[
        str, typer.Option(help="Whose it is: keys of one owner share alerts. Default: NAME.")
    ] = "",
    expires: Annotated[
        str | None, typer.Option(help="In how long, as 90d or 12h, or an instant. Default: never.")
    ] = None,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Create a key; it is printed this once, and only a digest of it is kept."""
    from serving_layer.auth.managing import NewKey, create  # noqa: PLC0415 - needs an extra
    from serving_layer.auth.principal import parse_scopes  # noqa: PLC0415 - likewise

    output, now = Output(as_json=json), SystemClock().now()
    asked = NewKey(name, parse_scopes(scope), owner, end_of(expires, now, "--expires"))
    with opened(lake) as database:
        made = create(database, asked, actor(), now)
    output.report(made, _of_created)
    output.note(f"{made.key.key} is the key of {made.key.name}; all of it is shown this once")


@app.command("list")
def list_(*, lake: LakeOption = None, json: JsonOption = False) -> None:
    """List all keys, those expired and revoked too."""
    from serving_layer.auth.managing import listed  # noqa: PLC0415 - needs an extra

    with opened(lake) as database:
        found = Listed(listed(database, SystemClock().now()))
    Output(as_json=json).report(found, _of_listed)


@app.command("revoke")
def revoke_(
    key: Annotated[str, typer.Argument(help="Its public part, as fiblake keys list shows it.")],
    *,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Revoke a key, and its tokens: servers refuse them within seconds."""
    from serving_layer.auth.managing import revoke  # noqa: PLC0415 - needs an extra

    with opened(lake) as database:
        revoked = revoke(database, key, actor(), SystemClock().now())
    Output(as_json=json).report(revoked, _of_revoked)


@contextmanager
def opened(location: str | None) -> Iterator[Database]:
    """Yield the database of the settings, prepared.

    Raises:
        DatabaseError: If it does not answer, or is not at the newest migration.
    """
    from database import open_database, prepare  # noqa: PLC0415 - needs an extra

    with closing(open_database(read_settings(lake=location))) as database:
        prepare(database)
        yield database


def actor() -> Actor:
    """Return who runs this command, for the audit log."""
    from database.audit import Actor  # noqa: PLC0415 - needs an extra

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return Actor(f"command:{user}", socket.gethostname())


def end_of(text: str | None, now: dt.datetime, option: str) -> dt.datetime | None:
    """Return the instant that an option names, as a span from now or by itself; None: none.

    Raises:
        MisuseError: If it names none.
    """
    if text is None:
        return None
    span = _SPAN.fullmatch(text)
    if span:
        return now + dt.timedelta(hours=int(span[1]) * _HOURS[span[2]])
    if "T" not in text:
        fact = f"{option} {text!r} is neither. Allowed: days as 90d, hours as 12h, or an instant."
        raise MisuseError(fact, hint=f"as {option} 90d, or {option} 2026-12-31T00:00:00Z.")
    return parse_instant(text)


def _of_created(created: Created) -> Iterator[str]:
    yield created.secret


def _of_revoked(key: Key) -> Iterator[str]:
    yield f"{key.key} of {key.name} is {key.state}"


def _of_listed(listed: Listed) -> Iterator[str]:
    if not listed.keys:
        yield "there is no key yet: fiblake keys create NAME --scope read"
        return
    header = ("key", "name", "owner", "scopes", "state", "created", "expires", "used")
    yield table_of(header, [_row(key) for key in listed.keys], left=len(header))


def _row(key: Key) -> tuple[str, ...]:
    named = (key.key, key.name, key.owner, " ".join(key.scopes), key.state)
    return (*named, _day(key.created), _day(key.expires), _day(key.used))


def _day(instant: dt.datetime | None) -> str:
    return "never" if instant is None else written(instant.replace(second=0, microsecond=0))
