"""The commands of what alerts tell: destinations, how deliveries went, and making them again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fiblake.alerts.app import app
from fiblake.alerts.owned import EveryoneOption, OwnerOption, check_owner, holdings
from fiblake.keys import actor, opened
from fiblake.options import JsonOption, LakeOption
from fiblake.output import Output, table_of
from lake.clock import SystemClock
from lake.errors import MisuseError
from lake.instant import written

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from database.deliveries import Delivery, State
    from database.destinations import Destination as Webhook
    from serving_layer.alerts.answers import Destination, DestinationsAnswer

destinations = typer.Typer(
    name="destinations",
    help="Webhooks that alerts can be told to, beside log and sns.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(destinations)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The webhooks of all owners, by owner and name."""

    destinations: list[Webhook]


@dataclass(frozen=True, slots=True)
class Removed:
    """The name of a destination that is no more."""

    removed: str


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Deliveries, the latest notification first."""

    deliveries: list[Delivery]


@destinations.callback()
def destinations_() -> None:
    """Webhooks that alerts can be told to, beside log and sns."""


@destinations.command("add")
def add_(  # noqa: PLR0913 - a command's options
    name: Annotated[str, typer.Argument(help="By which rules name it.")],
    *,
    url: Annotated[str, typer.Option(help="Where it is told, as https://example.com/alerts.")],
    secret_file: Annotated[
        str, typer.Option(help="A file of the secret it is signed with: whsec_...; -: read it.")
    ],
    owner: OwnerOption = "anyone",
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Add a webhook, or replace that of this name, its secret included."""
    secret = _secret(secret_file)
    with holdings(lake, owner) as own:
        made = own.destinations.put(name, url, secret)
    told = f"{made.name} of {owner} is told at {made.url}"
    Output(as_json=json).report(made, lambda _: [told])


@destinations.command("list")
def list_(
    *,
    owner: OwnerOption = "anyone",
    everyone: EveryoneOption = False,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """List where an owner's alerts can be told: log, sns if it is set, and its webhooks.

    Those of everyone are all webhooks, by owner.
    """
    if everyone:
        Output(as_json=json).report(_everyones(lake), _of_everyones)
        return
    with holdings(lake, owner) as own:
        found = own.destinations.listed()
    Output(as_json=json).report(found, _of_destinations)


@destinations.command("remove")
def remove_(
    name: Annotated[str, typer.Argument(help="Its name.")],
    *,
    owner: OwnerOption = "anyone",
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Remove a webhook that no alert is told to; what still waits for it is given up on."""
    with holdings(lake, owner) as own:
        own.destinations.remove(name)
    Output(as_json=json).report(Removed(name), lambda each: [f"{each.removed} is removed"])


@app.command("deliveries")
def deliveries_(  # noqa: PLR0913 - a command's options
    *,
    state: Annotated[
        str | None, typer.Option(help="dead, waiting or delivered. Default: any.")
    ] = None,
    owner: OwnerOption = "anyone",
    everyone: EveryoneOption = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 100,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """List how notifications went, to each destination, the latest first; --owner '': of news."""
    from database.deliveries import latest_deliveries  # noqa: PLC0415 - needs an extra

    _check_told(owner)
    wanted = None if state is None else _state(state)
    with opened(lake) as database, database.read() as connection:
        whose = None if everyone else owner
        found = Deliveries(latest_deliveries(connection, whose, wanted, limit))
    Output(as_json=json).report(found, _of_deliveries)


@app.command("redeliver")
def redeliver_(
    notification: Annotated[str, typer.Argument(help="Its id, as deliveries shows it.")],
    *,
    destination: Annotated[
        str | None, typer.Option(help="Where to. Default: wherever it was.")
    ] = None,
    owner: OwnerOption = "anyone",
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Deliver one once more, by the same id, dead or delivered; --owner '': one of news."""
    from database.deliveries import deliveries_of, redeliver  # noqa: PLC0415 - needs an extra

    _check_told(owner)
    output, now = Output(as_json=json), SystemClock().now()
    with opened(lake) as database, database.write() as connection:
        count = redeliver(connection, owner, notification, destination, actor=actor(), at=now)
        found = Deliveries(deliveries_of(connection, [notification])[notification])
    output.report(found, _of_deliveries)
    output.note(f"{notification} is due again to {count} of its destinations")


def _secret(file: str) -> str:
    """Return the secret that a file holds, or standard input."""
    if file == "-":
        return sys.stdin.readline()
    try:
        return Path(file).read_text("utf-8")
    except UnicodeDecodeError:
        fact = f"{file} is not a file of text."
        raise MisuseError(fact, hint="it holds whsec_ and base64, in one line.") from None


def _check_told(owner: str) -> None:
    """Refuse what no owner is called; of what is nobody's, as news, it is empty."""
    if owner:
        check_owner(owner)


def _state(text: str) -> State:
    from database.deliveries import STATES  # noqa: PLC0415 - needs an extra

    for each in STATES:
        if each == text:
            return each
    fact = f"--state {text!r} is none. Allowed: {', '.join(STATES)}."
    raise MisuseError(fact)


def _of_destinations(found: DestinationsAnswer) -> Iterator[str]:
    header = ("name", "kind", "url", "created")
    yield table_of(header, map(_destination_row, found.destinations), left=len(header))


def _destination_row(each: Destination) -> Sequence[str]:
    return each.name, each.kind, each.url or "", _moment(each.created)


def _everyones(location: str | None) -> Webhooks:
    from database.destinations import all_destinations  # noqa: PLC0415 - needs an extra

    with opened(location) as database, database.read() as connection:
        return Webhooks(all_destinations(connection))


def _of_everyones(found: Webhooks) -> Iterator[str]:
    header = ("owner", "name", "url", "created")
    rows = [(e.owner, e.name, e.url, _moment(e.created)) for e in found.destinations]
    yield table_of(header, rows, left=len(header))


def _of_deliveries(found: Deliveries) -> Iterator[str]:
    if not found.deliveries:
        yield "there is no such delivery"
        return
    header = ("notification", "destination", "state", "attempts", "due", "done", "error")
    yield table_of(header, [_row(each) for each in found.deliveries], left=len(header))


def _row(each: Delivery) -> Sequence[str]:
    told = (each.notification, each.destination, each.state, str(each.attempts))
    return (*told, _moment(each.due), _moment(each.done), each.error)


def _moment(instant: dt.datetime | None) -> str:
    return "" if instant is None else written(instant.replace(microsecond=0))
