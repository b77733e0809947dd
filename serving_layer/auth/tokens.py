"""Tokens: what a browser shows in place of a key, for a quarter of an hour.

A JWT (RFC 7519), signed by HS256: `sub` is the key's public part, `scope` what it may do, as in
RFC 9068. A token holds no longer than its key: that is looked up at every use.
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import jwt

from database.secrets import shared_secret
from lake.errors import AccessError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from database import Database
    from lake.clock import Clock
    from lake.settings import Settings

LIFE: Final = dt.timedelta(minutes=15)
_ALGORITHM: Final = "HS256"
_ISSUER: Final = "fiblake"
_AUDIENCE: Final = "fiblake-api"
_SECRET_NAME: Final = "tokens"  # noqa: S105 - its name
_SECRET_BYTES: Final = 32
_LATEST: Final = 2**40
"""Seconds since 1970: far away, and still an instant."""
_CLAIMS: Final = ("iss", "aud", "sub", "scope", "iat", "exp")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: of which key it is, and which scopes it was made for."""

    key: str
    scopes: frozenset[str]
    expires: dt.datetime


def looks_like_token(text: str) -> bool:
    """Return whether a text has the form of a token."""
    return text.count(".") == 2  # noqa: PLR2004 - header, claims, signature


class Tokens:
    """Makes tokens and reads them.

    Args:
        database: Which keeps the secret, where the settings have none.
        settings: May have the secret.
        clock: Tells the present.
    """

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        given = settings.token_secret
        self._secret = given.get_secret_value() if given else None

    @property
    def is_ready(self) -> bool:
        """Whether the secret is at hand, so that no database is asked for it."""
        return self._secret is not None

    def fetch_secret(self) -> None:
        """Have the secret at hand.

        Raises:
            DatabaseError: If the database does not answer.
        """
        if self._secret is None:
            proposed = secrets.token_hex(_SECRET_BYTES)
            now = self._clock.now()
            self._secret = shared_secret(self._database, _SECRET_NAME, proposed, now)

    def issue(self, key: str, scopes: Iterable[str], expires: dt.datetime | None) -> str:
        """Return a token of a key; `expires` is the key's own end."""
        now = self._clock.now()
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": key,
            "scope": " ".join(sorted(scopes)),
            "iat": now,
            "exp": end_of(now, expires),
        }
        return jwt.encode(claims, self._secret or "", algorithm=_ALGORITHM)

    def read(self, token: str) -> Claims:
        """Return what a token says.

        Raises:
            AccessError: If it is not ours, or has expired.
        """
        try:
            claims = jwt.decode(
                token,
                self._secret or "",
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                issuer=_ISSUER,
                # By our own clock, below.
                options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            fact = "The token is not one of this server's."
            raise AccessError(fact, hint="POST /v1/token with a key gives one.") from None
        return self._standing(claims)

    def _standing(self, claims: dict[str, Any]) -> Claims:
        key, scopes, end = claims["sub"], claims["scope"], claims["exp"]
        if not isinstance(scopes, str) or not isinstance(end, int) or not 0 <= end <= _LATEST:
            fact = "The token says what none of this server's says."
            raise AccessError(fact, hint="POST /v1/token with a key gives one.")
        expires = dt.datetime.fromtimestamp(end, dt.UTC)
        if expires <= self._clock.now():
            fact = f"The token expired at {expires:%Y-%m-%dT%H:%M:%SZ}."
            raise AccessError(fact, hint="POST /v1/token with a key gives another.")
        return Claims(key, frozenset(scopes.split()), expires)


def end_of(now: dt.datetime, key_expires: dt.datetime | None) -> dt.datetime:
    """Return when a token that is made now expires: to the second, and never after its key."""
    end = (now + LIFE).replace(microsecond=0)
    return end if key_expires is None else min(end, key_expires.replace(microsecond=0))
