"""A small lake to back up, a place for its backups of each kind, and entries in a database."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Final

import pytest

from database import Database
from database.audit import Entry, note
from lake import keys
from lake.settings import Settings
from lake.store import LocalStore, ObjectStore, open_backups
from tests.parts import MotoServer

AT: Final = dt.datetime(2026, 1, 5, 21, tzinfo=dt.UTC)
DAY: Final = dt.timedelta(days=1)


@pytest.fixture(params=["folder", "s3"])
def any_place(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """A store of backups, as settings open it, of each kind."""
    if request.param == "folder":
        return open_backups(Settings(lake=str(tmp_path / "lake")))
    server: MotoServer = request.getfixturevalue("moto_server")
    return open_backups(server.settings())


@pytest.fixture
def some_lake(tmp_path: Path) -> LocalStore:
    """A lake of one object in each of its areas."""
    store = LocalStore(tmp_path / "lake")
    for key in (
        "landing/massive/daily/2026-01-05/20260105T211500Z.json.gz",
        "landing/massive/live/session=2026-01-05/00000001.jsonl.gz",
        "bronze/daily/year=2026/bars.parquet",
        "silver/interval=13d/year=2026/bars.parquet",
        keys.SPLITS,
        keys.IMPORTS,
    ):
        store.put(key, packed(key) if key.endswith(".gz") else key.encode())
    store.put(keys.BOUNDARY, json.dumps({"daily": "2026-01-05"}).encode())
    return store


def packed(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)


def write(database: Database, subject: str) -> None:
    with database.write() as connection:
        note(connection, Entry(AT, "who", "where", "did", subject))


def subjects(database: Database) -> list[str]:
    with database.read() as connection:
        found = connection.exec_driver_sql("SELECT subject FROM audit_log ORDER BY number")
        return [row[0] for row in found]
