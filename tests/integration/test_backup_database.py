"""The database into a backup and out of it: from each kind into each, row by row."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from batch_layer.backups import dump as dumping
from batch_layer.backups.dump import dump
from batch_layer.backups.load import load
from batch_layer.backups.manifest import DatabaseDump
from batch_layer.backups.values import KINDS, line_of, row_of, table_of
from database import Database
from database.audit import Entry, note
from database.migrating import HEAD, migrate, revision_of, upgrade
from database.tables import AUDIT_LOG, METADATA, Instant
from lake.errors import BackupError, DatabaseError
from lake.settings import Settings
from lake.store import LocalStore
from tests.parts import PostgresServer

AT = dt.datetime(2026, 1, 5, 21, 0, 0, 123456, tzinfo=dt.UTC)
TEXTS = (
    "",
    " ",
    "é€𝄞",
    'a "quote", a\\slash',
    "line\nline\r\n\u2028",
    "NULL",
    "null",
    "x" * 20_000,
)
INSTANTS = (
    AT,
    dt.datetime(1, 1, 2, tzinfo=dt.UTC),
    dt.datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=dt.UTC),
    dt.datetime(2026, 3, 8, 3, 30, tzinfo=dt.timezone(dt.timedelta(hours=-5))),
)
Rows = dict[str, list[dict[str, Any]]]
Open = Callable[[Settings], Database]


def awkward() -> Rows:
    """Return rows of every table, of values that are easily lost."""
    return {
        table.name: [_row(table, number) for number in range(12)]
        for table in METADATA.sorted_tables
    }


def _row(table: sa.Table, number: int) -> dict[str, Any]:
    return {column.name: _value(column, number) for column in table.columns}


def _value(column: sa.Column[Any], number: int) -> Any:
    if column.nullable and number % 3 == 2:
        return None
    if isinstance(column.type, Instant):
        return INSTANTS[number % len(INSTANTS)]
    if isinstance(column.type, sa.Boolean):
        return number % 2 == 0
    if isinstance(column.type, sa.Integer):
        return 2**31 - 1 - number
    if column.primary_key:
        return f"é{number}"
    text = TEXTS[number % len(TEXTS)]
    length = getattr(column.type, "length", None)
    return text[:length]


def fill(database: Database, rows: Rows) -> None:
    with database.write() as connection:
        for name, some in rows.items():
            connection.execute(sa.insert(METADATA.tables[name]), some)


def content(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with database.read() as connection:
        return {
            table.name: sorted(
                (tuple(row) for row in connection.execute(sa.select(table))), key=repr
            )
            for table in METADATA.sorted_tables
        }


@pytest.fixture(params=["sqlite", "postgresql"])
def other_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of another empty database, of each kind."""
    if request.param == "sqlite":
        return Settings(state=str(tmp_path / "other"))
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return Settings(database_url=SecretStr(server.new_database()))


@pytest.fixture
def place(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "backups", private=True)


def test_every_row_of_every_table_comes_back_from_each_kind_into_each(
    any_database: Database, other_settings: Settings, database_of: Open, place: LocalStore
) -> None:
    fill(any_database, awkward())
    told = dump(any_database, place, "one")
    other = database_of(other_settings)

    load(told, place, other, replace=False)

    assert {table.name for table in METADATA.sorted_tables} == {each.name for each in told.tables}
    assert all(each.rows == 12 for each in told.tables)
    assert content(any_database) == content(other)
    assert revision_of(other).is_current


@given(st.data())
def test_values_of_every_kind_are_the_same_when_read_back(data: st.DataObject) -> None:
    values: dict[str, st.SearchStrategy[Any]] = {
        "text": st.text(),
        "integer": st.integers(-(2**63), 2**63 - 1),
        "boolean": st.booleans(),
        "float": st.floats(allow_nan=False),
        "instant": st.datetimes(timezones=st.just(dt.UTC)),
        "decimal": st.decimals(allow_nan=False, allow_infinity=False),
        "bytes": st.binary(),
        "json": st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
    }
    kinds = {f"{kind}_": kind for kind in KINDS}
    row = {f"{kind}_": data.draw(st.none() | values[kind]) for kind in KINDS}

    told = line_of(list(row.values()), kinds)

    assert told.endswith(b"\n")
    assert row == row_of(json.loads(told), kinds)


def test_numbers_go_on_after_those_that_came_back(
    any_database: Database, other_settings: Settings, database_of: Open, place: LocalStore
) -> None:
    for _ in range(3):
        with any_database.write() as connection:
            note(connection, Entry(AT, "who", "where", "did", "what"))
    other = database_of(other_settings)
    load(dump(any_database, place, "one"), place, other, replace=False)

    with other.write() as connection:
        note(connection, Entry(AT, "who", "where", "did", "more"))

    with other.read() as connection:
        found = connection.scalars(sa.select(AUDIT_LOG.c.number).order_by(AUDIT_LOG.c.number))
        assert [1, 2, 3, 4] == list(found)


