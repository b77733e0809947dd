"""Queries of whoever delivers: what is due, claimed by one at a time, and what became of it.

    waiting, due ──claim──► waiting, due at the claim's end ──mark──► delivered, dead, or waiting
                                        │
                                        └ never marked, as by a kill: due again by then

A claim moves `due` ahead to when it ends, and names who made it; only they, and only that claim,
can mark what became of it.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - a dataclass's field
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import sqlalchemy as sa

from database.deliveries import State  # noqa: TC001 - a dataclass's field
from database.tables import DELIVERIES, DESTINATIONS, NOTIFICATIONS
from lake.alerts.destination import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection

_AT_A_TIME: Final = 500
_ROUNDS: Final = 8
_MOST_COUNTED: Final = 100_000


class Route(NamedTuple):
    """A destination of an owner's; a built-in one is of nobody, and its owner empty.

    With an empty destination: all of an owner's.
    """

    owner: str
    destination: str

    @property
    def is_built_in(self) -> bool:
        """Return whether it is a destination that everybody has."""
        return self.destination in BUILT_IN


class Shares:
    """How many deliveries are tried at once: to a destination, to all of an owner's, and in all.

    Args:
        doing: Routes of those that are being tried.
        most_of: How many may be, of a route.
    """

    def __init__(self, doing: Iterable[Route], most_of: Callable[[Route], int]) -> None:
        self._counts: Counter[Route] = Counter()
        self._most_of = most_of
        for route in doing:
            self._counts.update(_all_of(route))

    def take(self, route: Route) -> bool:
        """Return whether one more may be tried, and count it if so."""
        if any(self._counts[each] >= self._most_of(each) for each in _all_of(route)):
            return False
        self._counts.update(_all_of(route))
        return True

    def full(self) -> list[Route]:
        """Return the routes of which no more may be tried."""
        return [each for each, count in self._counts.items() if count >= self._most_of(each)]


def _all_of(route: Route) -> tuple[Route, ...]:
    return (route,) if route.is_built_in else (route, Route(route.owner, ""))


@dataclass(frozen=True, slots=True)
class Claim:
    """Who claims deliveries, and for how long.

    Attributes:
        by: Names a process, among all.
        at: When.
        until: When others may claim what was not marked by then.
    """

    by: str
    at: dt.datetime
    until: dt.datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is to be tried now.

    Attributes:
        notification: Which.
        destination: Where to.
        attempts: How many were made before.
        error: What became of the last of them.
        until: When the claim ends.
        owner: Whose the notification is; empty: the operator's.
        kind: As `lake.envelope.EnvelopeKind`.
        body: Its envelope, JSON.
        url: Of the webhook; None: a built-in destination, or there is none of that name.
        secret: That it is signed with; likewise.
    """

    notification: str
    destination: str
    attempts: int
    error: str
    until: dt.datetime
    owner: str
    kind: str
    body: str
    url: str | None
    secret: str | None = field(repr=False)

    @property
    def route(self) -> Route:
        """Return what bounds how many are tried at once."""
        return Route("" if self.destination in BUILT_IN else self.owner, self.destination)


class Most(NamedTuple):
    """How many deliveries to claim: of built-in destinations, and of all others together."""

    built_in: int
    others: int


@dataclass(frozen=True, slots=True)
class Marked:
    """What became of a claimed delivery.

    Attributes:
        claimed: Which.
        state: What it is now.
        attempts: How many were made by now.
        error: Why it failed; empty: it did not.
        due: When it is tried again; None: it is not.
        done: When it ended; None: it did not.
    """

    claimed: Claimed
    state: State
    attempts: int
    error: str
    due: dt.datetime | None
    done: dt.datetime | None


def has_due(connection: Connection, at: dt.datetime) -> bool:
    """Return whether a delivery is due."""
    return (
        connection.execute(sa.select(sa.literal(1)).where(_is_due(at)).limit(1)).first() is not None
    )


def due_by(connection: Connection, at: dt.datetime) -> int:
    """Return how many deliveries are due, up to a hundred thousand."""
    due = sa.select(sa.literal(1)).where(_is_due(at)).limit(_MOST_COUNTED).subquery()
    return connection.execute(sa.select(sa.func.count()).select_from(due)).scalar_one()


def claim(connection: Connection, claim: Claim, shares: Shares, most: Most) -> list[Claimed]:
    """Claim deliveries that are due, the longest due first.

    Args:
        connection: That writes.
        claim: For whom, and how long.
        shares: Bounds them by destination and owner; what is claimed is counted.
        most: Bounds them in all.
    """
    is_built_in = DELIVERIES.c.destination.in_(BUILT_IN)
    return [
        *_claim(connection, claim, is_built_in, shares, most.built_in),
        *_claim(connection, claim, ~is_built_in, shares, most.others),
    ]


