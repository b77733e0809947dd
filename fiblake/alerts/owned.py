"""Whose the alerts are that a command is about, and what that owner keeps."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fiblake.keys import actor, opened
from lake.clock import SystemClock
from lake.errors import MisuseError
from lake.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving_layer.alerts.holdings import Holdings

_LONGEST: Final = 100
OwnerOption = Annotated[
    str, typer.Option("--owner", help="Whose; anyone: who asks where no key was created.")
]

EveryoneOption = Annotated[bool, typer.Option("--everyone", help="Of all owners.")]


def check_owner(owner: str) -> None:
    """Refuse what no owner is called.

    Raises:
        MisuseError: If it is that.
    """
    if not owner or len(owner) > _LONGEST or not owner.isprintable():
        fact = f"--owner {owner!r:.120} is none. Allowed: 1 to {_LONGEST} characters."
        raise MisuseError(fact, hint="fiblake keys list tells whose keys are.")


@contextmanager
def holdings(location: str | None, owner: str) -> Iterator[Holdings]:
    """Yield what an owner keeps in the database of the settings.

    Raises:
        MisuseError: If nobody is called so.
        DatabaseError: If the database does not answer, or is not at the newest migration.
    """
    from serving_layer.alerts.holdings import Holdings  # noqa: PLC0415 - needs an extra
    from serving_layer.alerts.whose import Whose  # noqa: PLC0415 - likewise

    check_owner(owner)
    whose, settings = Whose(owner, actor()), read_settings(lake=location)
    with opened(location) as database:
        yield Holdings.of(database, whose, settings, SystemClock())