def test_a_table_larger_than_a_part_is_in_several(
    any_database: Database,
    database_of: Open,
    place: LocalStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(any_database, awkward())
    monkeypatch.setattr(dumping, "PART_BYTES", 1)

    told = dump(any_database, place, "one")

    assert {12} == {len(each.pieces) for each in told.tables}
    other = database_of(Settings(state=str(tmp_path / "third")))
    load(told, place, other, replace=False)
    assert content(any_database) == content(other)


def test_a_dump_is_of_one_moment_whatever_is_written_meanwhile(
    any_database: Database, place: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = awkward()
    fill(any_database, {name: some[:1] for name, some in rows.items()})
    tables = dumping.columns_of

    def meanwhile(connection: sa.Connection) -> Any:
        found = tables(connection)
        fill(any_database, {name: some[1:] for name, some in rows.items()})
        return found

    monkeypatch.setattr(dumping, "columns_of", meanwhile)

    told = dump(any_database, place, "one")

    assert {1} == {each.rows for each in told.tables}


def test_what_a_database_holds_gives_way_only_if_that_is_said(
    any_database: Database, place: LocalStore
) -> None:
    rows = awkward()
    fill(any_database, rows)
    told = dump(any_database, place, "one")
    kept = content(any_database)
    with any_database.write() as connection:
        connection.execute(sa.update(METADATA.tables["secrets"]).values(value="another"))
    changed = content(any_database)

    with pytest.raises(BackupError, match=r"holds rows, as in .* add --force"):
        load(told, place, any_database, replace=False)
    assert changed == content(any_database)

    load(told, place, any_database, replace=True)
    assert kept == content(any_database)


def test_a_damaged_dump_changes_nothing(any_database: Database, place: LocalStore) -> None:
    fill(any_database, awkward())
    told = dump(any_database, place, "one")
    before = content(any_database)
    last = told.tables[-1].pieces[-1].key
    place.put(last, place.get(last).data[:-1])

    with pytest.raises(BackupError, match=r"is damaged"):
        load(told, place, any_database, replace=True)

    assert before == content(any_database)
    assert revision_of(any_database).is_current


def test_a_dump_of_an_older_version_is_brought_to_this_one(
    any_settings: Settings, other_settings: Settings, database_of: Open, place: LocalStore
) -> None:
    old = database_of(any_settings)
    with old.write() as connection:
        migrate(connection, "0001")
    fill(old, {name: rows for name, rows in awkward().items() if name in {"api_keys", "secrets"}})
    told = dump(old, place, "one")
    assert ("0001", {"api_keys", "audit_log", "secrets"}) == (
        told.revision,
        {each.name for each in told.tables},
    )

    other = database_of(other_settings)
    load(told, place, other, replace=False)

    upgrade(old)
    assert content(old) == content(other)


def test_a_database_without_tables_is_one_that_has_them_empty(
    any_settings: Settings, database_of: Open, place: LocalStore, tmp_path: Path
) -> None:
    told = dump(database_of(any_settings), place, "one")
    assert (None, []) == (told.revision, list(told.tables))

    other = database_of(Settings(state=str(tmp_path / "third")))
    load(told, place, other, replace=False)

    assert revision_of(other).is_current


def test_what_is_newer_than_this_version_is_refused(
    any_database: Database, place: LocalStore
) -> None:
    with pytest.raises(BackupError, match=rf"is at 9999: this version knows {HEAD}"):
        load(DatabaseDump("there", "9999", []), place, any_database, replace=True)
    with any_database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(DatabaseError, match=rf"is at 9999: this version knows {HEAD}"):
        dump(any_database, place, "one")
    with pytest.raises(DatabaseError, match=rf"is at 9999: this version knows {HEAD}"):
        load(DatabaseDump("there", HEAD, []), place, any_database, replace=True)


def test_a_table_of_other_columns_than_its_migration_made_is_refused(
    any_database: Database, place: LocalStore, database_of: Open, tmp_path: Path
) -> None:
    with any_database.write() as connection:
        connection.execute(sa.text("ALTER TABLE secrets ADD COLUMN odd TEXT"))
    told = dump(any_database, place, "one")

    with pytest.raises(BackupError, match=r"secrets is not the table .* differs in odd"):
        load(told, place, database_of(Settings(state=str(tmp_path / "x"))), replace=False)


def test_a_column_that_no_kind_holds_is_refused(
    postgres_settings: Settings, database_of: Open, place: LocalStore
) -> None:
    database = database_of(postgres_settings)
    upgrade(database)
    with database.write() as connection:
        connection.execute(sa.text("ALTER TABLE secrets ADD COLUMN odd INTERVAL"))

    with pytest.raises(BackupError, match=r"The column secrets\.odd is a INTERVAL"):
        dump(database, place, "one")


def test_tables_of_others_in_the_same_database_are_left_alone(
    any_database: Database, place: LocalStore
) -> None:
    with any_database.write() as connection:
        connection.execute(sa.text("CREATE TABLE others (a INTEGER)"))
        connection.execute(sa.text("INSERT INTO others VALUES (7)"))
    told = dump(any_database, place, "one")

    load(told, place, any_database, replace=True)

    assert "others" not in {each.name for each in told.tables}
    with any_database.read() as connection:
        assert 7 == connection.scalar(sa.text("SELECT a FROM others"))


def test_kinds_read_as_the_table_itself_does(any_database: Database) -> None:
    fill(any_database, awkward())
    with any_database.read() as connection:
        for name, kinds in dumping.columns_of(connection).items():
            both = [
                sorted(map(repr, connection.execute(sa.select(table))))
                for table in (METADATA.tables[name], table_of(name, kinds))
            ]
            assert both[0] == both[1]
