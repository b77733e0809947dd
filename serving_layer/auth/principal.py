"""Who asks, once that is known, and the scopes of what they may do."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - a dataclass's field
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from lake.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Iterable

Scope = Literal["read", "live", "alerts", "admin"]
"""`read`: bars, reference, backtests; `live`: prices, streams; `alerts`; `admin`: keys, streams."""
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        key: The public part of the key; empty where none is asked for.
        owner: Whose it is.
        scopes: What it may do.
        expires: From when on it may not; None: never.
        by_token: Whether a token of the key was shown, and not the key itself.
    """

    key: str
    owner: str
    scopes: frozenset[Scope]
    expires: dt.datetime | None = None
    by_token: bool = False


ANYONE: Final = Principal("", "anyone", frozenset({"read", "live", "alerts"}))
"""Who asks where no key was created yet; the first one is created by the command."""


def parse_scopes(names: Iterable[str]) -> tuple[Scope, ...]:
    """Return scopes by their names, in their order, each once.

    Raises:
        MisuseError: If there is none, or one is unknown.
    """
    asked = set(names)
    unknown = sorted(asked - set(SCOPES))
    if unknown or not asked:
        what = f"{unknown[0]!r} is not a scope." if unknown else "A key needs a scope."
        fact = f"{what} Allowed: {', '.join(SCOPES)}."
        raise MisuseError(fact, hint="as --scope read.")
    return tuple(scope for scope in SCOPES if scope in asked)
