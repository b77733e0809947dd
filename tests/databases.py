"""Databases of both kinds, on real servers, and keys in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from database import Database, open_database, prepare
from database.migrating import upgrade
from lake.settings import Settings
from tests.parts import PostgresServer

OpenDatabase = Callable[[], Database]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server; who kills it starts it again."""
    server = PostgresServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres_settings(postgres_server: PostgresServer) -> Settings:
    """Settings of a new, empty database on it."""
    return Settings(database_url=SecretStr(postgres_server.new_database()))


@pytest.fixture(params=["sqlite", "postgresql"])
def any_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a new, empty database of each kind."""
    if request.param == "sqlite":
        return Settings(state=str(tmp_path / "state"))
    settings: Settings = request.getfixturevalue("postgres_settings")
    return settings


@pytest.fixture
def database_of() -> Iterator[Callable[[Settings], Database]]:
    """Open databases, which are closed in the end."""
    databases: list[Database] = []

    def open_(settings: Settings) -> Database:
        databases.append(open_database(settings))
        return databases[-1]

    yield open_
    for database in databases:
        database.close()


@pytest.fixture
def any_database(any_settings: Settings, database_of: Callable[[Settings], Database]) -> Database:
    """A database of each kind, upgraded."""
    database = database_of(any_settings)
    upgrade(database)
    return database


@pytest.fixture
def own_database(database_of: Callable[[Settings], Database]) -> Database:
    """A database in a file of the test's, upgraded."""
    database = database_of(Settings())
    prepare(database)
    return database
