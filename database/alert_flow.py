"""Queries of whoever evaluates alerts: what it begins with, what changed, and how far it came.

    take_over ──► rules, states, market ──► ... ──► keep_progress, again and again

One process evaluates. A later one takes over by raising the flow's epoch, and what the earlier one
would keep after that is refused: all of it, as it is one transaction.

Units: instants are UTC; those of the flow are its own time.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - a dataclass's fields
from collections.abc import Mapping, Sequence  # noqa: TC003 - likewise
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert  # SQLite has the same words for it

from database.notifications import NotificationRow, add_notifications
from database.tables import ALERT_FLOW, ALERT_MARKET, ALERT_RULES, ALERT_STATES
from lake.errors import TakenOverError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_NAME: Final = "alerts"
_AT_ONCE: Final = 1_000
"""Ids in one statement, of which each is a parameter."""
_SHOWN: Final = (
    ALERT_RULES.c.alert,
    ALERT_RULES.c.owner,
    ALERT_RULES.c.definition,
    ALERT_RULES.c.revision,
    ALERT_RULES.c.changed,
    ALERT_RULES.c.muted_until,
    ALERT_RULES.c.deleted,
)


@dataclass(frozen=True, slots=True)
class RuleRow:
    """An alert, as whoever evaluates it has to know it.

    Attributes:
        alert: Its id.
        owner: Whose.
        definition: Its rule, JSON.
        revision: Counts the changes of the rule.
        changed: When the row changed last.
        muted_until: Until when it is told to nobody; None: it is told.
        deleted: When it was; None: it is not.
    """

    alert: str
    owner: str
    definition: str
    revision: int
    changed: dt.datetime
    muted_until: dt.datetime | None
    deleted: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Version:
    """What tells whether an alert is as it was known, without its rule; as `RuleRow`."""

    alert: str
    revision: int
    changed: dt.datetime
    muted_until: dt.datetime | None
    deleted: dt.datetime | None


@dataclass(frozen=True, slots=True)
class StateRow:
    """How far an alert is.

    Attributes:
        alert: Its id.
        revision: Of which revision of its rule.
        state: JSON of `lake.alerts`.
        fired: How often that fired.
        last_fired: When it did last, by the flow's time.
        is_done: Whether it fires no more.
        adopted: From when on it is evaluated, by the flow's time; None: from the flow's begin.
    """

    alert: str
    revision: int
    state: str
    fired: int
    last_fired: dt.datetime | None
    is_done: bool
    adopted: dt.datetime | None


_STATE: Final = tuple(each.name for each in fields(StateRow))
_values: Final = attrgetter(*_STATE)
"""Of a row; `asdict` takes ten times as long, and whoever evaluates waits for the interpreter."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Who evaluates, and how far it came.

    Attributes:
        epoch: Of who took over last.
        position: JSON of who evaluates; empty: nothing was evaluated yet.
    """

    epoch: int
    position: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What is kept at once.

    Attributes:
        position: How far the flow was evaluated.
        states: Of alerts that changed.
        market: What changed of what alerts share, by key; None: it is no longer needed.
        firings: What is to be told, in order: notifications, and to which destinations.
        gone: Alerts whose states are no longer needed.
    """

    position: str
    states: Sequence[StateRow] = ()
    market: Mapping[str, str | None] = field(default_factory=dict)
    firings: Sequence[tuple[NotificationRow, Sequence[str]]] = ()
    gone: Sequence[str] = ()


def take_over(connection: Connection) -> Flow:
    """Let whoever evaluated before keep nothing any more; return how far it came.

    What is read on the same connection after it is what the other one kept last.
    """
    begun = insert(ALERT_FLOW).values(name=_NAME, epoch=1, position="")
    raised = begun.on_conflict_do_update(
        index_elements=[ALERT_FLOW.c.name], set_={"epoch": ALERT_FLOW.c.epoch + 1}
    ).returning(ALERT_FLOW.c.epoch, ALERT_FLOW.c.position)
    epoch, position = connection.execute(raised).one()
    return Flow(epoch, position)


