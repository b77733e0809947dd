"""Queries on alerts: the rules that owners keep.

Each one asks for one owner's, and no other's; but `all_alerts`, which is for whoever runs the
server.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert  # SQLite has the same words for it

from database.tables import ALERT_RULES, ALERT_STATES

if TYPE_CHECKING:
    from sqlalchemy import Connection

FOREVER: Final = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
"""Until when one is muted that is so for good: the last that any zone of a server can tell."""


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as it is kept.

    Attributes:
        alert: Its id.
        owner: Whose it is.
        symbol: Of what.
        definition: Its rule, JSON.
        revision: How often that was changed, from 1.
        created: When.
        changed: When anything of it was changed last.
        muted_until: Until when nobody is told of it; `FOREVER`: until that is taken back.
    """

    alert: str
    owner: str
    symbol: str
    definition: str
    revision: int
    created: dt.datetime
    changed: dt.datetime
    muted_until: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an alert is at its revision: how often it fired, when last, whether it is done."""

    fired: int
    last_fired: dt.datetime | None
    is_done: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """An alert, and how far it is; None: its revision is not evaluated yet."""

    row: AlertRow
    progress: Progress | None


_COLUMNS: Final = [ALERT_RULES.c[name] for name in AlertRow.__dataclass_fields__]
_PROGRESS: Final = [ALERT_STATES.c[name] for name in Progress.__dataclass_fields__]
_AT_ITS_REVISION: Final = (ALERT_STATES.c.alert == ALERT_RULES.c.alert) & (
    ALERT_STATES.c.revision == ALERT_RULES.c.revision
)


def hold_owner(connection: Connection, owner: str) -> None:
    """Let no other transaction that holds an owner's alerts go on until this one ends.

    So what is counted, or looked up, of an owner is still so when it is written.
    """
    if connection.dialect.name == "sqlite":  # its own lock is held since the transaction began
        return
    digest = hashlib.sha256(f"alerts of {owner}".encode()).digest()
    name = int.from_bytes(digest[:8], "big", signed=True)
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(name)))


def add_alert(connection: Connection, row: AlertRow) -> bool:
    """Keep a new alert; return whether its id was free."""
    added = insert(ALERT_RULES).values(asdict(row)).on_conflict_do_nothing()
    # What it returns tells: not every driver counts the rows of an insert.
    return connection.execute(added.returning(ALERT_RULES.c.alert)).first() is not None


def count_alerts(connection: Connection, owner: str) -> int:
    """Return how many alerts an owner has."""
    asked = sa.select(sa.func.count()).select_from(ALERT_RULES).where(_of(owner))
    return connection.execute(asked).scalar_one()


def find_alert(connection: Connection, owner: str, alert: str) -> Kept | None:
    """Return an owner's alert of an id, if there is one."""
    found = connection.execute(_asked(owner).where(ALERT_RULES.c.alert == alert)).first()
    return _kept(found) if found else None


def had_alert(connection: Connection, owner: str, alert: str) -> bool:
    """Return whether an owner has an alert of an id, or had one that was deleted."""
    asked = sa.select(ALERT_RULES.c.alert).where(
        ALERT_RULES.c.alert == alert, ALERT_RULES.c.owner == owner
    )
    return connection.execute(asked).first() is not None


def list_alerts(
    connection: Connection,
    owner: str,
    *,
    symbol: str | None = None,
    after: tuple[dt.datetime, str] | None = None,
    limit: int | None = None,
) -> list[Kept]:
    """Return an owner's alerts, in order of creation.

    Args:
        connection: Of the database.
        owner: Whose.
        symbol: Of this symbol alone; None: of all.
        after: Only those behind this (created, id).
        limit: At most so many; None: all.
    """
    asked = _asked(owner).order_by(ALERT_RULES.c.created, ALERT_RULES.c.alert).limit(limit)
    if symbol is not None:
        asked = asked.where(ALERT_RULES.c.symbol == symbol)
    if after is not None:
        created, alert = after
        same = (ALERT_RULES.c.created == created) & (ALERT_RULES.c.alert > alert)
        asked = asked.where((ALERT_RULES.c.created > created) | same)
    return [_kept(row) for row in connection.execute(asked)]


def all_alerts(connection: Connection, *, symbol: str | None = None) -> list[Kept]:
    """Return all owners' alerts, by owner, in order of creation; None: of whatever symbol."""
    ordered = (ALERT_RULES.c.owner, ALERT_RULES.c.created, ALERT_RULES.c.alert)
    asked = _selected().where(ALERT_RULES.c.deleted.is_(None)).order_by(*ordered)
    if symbol is not None:
        asked = asked.where(ALERT_RULES.c.symbol == symbol)
    return [_kept(row) for row in connection.execute(asked)]


def replace_rule(  # noqa: PLR0913 - what a rule is kept by
    connection: Connection, owner: str, alert: str, *, symbol: str, definition: str, at: dt.datetime
) -> bool:
    """Give an owner's alert another rule, as its next revision; return whether there is one."""
    changed = {
        "symbol": symbol,
        "definition": definition,
        "revision": ALERT_RULES.c.revision + 1,
        "changed": at,
    }
    return _change(connection, owner, alert, changed)


def mute_alert(
    connection: Connection, owner: str, alert: str, until: dt.datetime | None, at: dt.datetime
) -> bool:
    """Tell nobody of an owner's alert until an instant; None: do. Return whether there is one."""
    return _change(connection, owner, alert, {"muted_until": until, "changed": at})


def delete_alert(connection: Connection, owner: str, alert: str, at: dt.datetime) -> bool:
    """Delete an owner's alert; return whether there was one. What it fired stays."""
    return _change(connection, owner, alert, {"deleted": at, "changed": at})


def _asked(owner: str) -> sa.Select[tuple[Any, ...]]:
    return _selected().where(_of(owner))


def _selected() -> sa.Select[tuple[Any, ...]]:
    joined = sa.outerjoin(ALERT_RULES, ALERT_STATES, _AT_ITS_REVISION)
    return sa.select(*_COLUMNS, *_PROGRESS).select_from(joined)


def _of(owner: str) -> sa.ColumnElement[bool]:
    return (ALERT_RULES.c.owner == owner) & ALERT_RULES.c.deleted.is_(None)


def _change(connection: Connection, owner: str, alert: str, changed: dict[str, object]) -> bool:
    asked = sa.update(ALERT_RULES).where(_of(owner), ALERT_RULES.c.alert == alert)
    return connection.execute(asked.values(changed)).rowcount == 1


def _kept(row: sa.Row[tuple[Any, ...]]) -> Kept:
    values: list[Any] = list(row)
    kept, progress = values[: len(_COLUMNS)], values[len(_COLUMNS) :]
    is_evaluated = progress[0] is not None
    return Kept(AlertRow(*kept), Progress(*progress) if is_evaluated else None)
