"""Destinations are their owner's, and their secrets nobody's, in both kinds of database."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from database import Database
from database.audit import Entry, latest
from database.destinations import (
    Destination,
    destinations_of,
    find_destination,
    names_of,
    put_destination,
    remove_destination,
)
from database.outbox import Claim, Most, Shares, claim
from database.tables import ALERT_RULES, DESTINATIONS
from lake.alerts.destination import NewDestination
from lake.errors import InvalidDestinationError, UnknownDestinationError
from tests.outbox import ACTOR, ME, NOW, add_destination, notify
from tests.receiving import SECRET

URL = "https://example.com/hooks/token"


def add_rule(database: Database, alert: str, *to: str, owner: str = ME) -> None:
    with database.write() as connection:
        row = {"alert": alert, "owner": owner, "symbol": "AAPL", "revision": 1}
        deliver = ", ".join(f'"{each}"' for each in to)
        rest = {"definition": f'{{"deliver": [{deliver}]}}', "created": NOW, "changed": NOW}
        connection.execute(sa.insert(ALERT_RULES).values({**row, **rest}))


def remove(database: Database, name: str = "hook", owner: str = ME) -> None:
    with database.write() as connection:
        remove_destination(connection, owner, name, actor=ACTOR, at=NOW)


def test_destinations_are_listed_by_owner_and_name_without_secrets(any_database: Database) -> None:
    add_destination(any_database, URL, name="b")
    add_destination(any_database, URL, name="a")
    add_destination(any_database, URL, name="c", owner="you")
    with any_database.read() as connection:
        mine = destinations_of(connection, ME)
        assert frozenset({"a", "b"}) == names_of(connection, ME)
        assert mine[0] == find_destination(connection, ME, "a")
        with pytest.raises(UnknownDestinationError, match="'me' has no destination 'c'"):
            find_destination(connection, ME, "c")

    assert [Destination(ME, "a", URL, NOW), Destination(ME, "b", URL, NOW)] == mine
    assert SECRET not in repr(mine)


def test_a_destination_is_replaced_with_its_secret(any_database: Database) -> None:
    other = "whsec_" + "A" * 32
    add_destination(any_database, URL)
    add_destination(any_database, f"{URL}2", secret=other)
    notify(any_database, "al_1.1.1")
    with any_database.write() as connection:
        until = NOW + dt.timedelta(seconds=1)
        (found,) = claim(connection, Claim("a", NOW, until), Shares([], lambda _: 1), Most(1, 1))

    assert (f"{URL}2", other) == (found.url, found.secret)


def test_changes_are_noted_without_what_is_secret(any_database: Database) -> None:
    add_destination(any_database, URL)
    add_destination(any_database, URL)
    remove(any_database)
    with any_database.read() as connection:
        entries = latest(connection, 10)

    said = "of me, at example.com"
    assert [
        Entry(NOW, "command:test", "host", "destination removed", "hook", said),
        Entry(NOW, "command:test", "host", "destination replaced", "hook", said),
        Entry(NOW, "command:test", "host", "destination added", "hook", said),
    ] == entries


def test_someone_else_s_destination_is_not_removed(any_database: Database) -> None:
    add_destination(any_database, URL)
    with pytest.raises(UnknownDestinationError, match="'you' has no destination 'hook'"):
        remove(any_database, owner="you")

    remove(any_database)
    with any_database.read() as connection:
        assert [] == connection.execute(sa.select(DESTINATIONS)).all()


def test_a_destination_that_an_alert_is_told_to_stays(any_database: Database) -> None:
    add_destination(any_database, URL)
    add_rule(any_database, "al_1", "log", "hook")
    add_rule(any_database, "al_2", "hook", owner="you")
    with pytest.raises(InvalidDestinationError, match="1 alerts are told to it, as al_1"):
        remove(any_database)
    with any_database.write() as connection:
        connection.execute(sa.update(ALERT_RULES).values(deleted=NOW))

    remove(any_database)


def test_an_owner_has_no_more_than_so_many(any_database: Database) -> None:
    def put(name: str, owner: str = ME) -> None:
        new = NewDestination(name, URL, SECRET)
        with any_database.write() as connection:
            put_destination(connection, owner, new, actor=ACTOR, at=NOW, most=2)

    put("a")
    put("b")
    put("a")
    put("a", owner="you")
    with pytest.raises(InvalidDestinationError, match="'me' has 2 destinations"):
        put("c")