def mark(connection: Connection, by: str, marked: Sequence[Marked]) -> None:
    """Keep what became of deliveries, of those whose claims still hold."""
    if not marked:
        return
    held = (
        (DELIVERIES.c.notification == sa.bindparam("of_notification"))
        & (DELIVERIES.c.destination == sa.bindparam("to_destination"))
        & (DELIVERIES.c.claimed_by == by)
        & (DELIVERIES.c.due == sa.bindparam("claimed_until"))
    )
    changed: dict[str, sa.BindParameter[object]] = {
        name: sa.bindparam(f"new_{name}") for name in _CHANGED
    }
    told = sa.update(DELIVERIES).where(held).values(claimed_by=None, **changed)
    connection.execute(told, [_parameters(each) for each in sorted(marked, key=_place)])


_CHANGED: Final = ("state", "attempts", "error", "due", "done")


def _parameters(each: Marked) -> dict[str, object]:
    return {
        "of_notification": each.claimed.notification,
        "to_destination": each.claimed.destination,
        "claimed_until": each.claimed.until,
        **{f"new_{name}": getattr(each, name) for name in _CHANGED},
    }


def _place(each: Marked) -> tuple[str, str]:
    # Two that mark at once do so in one order, or each might wait for the other.
    return each.claimed.notification, each.claimed.destination


def _is_due(at: dt.datetime) -> sa.ColumnElement[bool]:
    return (DELIVERIES.c.state == "waiting") & (DELIVERIES.c.due <= at)


def _claim(
    connection: Connection,
    claim: Claim,
    which: sa.ColumnElement[bool],
    shares: Shares,
    most: int,
) -> list[Claimed]:
    """Claim up to `most`; behind the long row of a destination that is full, too."""
    claimed: list[Claimed] = []
    for _ in range(_ROUNDS):
        if len(claimed) == most:
            break
        seen = _due(connection, claim, which, shares.full())
        taken: list[Claimed] = []
        for each in seen:
            if len(claimed) + len(taken) < most and shares.take(each.route):
                taken.append(each)
        _take(connection, claim, taken)
        claimed += taken
        if len(seen) < _AT_A_TIME:
            break
    return claimed


def _due(
    connection: Connection,
    claim: Claim,
    which: sa.ColumnElement[bool],
    full: Sequence[Route],
) -> list[Claimed]:
    """Return what is due, but to destinations that are full; nobody else claims it meanwhile."""
    told = sa.and_(
        DELIVERIES.c.owner == DESTINATIONS.c.owner,
        DELIVERIES.c.destination == DESTINATIONS.c.name,
    )
    asked = (
        sa.select(
            DELIVERIES.c.notification,
            DELIVERIES.c.destination,
            DELIVERIES.c.attempts,
            DELIVERIES.c.error,
            DELIVERIES.c.owner,
            NOTIFICATIONS.c.kind,
            NOTIFICATIONS.c.body,
            DESTINATIONS.c.url,
            DESTINATIONS.c.secret,
        )
        .join(NOTIFICATIONS, NOTIFICATIONS.c.notification == DELIVERIES.c.notification)
        .outerjoin(DESTINATIONS, told)
        .where(_is_due(claim.at), which, *(~_of(route) for route in full))
        .order_by(DELIVERIES.c.due)
        .limit(_AT_A_TIME)
        .with_for_update(of=DELIVERIES, skip_locked=True)
    )
    return [Claimed(*row[:4], claim.until, *row[4:]) for row in connection.execute(asked)]


def _of(route: Route) -> sa.ColumnElement[bool]:
    if route.is_built_in:
        return DELIVERIES.c.destination == route.destination
    theirs = DELIVERIES.c.owner == route.owner
    if not route.destination:
        return theirs & DELIVERIES.c.destination.not_in(BUILT_IN)
    return theirs & (DELIVERIES.c.destination == route.destination)


def _take(connection: Connection, claim: Claim, taken: Sequence[Claimed]) -> None:
    if not taken:
        return
    this = (DELIVERIES.c.notification == sa.bindparam("of_notification")) & (
        DELIVERIES.c.destination == sa.bindparam("to_destination")
    )
    moved = sa.update(DELIVERIES).where(this).values(due=claim.until, claimed_by=claim.by)
    connection.execute(
        moved,
        [
            {"of_notification": each.notification, "to_destination": each.destination}
            for each in taken
        ],
    )