def last_position(connection: Connection) -> str:
    """Return how far whoever evaluated last came: JSON; empty: nothing was evaluated yet."""
    found = connection.scalar(sa.select(ALERT_FLOW.c.position).where(ALERT_FLOW.c.name == _NAME))
    return found or ""


def all_rules(connection: Connection) -> list[RuleRow]:
    """Return all alerts that are not deleted."""
    found = sa.select(*_SHOWN).where(ALERT_RULES.c.deleted.is_(None))
    return [RuleRow(*row) for row in connection.execute(found)]


def rules_of(connection: Connection, alerts: Sequence[str]) -> list[RuleRow]:
    """Return the alerts of those ids, deleted ones too."""
    return [
        RuleRow(*row)
        for some in _parts(alerts)
        for row in connection.execute(sa.select(*_SHOWN).where(ALERT_RULES.c.alert.in_(some)))
    ]


def versions(connection: Connection, since: dt.datetime | None) -> list[Version]:
    """Return of which versions the alerts are that changed at an instant or later; None: all.

    Deleted ones are among them, but where all are asked for.
    """
    asked = sa.select(
        ALERT_RULES.c.alert,
        ALERT_RULES.c.revision,
        ALERT_RULES.c.changed,
        ALERT_RULES.c.muted_until,
        ALERT_RULES.c.deleted,
    )
    which = ALERT_RULES.c.deleted.is_(None) if since is None else ALERT_RULES.c.changed >= since
    return [Version(*row) for row in connection.execute(asked.where(which))]


def all_states(connection: Connection) -> dict[str, StateRow]:
    """Return how far all alerts are that were evaluated, by id."""
    return {row.alert: StateRow(*row) for row in connection.execute(sa.select(ALERT_STATES))}


def all_market(connection: Connection) -> dict[str, str]:
    """Return what alerts share, by key."""
    found = connection.execute(sa.select(ALERT_MARKET.c.key, ALERT_MARKET.c.state))
    return {key: state for key, state in found}  # noqa: C416 - rows are no pairs to mypy


def keep_progress(connection: Connection, epoch: int, progress: Progress) -> None:
    """Keep how far the flow was evaluated, and what is to be told; a firing told already stays.

    Raises:
        TakenOverError: If another process evaluates meanwhile; nothing is kept then.
    """
    moved = sa.update(ALERT_FLOW).where(ALERT_FLOW.c.name == _NAME, ALERT_FLOW.c.epoch == epoch)
    # First: who takes over waits for this row, and then finds all of it, or comes before.
    if connection.execute(moved.values(position=progress.position)).rowcount != 1:
        fact = "Another process has taken over the evaluation of alerts."
        raise TakenOverError(fact, hint="one is enough: the later one goes on where this ended.")
    states = [dict(zip(_STATE, _values(each), strict=True)) for each in progress.states]
    _put(connection, ALERT_STATES, states)
    market = progress.market.items()
    _put(connection, ALERT_MARKET, [{"key": k, "state": v} for k, v in market if v is not None])
    _drop(connection, ALERT_STATES.c.alert, progress.gone)
    _drop(connection, ALERT_MARKET.c.key, [key for key, state in market if state is None])
    add_notifications(connection, progress.firings)


def _put(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    (key,) = table.primary_key.columns
    put = insert(table)
    changed = {column.name: put.excluded[column.name] for column in table.columns}
    del changed[key.name]
    connection.execute(put.on_conflict_do_update(index_elements=[key], set_=changed), rows)


def _drop(connection: Connection, key: sa.ColumnElement[str], gone: Sequence[str]) -> None:
    for some in _parts(gone):
        connection.execute(sa.delete(key.table).where(key.in_(some)))


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE))
