"""Creating and revoking keys, each with its entry in the audit log."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from database.audit import Entry, note
from database.keys import KeyRow, add_key, all_keys, find_key, revoke_key
from lake.errors import MisuseError, UnknownKeyError
from serving_layer.auth.key_text import digest_of, is_public_part, new_key
from serving_layer.auth.principal import ANYONE, Scope, parse_scopes

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from database import Database
    from database.audit import Actor

_LONGEST: Final = 100


@dataclass(frozen=True, slots=True)
class Key:
    """A key, as it may be shown.

    Attributes:
        key: Its public part; it names the key.
        name: What it is for.
        owner: Whose it is.
        scopes: What it may do.
        state: `valid`, `expired` or `revoked`.
        created: When.
        expires: From when on it is none; null: never.
        revoked: When it was.
        used: When it was used last, to the minute or so.
    """

    key: str
    name: str
    owner: str
    scopes: list[Scope]
    state: str
    created: dt.datetime
    expires: dt.datetime | None
    revoked: dt.datetime | None
    used: dt.datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """What is asked for: an owner by default of the key's own name, and no end.

    Keys of one owner share its alerts and webhooks.
    """

    name: str
    scopes: tuple[Scope, ...]
    owner: str = ""
    expires: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """A new key; `secret` is all of it, and shown this once."""

    secret: str = field(repr=False)
    key: Key


def state_of(row: KeyRow, now: dt.datetime) -> str:
    """Return whether a key is `valid`, `expired` or `revoked`."""
    if row.revoked is not None:
        return "revoked"
    return "expired" if row.expires is not None and row.expires <= now else "valid"


def create(database: Database, asked: NewKey, actor: Actor, now: dt.datetime) -> Created:
    """Create a key, and note who did.

    Raises:
        MisuseError: If its name is none, its scopes are, or it would have expired already; or if
            its owner would be `anyone`, and nobody said so.
        DatabaseError: If the database does not answer.
    """
    secret, public = new_key()
    row = _row(asked, public, digest_of(secret), now)
    with database.write() as connection:
        add_key(connection, row)
        detail = f"{row.name}, of {row.owner}: {row.scopes}"
        note(connection, Entry(now, actor.name, actor.address, "key created", public, detail))
    return Created(secret, _shown(row, now))


def revoke(database: Database, key: str, actor: Actor, now: dt.datetime) -> Key:
    """Revoke a key, and note who did; one that is revoked already stays as it is.

    Raises:
        UnknownKeyError: If there is no such key.
        DatabaseError: If the database does not answer.
    """
    if not is_public_part(key):  # not every text may be asked of a database
        raise _unknown(key)
    with database.write() as connection:
        if revoke_key(connection, key, now):
            note(connection, Entry(now, actor.name, actor.address, "key revoked", key))
        return _shown(_found(connection, key), now)


def listed(database: Database, now: dt.datetime) -> list[Key]:
    """Return all keys, in order of creation: those expired and revoked too.

    Raises:
        DatabaseError: If the database does not answer.
    """
    with database.read() as connection:
        return [_shown(row, now) for row in all_keys(connection)]


def _row(asked: NewKey, public: str, digest: str, now: dt.datetime) -> KeyRow:
    name = _checked(asked.name, "name")
    owner = _checked(asked.owner, "owner") if asked.owner else _owner_of(name)
    if asked.expires is not None and asked.expires <= now:
        fact = f"A key that expires at {asked.expires:%Y-%m-%dT%H:%M:%SZ} would have by now."
        raise MisuseError(fact, hint="name a later instant.")
    scopes = " ".join(parse_scopes(asked.scopes))
    return KeyRow(public, name, owner, digest, scopes, now, asked.expires)


def _owner_of(name: str) -> str:
    """Return the owner of a key for which none is asked: of its name, unless that is everybody."""
    if name == ANYONE.owner:
        fact = f"A key named {name!r} would have all that was kept before there were keys."
        hint = f'choose another name; if it is meant: --owner {name}, or "owner": "{name}".'
        raise MisuseError(fact, hint=hint)
    return name


def _checked(text: str, what: str) -> str:
    clean = text.strip()
    if not clean or len(clean) > _LONGEST or not clean.isprintable():
        fact = (
            f"{text!r} is not the {what} of a key. Allowed: 1 to {_LONGEST} printable characters."
        )
        raise MisuseError(fact)
    return clean


def _found(connection: Connection, key: str) -> KeyRow:
    row = find_key(connection, key)
    if row is None:
        raise _unknown(key)
    return row


def _unknown(key: str) -> UnknownKeyError:
    fact = f"{key!r} is no key's public part."
    return UnknownKeyError(fact, hint="fiblake keys list, or GET /v1/keys.")


def _shown(row: KeyRow, now: dt.datetime) -> Key:
    return Key(
        key=row.key,
        name=row.name,
        owner=row.owner,
        scopes=list(parse_scopes(row.scopes.split())),
        state=state_of(row, now),
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
        used=row.used,
    )
