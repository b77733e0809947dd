"""Connecting to a PostgreSQL whose password is in a secret, and is rotated now and then."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

import structlog

from lake.errors import DatabaseUnavailableError, MisuseError, SecretError
from lake.secrets import read_secret

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.engine.interfaces import DBAPIConnection

_log = structlog.get_logger(__name__)
_KEPT_S: Final = 300
_REFUSAL: Final = "authentication failed"
"""PostgreSQL's words: while it connects, its driver tells no SQLSTATE."""
_ASKED_ANEW_S: Final = 5
"""At most so often: who asks Secrets Manager at each refusal would be throttled by it."""


class RotatedPassword:
    """Connects with what a secret holds, asked anew every five minutes and when that is refused.

    So a rotation needs no restart: connections that are open stay open, and the next one knows.
    Many threads may use it.

    Args:
        secret: Its name or ARN; it holds JSON with `username` and `password`, as RDS writes it.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._lock = threading.Lock()
        self._known: tuple[str, str] | None = None
        self._read_at = 0.0

    def connect(
        self, dialect: sa.Dialect, _: object, arguments: list[Any], options: dict[str, Any]
    ) -> DBAPIConnection:
        """Return a connection: SQLAlchemy's event `do_connect`.

        Raises:
            DatabaseUnavailableError: If the secret cannot be read, and what it held is not known.
            MisuseError: If it holds something else.
        """
        user, password = self._now(_KEPT_S)
        try:
            return dialect.connect(*arguments, **{**options, "user": user, "password": password})
        except dialect.loaded_dbapi.OperationalError as error:
            if _REFUSAL not in str(error):
                raise
            renewed = self._now(_ASKED_ANEW_S)
            if renewed == (user, password):
                raise
        user, password = renewed
        return dialect.connect(*arguments, **{**options, "user": user, "password": password})

    def _now(self, kept_s: float) -> tuple[str, str]:
        """Return user and password, read at most so many seconds ago."""
        with self._lock:
            now = time.monotonic()
            if self._known is None or now - self._read_at > kept_s:
                self._known = self._read(self._known)
                self._read_at = now
            return self._known

    def _read(self, known: tuple[str, str] | None) -> tuple[str, str]:
        try:
            held = read_secret(self._secret)
        except SecretError as error:
            if known is not None:  # it may well hold still
                _log.warning("the password is not asked anew", error=str(error))
                return known
            raise DatabaseUnavailableError(error.fact, hint=error.hint) from None
        lacking = [name for name in ("username", "password") if not held.get(name)]
        if lacking:
            fact = f"The secret {self._secret} lacks {' and '.join(lacking)}."
            hint = 'FIBLAKE_DATABASE_SECRET holds {"username": "...", "password": "..."}.'
            raise MisuseError(fact, hint=hint)
        return str(held["username"]), str(held["password"])
