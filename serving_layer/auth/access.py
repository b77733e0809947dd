"""Who may ask: keys and tokens held to what the database knows, and counted."""

from __future__ import annotations

import asyncio
import datetime as dt  # noqa: TC003 - FastAPI reads a token's annotations at run time
import ipaddress
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from database.audit import Actor, Entry, latest
from database.keys import mark_used
from lake.errors import (
    AccessError,
    DatabaseError,
    DatabaseUnavailableError,
    ForbiddenError,
    TooManyRequestsError,
)
from serving_layer.auth import managing
from serving_layer.auth.borders import Borders
from serving_layer.auth.key_text import matches, public_part
from serving_layer.auth.known import KnownKeys
from serving_layer.auth.limits import Limits
from serving_layer.auth.principal import ANYONE, Principal, parse_scopes
from serving_layer.auth.tokens import Tokens, end_of, looks_like_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from database import Database
    from database.keys import KeyRow
    from lake.clock import Clock
    from lake.settings import Settings
    from serving_layer.auth.buckets import Verdict

_log = structlog.get_logger(__name__)
_USED_S: Final = 60
_WORKERS: Final = 4
_PATIENCE_S: Final = 5.0
"""How long a request waits for the database with what is not of keys."""
_SHOW_HINT: Final = (
    "send it as Authorization: Bearer KEY, as X-API-Key, or as ?apiKey=; fiblake keys create NAME"
    " makes one."
)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Admission:
    """Who asks, and how often it still may; `verdict` None: as often as it likes."""

    principal: Principal
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token, to be shown in place of a key.

    Attributes:
        token: The token.
        expires: From when on it is none.
        scopes: What it may do.
    """

    token: str = field(repr=False)
    expires: dt.datetime
    scopes: list[str]


class Access:
    """Who may ask; one of a process, which threads and event loops share.

    Args:
        database: Which keeps keys, and is prepared.
        settings: How often one may ask, and what holds while the database is away.
        clock: Tells the present.
        is_open_before_keys: Whether anyone may ask until the first key is created: where nobody
            but this machine reaches the address.

    Attributes:
        borders: What is let in, whoever asks.
        settings: As above.
        clock: As above.
    """

    def __init__(
        self, database: Database, settings: Settings, clock: Clock, *, is_open_before_keys: bool
    ) -> None:
        self.borders = Borders.of(settings)
        self.settings = settings
        self.clock = clock
        self._database = database
        self._is_open_before_keys = is_open_before_keys
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="database")
        # Of its own: whatever the database does, requests are counted.
        self._counters = ThreadPoolExecutor(_WORKERS, thread_name_prefix="limits")
        # Likewise: keys are read however long it takes what owners keep.
        self._keepers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="kept")
        self._known = KnownKeys(database, settings.keys_grace_seconds, self._workers)
        self._tokens = Tokens(database, settings, clock)
        self._limits = Limits(settings, self._counters)
        self._used: dict[str, float] = {}

    async def authenticate(self, token: str | None, address: str) -> Principal:
        """Return who shows a key or a token, from an address.

        It counts as a request. For what lasts, as a stream, ask `still` now and then: a key that
        was revoked, or has expired, is refused within seconds.

        Raises:
            TooManyRequestsError: If the key, or the address, asks too often.
            AccessError: If there is none, or it does not hold.
            DatabaseError: If the database is away, and the key was not read lately.
        """
        return (await self.admit(token, address)).principal

    async def still(self, token: str | None) -> Principal:
        """Return who shows a key or a token that was admitted before, as of now; uncounted.

        Raises:
            AccessError: If it does not hold any more; without one, if keys are asked for now.
            DatabaseError: If the database is away for longer than what was read holds.
        """
        if await self.is_open():
            return ANYONE
        if not token:
            fact = "A key is asked for now."
            raise AccessError(fact, hint=_SHOW_HINT)
        return await self._shown(token)

    async def admit(self, token: str | None, address: str) -> Admission:
        """Return who shows a key or a token, and how often it still may.

        Raises:
            As `authenticate` does.
        """
        if await self.is_open():
            return Admission(ANYONE)
        self._allowed(await self._limits.of_address(_network(address)), "This address")
        if not token:
            fact = "No key was shown."
            raise AccessError(fact, hint=_SHOW_HINT)
        found = await self._shown(token)
        verdict = await self._limits.of_key(found.key)
        self._mark_used(found.key)
        return Admission(found, self._allowed(verdict, f"The key {found.key}"))

    async def is_open(self) -> bool:
        """Return whether anyone may ask.

        Raises:
            DatabaseError: If the database is away for too long to know.
        """
        return self._is_open_before_keys and not await self._known.rows()

    async def issue(self, principal: Principal) -> Token:
        """Return a token with the scopes of who shows a key.

        Raises:
            ForbiddenError: If a token is shown, or no key.
            DatabaseError: If the database is away.
        """
        if not principal.key or principal.by_token:
            fact = "A token is had for a key alone."
            raise ForbiddenError(fact, hint=_SHOW_HINT)
        await self._with_secret()
        scopes = parse_scopes(principal.scopes)
        made = self._tokens.issue(principal.key, scopes, principal.expires)
        return Token(made, end_of(self.clock.now(), principal.expires), list(scopes))

    async def create(self, asked: managing.NewKey, actor: Actor) -> managing.Created:
        """Create a key; see `managing.create`."""
        made = await self._ask(lambda: managing.create(self._database, asked, actor, self._now()))
        self._known.changed()
        return made

    async def revoke(self, key: str, actor: Actor) -> managing.Key:
        """Revoke a key; see `managing.revoke`."""
        revoked = await self._ask(lambda: managing.revoke(self._database, key, actor, self._now()))
        self._known.changed()
        return revoked

    async def listed(self) -> list[managing.Key]:
        """Return all keys; see `managing.listed`."""
        return await self._ask(lambda: managing.listed(self._database, self._now()))

    async def audit(self, limit: int) -> list[Entry]:
        """Return up to `limit` entries of the audit log, the latest first."""
        return await self._ask(lambda: _latest(self._database, limit))

    async def ask(self, work: Callable[[Database], Answer]) -> Answer:
        """Return what some work with the database gives: in a thread, which keys need not wait for.

        Raises:
            DatabaseUnavailableError: If it takes too long; it may come to be all the same.
            FiblakeError: As the work does.
        """
        doing = asyncio.get_running_loop().run_in_executor(self._keepers, work, self._database)
        try:
            return await asyncio.wait_for(doing, _PATIENCE_S)
        except TimeoutError:
            fact = f"The database {self._database.place} did not answer in time."
            raise DatabaseUnavailableError(fact, hint="ask again in a while.") from None

    def health(self) -> dict[str, str]:
        """Return how keys and limits are, in words that say nothing of where they are."""
        is_away = self._known.failure() is not None
        kept = "kept" if self._known.hold() else "refused"
        limits = "memory, while redis is away" if self._limits.is_degraded else self._limits.store
        return {
            "database": "away" if is_away else "ok",
            "keys": kept if is_away else "ok",
            "limits": limits,
        }

    @property
    def lookups(self) -> tuple[int, int]:
        """How often a key was looked for among those that were read: found, and not."""
        hits, misses = self._known.lookups
        return hits, misses

    @property
    def is_away(self) -> bool:
        """Whether the database did not answer when keys were read last; it is not asked for it."""
        return self._known.is_away

    def close(self) -> None:
        """Let go of the database, Redis and the threads that ask them."""
        self._workers.shutdown(cancel_futures=True)
        self._counters.shutdown(cancel_futures=True)
        self._keepers.shutdown(cancel_futures=True)
        self._limits.close()
        self._database.close()

    async def _shown(self, token: str) -> Principal:
        return await (self._by_token(token) if looks_like_token(token) else self._by_key(token))

    async def _by_key(self, token: str) -> Principal:
        public = public_part(token)
        row = await self._known.find(public) if public else None
        if row is None or not matches(token, row.digest):
            fact = "The key is not one of this server's."
            raise AccessError(fact, hint="check it: fiblake keys list names those that are.")
        self._must_stand(row)
        return Principal(
            row.key, row.owner, frozenset(parse_scopes(row.scopes.split())), row.expires
        )

    async def _by_token(self, token: str) -> Principal:
        await self._with_secret()
        claims = self._tokens.read(token)
        row = await self._known.find(claims.key)
        if row is None:
            fact = "The token is of a key that is not one of this server's."
            raise AccessError(fact)
        self._must_stand(row)
        scopes = claims.scopes.intersection(row.scopes.split())
        return Principal(
            row.key, row.owner, frozenset(parse_scopes(scopes)), claims.expires, by_token=True
        )

    def _must_stand(self, row: KeyRow) -> None:
        state = managing.state_of(row, self._now())
        if state != "valid":
            fact = f"The key {row.key} has expired." if state == "expired" else ""
            fact = fact or f"The key {row.key} was revoked."
            raise AccessError(fact, hint="ask whoever made it for another.")

    async def _with_secret(self) -> None:
        if not self._tokens.is_ready:
            await self._ask(self._tokens.fetch_secret)

    def _allowed(self, verdict: Verdict, who: str) -> Verdict:
        if not verdict.is_allowed:
            raise _too_many(verdict, who)
        return verdict

    def _mark_used(self, key: str) -> None:
        now = time.monotonic()
        if now - self._used.get(key, float("-inf")) >= _USED_S:
            self._used[key] = now
            self._workers.submit(self._note_use, key, self._now())

    def _note_use(self, key: str, at: dt.datetime) -> None:
        try:
            with self._database.write() as connection:
                mark_used(connection, key, at)
        except DatabaseError as error:
            # The next use after a minute notes it again.
            _log.info("a use of a key was not noted", key=key, error=error.fact)

    async def _ask(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)

    def _now(self) -> dt.datetime:
        return self.clock.now()


def _too_many(verdict: Verdict, who: str) -> TooManyRequestsError:
    fact = f"{who} asks too often. Allowed: {verdict.limit} requests at once."
    error = TooManyRequestsError(fact, hint="wait as Retry-After says.")
    error.retry_after_s = verdict.retry_after_s
    return error


def _latest(database: Database, limit: int) -> list[Entry]:
    with database.read() as connection:
        return latest(connection, limit)


def _network(address: str) -> str:
    """Return by what an address is counted: one host has all addresses of a /64 of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:  # noqa: PLR2004 - of the protocol
        return address
    if parsed.ipv4_mapped is not None:  # as a socket for both protocols tells it
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))
