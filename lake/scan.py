"""DuckDB connections that can read the lake, and the SQL files they run."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import duckdb

from lake.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from lake.store import ObjectStore
    from lake.store.s3 import S3Store


def connect(store: ObjectStore) -> duckdb.DuckDBPyConnection:
    """Return a new in-memory connection that reads the URIs of `store`.

    Raises:
        StoreError: If the store is on S3 and DuckDB's httpfs extension is not installed.
    """
    # Objects are replaced in place: what was cached of a file may be of the one before. The
    # operating system caches files anyway.
    connection = duckdb.connect(config={"enable_external_file_cache": False})
    connection.execute("SET TimeZone = 'UTC'")
    if store.location.startswith("s3://"):
        _reach_s3(connection, cast("S3Store", store))
    return connection


def execute(
    connection: duckdb.DuckDBPyConnection, statement: str, binds: Mapping[str, object]
) -> duckdb.DuckDBPyConnection:
    """Run a statement with its binds, and return the connection to fetch from.

    Raises:
        StoreError: If what it reads is gone or damaged.
    """
    try:
        return connection.execute(statement, dict(binds))
    except (duckdb.IOException, duckdb.HTTPException, duckdb.InvalidInputException) as error:
        fact = f"The lake cannot be read: {str(error).partition(chr(10))[0]}"
        hint = "fiblake resample rebuilds silver; restore bronze from a copy."
        raise StoreError(fact, hint=hint) from error


def keep(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    """Keep rows as a table of the connection: many statements read it."""
    connection.register("kept_rows", rows)
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM kept_rows")
    connection.unregister("kept_rows")


def sql(package: str, name: str) -> str:
    """Return the statement in `sql/<name>.sql` of a package."""
    return files(package).joinpath("sql", f"{name}.sql").read_text("utf-8")


def _reach_s3(connection: duckdb.DuckDBPyConnection, store: S3Store) -> None:
    connection.execute(f"LOAD '{_httpfs()}'")
    options: dict[str, str | bool | None] = {"REGION": store.region or "us-east-1"}
    if store.endpoint:
        url = urlsplit(store.endpoint)
        options |= {"ENDPOINT": url.netloc, "URL_STYLE": "path", "USE_SSL": url.scheme == "https"}
    if store.credentials:
        options["KEY_ID"] = store.credentials.access_key
        options["SECRET"] = store.credentials.secret_key
        options["SESSION_TOKEN"] = store.credentials.token
    clauses = [f"{name} {_literal(value)}" for name, value in options.items() if value is not None]
    connection.execute(f"CREATE SECRET (TYPE s3, {', '.join(clauses)})")


def _httpfs() -> str:
    try:
        package = files("duckdb_extension_httpfs")
    except ModuleNotFoundError:
        fact = "A lake on S3 needs DuckDB's httpfs extension, which is not installed."
        raise StoreError(fact, hint="pip install 'fiblake[s3]'.") from None
    version = f"v{duckdb.__version__}"
    return str(package.joinpath("extensions", version, "httpfs.duckdb_extension"))


def _literal(value: str | bool) -> str:  # noqa: FBT001 - a value of either kind
    return str(value).lower() if isinstance(value, bool) else "'" + value.replace("'", "''") + "'"
