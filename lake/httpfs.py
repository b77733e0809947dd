"""DuckDB's road to S3: its httpfs extension, the secret it signs with, and its errors."""

from __future__ import annotations

import math
import re
import threading
from importlib.resources import files as resource_files
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import duckdb

from lake.errors import StoreError
from lake.store.s3_faults import NO_ANSWER, PASSING, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from lake.store.s3 import S3Store

# Few, and without jitter: a statement that fails all the same runs again after a longer pause.
_RETRIES_A_REQUEST: Final = 3
_LEAST_TIMEOUT_S: Final = 10
"""For the whole of a request it may be, and not for silence alone."""
_TOLD: Final = PASSING | {400, 401, 403}
_CODE: Final = re.compile(r"<Code>(.*?)</Code>.*?<Message>(.*?)</Message>", re.DOTALL)
# Of two secrets made at once, DuckDB refuses one.
_one_at_a_time = threading.Lock()


def reach(connection: duckdb.DuckDBPyConnection, store: S3Store) -> None:
    """Let a connection, and its cursors, read the URIs of `store`.

    Raises:
        StoreError: If DuckDB's httpfs extension is not installed.
        CredentialsError: If the credentials cannot be had.
    """
    connection.execute(f"LOAD '{_extension()}'")
    options = {
        "http_timeout": max(_LEAST_TIMEOUT_S, math.ceil(store.timeout_s)),
        "http_retries": _RETRIES_A_REQUEST,
        "http_retry_wait_ms": store.retry_ms,
        "http_retry_backoff": 2,
    }
    for name, value in options.items():
        connection.execute(f"SET {name} = {value}")
    _sign(connection, store)


def run(
    connection: duckdb.DuckDBPyConnection,
    store: S3Store,
    statement: str,
    binds: Mapping[str, object],
    *,
    what: str,
) -> pa.Table:
    """Run a statement that reads objects of `store`, below the prefix `what`; return its rows.

    Raises:
        UnavailableError: If S3 did not answer, or asked to slow down, at every attempt.
        CredentialsError: If it refuses the credentials.
        duckdb.Error: If anything else is wrong.
    """

    def read() -> pa.Table:
        _sign(connection, store)
        return connection.execute(statement, binds).to_arrow_table()

    return store.ask("read", what)(read, errors=(duckdb.Error,), meaning=_fault_of)


def _sign(connection: duckdb.DuckDBPyConnection, store: S3Store) -> None:
    """Make the secret of the credentials in force now: those of a role change all the while."""
    options: dict[str, str | bool | None] = {
        "SCOPE": store.location,
        "REGION": store.region or "us-east-1",
    }
    if store.endpoint:
        url = urlsplit(store.endpoint)
        options |= {"ENDPOINT": url.netloc, "URL_STYLE": "path", "USE_SSL": url.scheme == "https"}
    if credentials := store.credentials:
        options["KEY_ID"] = credentials.access_key
        options["SECRET"] = credentials.secret_key
        options["SESSION_TOKEN"] = credentials.token
    clauses = [f"{name} {_literal(value)}" for name, value in options.items() if value is not None]
    with _one_at_a_time:
        connection.execute(f"CREATE OR REPLACE SECRET lake (TYPE s3, {', '.join(clauses)})")


def _fault_of(error: Exception) -> Fault | None:
    if isinstance(error, duckdb.HTTPException) and error.status_code in _TOLD:
        found = _CODE.search(error.body)
        code, message = found.groups() if found else (str(error.status_code), error.reason)
        return Fault(error.status_code, code, f"{code}: {message}")
    if isinstance(error, duckdb.IOException) and " error for HTTP " in str(error):
        return Fault(NO_ANSWER, "", str(error).partition("\n")[0])
    return None


def _extension() -> str:
    try:
        package = resource_files("duckdb_extension_httpfs")
    except ModuleNotFoundError:
        fact = "A lake on S3 needs DuckDB's httpfs extension, which is not installed."
        raise StoreError(fact, hint="pip install 'fiblake[s3]'.") from None
    version = f"v{duckdb.__version__}"
    return str(package.joinpath("extensions", version, "httpfs.duckdb_extension"))


def _literal(value: str | bool) -> str:  # noqa: FBT001 - a value of either kind
    return str(value).lower() if isinstance(value, bool) else "'" + value.replace("'", "''") + "'"
