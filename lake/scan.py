"""DuckDB connections that can read the lake, and the SQL files they run."""

from __future__ import annotations

import glob
import os.path
from importlib.resources import files as resource_files
from typing import TYPE_CHECKING, Final, cast

import duckdb

from lake.attempts import attempts
from lake.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from lake.store import ObjectStore
    from lake.store.s3 import S3Store

_ATTEMPTS: Final = 12


def connect(store: ObjectStore) -> duckdb.DuckDBPyConnection:
    """Return a new in-memory connection that reads the URIs of `store`.

    Raises:
        StoreError: If the store is on S3 and DuckDB's httpfs extension is not installed.
    """
    # Objects are replaced in place: what was cached of a file may be of the one before. The
    # operating system caches files anyway.
    connection = duckdb.connect(config={"enable_external_file_cache": False})
    connection.execute("SET TimeZone = 'UTC'")
    if on_s3 := _on_s3(store):
        from lake import httpfs  # noqa: PLC0415 - only a lake on S3 needs boto3, an extra

        httpfs.reach(connection, on_s3)
    return connection


def scan(
    connection: duckdb.DuckDBPyConnection,
    store: ObjectStore,
    objects: Mapping[str, str],
    statement: str,
    binds: Mapping[str, object],
) -> pa.Table:
    """Run a statement that reads objects, bound as `$files`, and return its rows.

    DuckDB opens a file more than once, by its name: where an object was replaced meanwhile, what it
    read may be of two versions, or no Parquet at all. So the statement runs again until the objects
    were the same before and after it.

    Args:
        connection: Where it runs.
        store: The lake.
        objects: Keys of the objects it reads, all below one prefix, with their fingerprints.
        statement: The SQL.
        binds: What else it binds.

    Raises:
        UnavailableError: If S3 did not answer, or asked to slow down, at every attempt.
        CredentialsError: If S3 refuses the credentials.
        StoreError: If what it reads is gone or damaged, or never stays the same.
    """
    files = [glob.escape(store.uri(key)) for key in objects]
    for number in attempts(_ATTEMPTS):
        before = dict(objects) if number == 0 else _fingerprints(store, objects)
        failure, rows = None, None
        try:
            rows = _rows(
                connection, store, statement, {"files": files, **binds}, what=_folder(objects)
            )
        except duckdb.Error as error:
            failure = error
        after = _fingerprints(store, objects)
        if before == after and rows is not None:
            return rows
        if before == after and failure is not None:
            fact = f"The lake cannot be read: {str(failure).partition(chr(10))[0]}"
            hint = "fiblake resample rebuilds silver; restore bronze from a copy."
            raise StoreError(fact, hint=hint) from failure
    fact = f"What was read of {store.location} kept changing through {_ATTEMPTS} attempts."
    raise StoreError(fact, hint="try again when others are done writing.")


def _rows(
    connection: duckdb.DuckDBPyConnection,
    store: ObjectStore,
    statement: str,
    binds: Mapping[str, object],
    *,
    what: str,
) -> pa.Table:
    if on_s3 := _on_s3(store):
        from lake import httpfs  # noqa: PLC0415 - likewise

        return httpfs.run(connection, on_s3, statement, binds, what=what)
    return connection.execute(statement, binds).to_arrow_table()


def _on_s3(store: ObjectStore) -> S3Store | None:
    return cast("S3Store", store) if store.location.startswith("s3://") else None


def _fingerprints(store: ObjectStore, objects: Mapping[str, str]) -> dict[str, str]:
    if not objects:
        return {}
    found = store.fingerprints(_prefix(objects))
    return {key: found[key] for key in objects if key in found}


def _folder(objects: Mapping[str, str]) -> str:
    return _prefix(objects).rpartition("/")[0]


def _prefix(objects: Mapping[str, str]) -> str:
    return os.path.commonprefix(list(objects))  # noqa: RUF071 - of texts, not of paths


def keep(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    """Keep rows as a table of the connection: many statements read it."""
    connection.register("kept_rows", rows)
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM kept_rows")
    connection.unregister("kept_rows")


def sql(package: str, name: str) -> str:
    """Return the statement in `sql/<name>.sql` of a package."""
    return resource_files(package).joinpath("sql", f"{name}.sql").read_text("utf-8")
