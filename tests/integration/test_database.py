"""The relational store keeps one contract, in a file of SQLite and on a PostgreSQL server."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr

from database import Database, audit, keys, open_database, prepare
from database.audit import Entry
from database.keys import KeyRow
from database.migrating import HEAD, MIGRATIONS, config, revision_of, upgrade
from database.secrets import shared_secret
from database.tables import METADATA
from lake.errors import DatabaseBehindError, DatabaseError, DatabaseUnavailableError
from lake.settings import Settings
from tests.parts import free_port

NOW = dt.datetime(2026, 1, 5, 12, 0, 0, 123456, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(minutes=1)
DIGEST = "0" * 64
ROW = KeyRow("ab12", "of a test", "someone", DIGEST, "read live", NOW, expires=LATER)


def add(database: Database, *rows: KeyRow) -> None:
    with database.write() as connection:
        for row in rows:
            keys.add_key(connection, row)


def test_a_key_is_read_as_it_was_put_in(any_database: Database) -> None:
    add(any_database, ROW)

    with any_database.read() as connection:
        assert [ROW] == keys.all_keys(connection)
        assert ROW == keys.find_key(connection, "ab12")
        assert keys.find_key(connection, "cd34") is None
        assert keys.has_keys(connection)


def test_an_instant_of_another_zone_comes_back_as_the_same_instant(any_database: Database) -> None:
    east = dt.timezone(dt.timedelta(hours=9))
    add(any_database, KeyRow("ab12", "n", "o", DIGEST, "read", NOW.astimezone(east)))

    with any_database.read() as connection:
        (found,) = keys.all_keys(connection)
    assert (NOW, dt.timedelta(0)) == (found.created, found.created.utcoffset())


def test_a_key_is_revoked_once(any_database: Database) -> None:
    add(any_database, ROW)

    with any_database.write() as connection:
        assert keys.revoke_key(connection, "ab12", LATER)
        assert not keys.revoke_key(connection, "ab12", NOW)
        assert not keys.revoke_key(connection, "cd34", NOW)
        found = keys.find_key(connection, "ab12")
    assert found is not None
    assert LATER == found.revoked


def test_a_use_moves_forward_and_never_back(any_database: Database) -> None:
    add(any_database, ROW)

    for at in (NOW, LATER, NOW):
        with any_database.write() as connection:
            keys.mark_used(connection, "ab12", at)
    with any_database.read() as connection:
        assert [LATER] == [row.used for row in keys.all_keys(connection)]


def test_the_audit_log_tells_the_latest_first(any_database: Database) -> None:
    entries = [Entry(NOW, "ab12", "127.0.0.1", "key created", str(n)) for n in range(3)]
    with any_database.write() as connection:
        for entry in entries:
            audit.note(connection, entry)

    with any_database.read() as connection:
        assert [entries[2], entries[1]] == audit.latest(connection, 2)


def test_what_fails_leaves_nothing_behind(any_database: Database) -> None:
    with pytest.raises(DatabaseError, match="failed"), any_database.write() as connection:  # noqa: PT012 - in one transaction
        keys.add_key(connection, ROW)
        keys.add_key(connection, ROW)

    with any_database.read() as connection:
        assert not keys.has_keys(connection)


def test_all_processes_get_one_secret_whoever_proposes_first(any_settings: Settings) -> None:
    databases = [open_database(any_settings) for _ in range(8)]
    upgrade(databases[0])
    begin = threading.Barrier(len(databases))

    def propose(number: int) -> str:
        begin.wait()
        return shared_secret(databases[number], "tokens", f"secret {number}", NOW)

    with ThreadPoolExecutor(len(databases)) as threads:
        found = set(threads.map(propose, range(len(databases))))
    for database in databases:
        database.close()
    assert 1 == len(found)


def test_the_migrations_make_the_tables_that_queries_name(any_database: Database) -> None:
    with any_database.read() as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection), METADATA)


def test_the_newest_migration_is_the_one_that_is_checked_for(own_database: Database) -> None:
    with own_database.read() as connection:
        heads = ScriptDirectory.from_config(config(connection)).get_heads()

    assert [HEAD] == heads
    assert MIGRATIONS.is_dir()


def test_an_upgrade_is_told_and_a_second_one_does_nothing(
    any_settings: Settings, database_of: Callable[[Settings], Database]
) -> None:
    database = database_of(any_settings)

    assert (None, False) == (revision_of(database).at, revision_of(database).is_current)
    assert [None, HEAD] == [upgrade(database).at, upgrade(database).at]
    assert revision_of(database).is_current


def upgrade_in_a_process(url: str | None, state: str) -> str | None:
    database = open_database(
        Settings(state=state, database_url=None if url is None else SecretStr(url))
    )
    before = upgrade(database).at
    database.close()
    return before


def test_of_processes_that_upgrade_at_once_one_does(any_settings: Settings) -> None:
    secret = any_settings.database_url
    url = None if secret is None else secret.get_secret_value()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        asked = [(url, any_settings.state)] * 4
        found = pool.starmap(upgrade_in_a_process, asked, chunksize=1)

    assert [HEAD] * 3 == [before for before in found if before is not None]


def test_a_file_is_upgraded_by_itself_and_is_its_owner_s_alone(
    database_of: Callable[[Settings], Database], tmp_path: Path
) -> None:
    database = database_of(Settings(state=str(tmp_path / "state")))
    prepare(database)
    (path,) = (tmp_path / "state").rglob("fiblake.sqlite")

    assert revision_of(database).is_current
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    with database.read() as connection:
        assert "wal" == connection.scalar(sa.text("PRAGMA journal_mode"))


def test_a_server_that_is_behind_is_named_with_the_command(
    postgres_settings: Settings, database_of: Callable[[Settings], Database]
) -> None:
    database = database_of(postgres_settings)

    with pytest.raises(DatabaseBehindError, match=r"is at nothing.* Hint: fiblake db upgrade\."):
        prepare(database)
    with pytest.raises(DatabaseBehindError, match="api_keys"), database.read() as connection:
        keys.all_keys(connection)


def test_a_database_of_a_newer_version_is_refused(any_database: Database) -> None:
    with any_database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    for use in (prepare, upgrade):
        with pytest.raises(DatabaseError, match="is at 9999: this version knows"):
            use(any_database)


def test_a_server_that_is_not_there_is_told_without_the_password(
    database_of: Callable[[Settings], Database],
) -> None:
    url = f"postgresql://someone:pass-word@127.0.0.1:{free_port()}/fiblake"
    database = database_of(Settings(database_url=SecretStr(url)))

    with pytest.raises(DatabaseUnavailableError, match="does not answer") as raised:
        revision_of(database)
    assert "pass-word" not in str(raised.value)
    assert "FIBLAKE_DATABASE_URL" in raised.value.hint


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DatabaseUnavailableError, match="cannot be opened") as raised:
        open_database(Settings(state=str(tmp_path / "file")))
    assert "check FIBLAKE_STATE." == raised.value.hint


def test_readers_do_not_wait_for_a_writer(own_database: Database) -> None:
    with own_database.write() as writing:
        keys.add_key(writing, ROW)
        with own_database.read() as reading:
            assert not keys.has_keys(reading)


def test_what_is_committed_to_a_file_outlasts_a_loss_of_power(own_database: Database) -> None:
    with own_database.write() as connection:
        assert (2,) == connection.exec_driver_sql("PRAGMA synchronous").one()  # FULL


@pytest.mark.parametrize("said", ["", " \n"])
def test_a_driver_that_says_nothing_is_told_by_its_kind(own_database: Database, said: str) -> None:
    silent = sa.exc.OperationalError(None, None, Exception(said))
    kind = pytest.raises(DatabaseUnavailableError, match="does not answer: OperationalError")

    with kind, own_database.read():
        raise silent


def test_what_another_process_writes_is_seen_though_this_one_opened_the_file_twice(
    tmp_path: Path,
) -> None:
    settings = Settings(state=str(tmp_path))
    first = open_database(settings)
    prepare(first)
    with first.read() as connection:
        assert [] == keys.all_keys(connection)
    second = open_database(settings)  # to close the file itself would let go of all its locks
    context = multiprocessing.get_context("spawn")
    other = context.Process(target=_add_apart, args=(settings,))
    other.start()
    other.join()

    with first.read() as connection:
        assert [ROW] == keys.all_keys(connection)
    first.close()
    second.close()


def _add_apart(settings: Settings) -> None:
    database = open_database(settings)
    add(database, ROW)
    database.close()
