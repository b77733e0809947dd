"""Opening the relational store: SQLite in the folder of state, or PostgreSQL, and its errors."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from database.password import RotatedPassword
from lake.errors import DatabaseBehindError, DatabaseError, DatabaseUnavailableError
from lake.state import state_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lake.settings import Settings

FILE: Final = "fiblake.sqlite"
UPGRADE_HINT: Final = "fiblake db upgrade."
_BUSY_S: Final = 10
_PATIENCE: Final = {
    "connect_timeout": 2,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""How long libpq waits for a host that is gone: seconds, and the last in milliseconds."""
_POOL_S: Final = 3
_PORT: Final = 5432
_PRIVATE: Final = 0o600
_UNDEFINED: Final = ("UndefinedTable", "UndefinedColumn")


class Database:
    """One relational store; many threads may use it.

    Attributes:
        place: Where it is, to tell users: never with a password.
    """

    def __init__(self, engine: sa.Engine, place: str) -> None:
        self._engine = engine
        self._writing = engine.execution_options(sqlite_begin="IMMEDIATE")
        # A transaction of SQLite's sees one state anyway.
        kind = {} if self.is_embedded else {"isolation_level": "REPEATABLE READ"}
        self._still = engine.execution_options(postgresql_readonly=True, **kind)
        self.place = place

    @property
    def is_embedded(self) -> bool:
        """Whether it is a file of this machine's."""
        return self._engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Yield a connection to read by.

        Raises:
            DatabaseError: If that fails, by its kind.
        """
        with self._told(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """Yield a connection all of whose statements see the state of the first one.

        Whoever writes meanwhile is neither seen nor kept waiting.

        Raises:
            DatabaseError: If that fails, by its kind.
        """
        with self._told(), self._still.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Yield a connection whose changes all come to be, or none.

        Raises:
            DatabaseError: If that fails, by its kind.
        """
        with self._told(), self._writing.begin() as connection:
            yield connection

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._of(error) from None

    def _of(self, error: SQLAlchemyError) -> DatabaseError:
        # Never the statement: its parameters may be what nobody should read.
        lines = str(getattr(error, "orig", None) or "").strip().splitlines()
        said = lines[0] if lines else type(error).__name__
        if _is_behind(error):
            fact = f"The database {self.place} lacks what this version needs: {said}."
            return DatabaseBehindError(fact, hint=UPGRADE_HINT)
        if isinstance(error, OperationalError | InterfaceError | PoolTimeoutError) or (
            isinstance(error, DBAPIError) and error.connection_invalidated
        ):
            fact = f"The database {self.place} does not answer: {said}."
            hint = "FIBLAKE_STATE" if self.is_embedded else "FIBLAKE_DATABASE_URL, and that it runs"
            return DatabaseUnavailableError(fact, hint=f"check {hint}.")
        return DatabaseError(f"The database {self.place} failed: {said}.")


def open_database(settings: Settings) -> Database:
    """Return the store that the settings name: PostgreSQL by its URL, else a file of SQLite.

    Nothing is asked of PostgreSQL yet; SQLite's file is made where it lacks, for its owner alone.

    Raises:
        DatabaseUnavailableError: If the file cannot be made.
    """
    if settings.database_url is not None:
        return _postgresql(settings.database_url.get_secret_value(), settings.database_secret)
    return _sqlite(state_folder(settings) / FILE)


def _postgresql(url: str, secret: str | None) -> Database:
    parsed = sa.make_url(url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(
        parsed,
        pool_pre_ping=True,
        pool_timeout=_POOL_S,
        connect_args={"application_name": "fiblake", **_PATIENCE},
        hide_parameters=True,
    )
    if secret is not None:
        event.listen(engine, "do_connect", RotatedPassword(secret).connect)
    place = f"postgresql://{parsed.host}:{parsed.port or _PORT}/{parsed.database}"
    return Database(engine, place)


def _sqlite(path: Path) -> Database:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(path)
    except (OSError, sqlite3.Error) as error:
        fact = f"The database {path} cannot be opened: {error}."
        raise DatabaseUnavailableError(fact, hint="check FIBLAKE_STATE.") from None
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": _BUSY_S},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return Database(engine, str(path))


def _make(path: Path) -> None:
    """Make a file that its owner alone may read; readers in it do not wait for a writer."""
    # Two that switch to WAL at once would fail, however long they may wait.
    with FileLock(f"{path}.lock"):
        # Never opened by ourselves once it is there: to close it would let go of all locks that
        # this process's connections hold on it, and others would write as if there were none.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _PRIVATE))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")


def _on_connect(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's
    # The driver's own transactions would begin late, and wait for nobody.
    connection.isolation_level = None
    # A revoked key stays so after a loss of power: less would bring it back.
    connection.execute("PRAGMA synchronous = FULL")


def _on_begin(connection: sa.Connection) -> None:
    kind = connection.get_execution_options().get("sqlite_begin", "")
    connection.exec_driver_sql(f"BEGIN {kind}")


def _is_behind(error: SQLAlchemyError) -> bool:
    cause = getattr(error, "orig", None)
    return type(cause).__name__ in _UNDEFINED or "no such table" in str(cause)
