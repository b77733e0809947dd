"""The keys as they were read last: asked of the database every few seconds, not at every request.

    age of what was read   0 s ───── FRESH_S ─────────────────────── grace
                           as it is  │ read anew, at the next request │
    database is away       as it is  │ as it was: keys keep working   │ refused: 503

All keys are read at once: they are few. One that is not among them is looked for once more, but not
sooner than MISS_S after the last reading began, however many guess.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from database.keys import all_keys
from lake.errors import DatabaseError, DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor, Future

    from database import Database
    from database.keys import KeyRow

_log = structlog.get_logger(__name__)
FRESH_S: Final = 2.0
MISS_S: Final = 0.1
RETRY_S: Final = 0.5
PATIENCE_S: Final = 1.0
"""How long a request waits for a reading; who comes later does not wait for the same one again."""
_LONG_AGO: Final = float("-inf")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a reading saw, and when it began; by a clock that only goes forward."""

    rows: Mapping[str, KeyRow] = field(default_factory=dict)
    at: float = _LONG_AGO


@dataclass(frozen=True, slots=True)
class _Failure:
    error: DatabaseError
    at: float


class KnownKeys:
    """What is known of keys; threads and event loops may share it.

    Args:
        database: Which keeps them.
        grace_s: How long what was read holds while the database is away.
        workers: Where it is asked.
    """

    def __init__(self, database: Database, grace_s: float, workers: Executor) -> None:
        self.lookups = [0, 0]
        """How often a key was looked for among those that were read: found, and not."""
        self._database = database
        self._holds_s = max(grace_s, FRESH_S)
        self._workers = workers
        self._lock = threading.Lock()
        self._seen = _Seen()
        self._failure: _Failure | None = None
        self._changed = _LONG_AGO
        self._begun = _LONG_AGO
        self._reading: Future[None] | None = None

    async def find(self, key: str) -> KeyRow | None:
        """Return the key of that public part, if there is one.

        Raises:
            DatabaseError: If the database is away: for longer than what was read holds, or
                while it may have such a key that was not read.
        """
        asked = time.monotonic()
        rows = await self.rows()
        self.lookups[key not in rows] += 1
        if key in rows:
            return rows[key]
        await self._read_since(asked, pace_s=MISS_S)
        if self._seen.at < asked:
            raise self._why()
        return self._seen.rows.get(key)

    async def rows(self) -> Mapping[str, KeyRow]:
        """Return all keys by their public parts.

        Raises:
            DatabaseError: If the database is away for longer than what was read holds.
        """
        await self._read_since(self._fresh_since())
        if not self.hold():
            raise self._why()
        return self._seen.rows

    def changed(self) -> None:
        """Read anew at the next request: this process has changed a key."""
        self._changed = time.monotonic()

    def hold(self) -> bool:
        """Return whether what was read last still holds."""
        return time.monotonic() - self._seen.at <= self._holds_s

    @property
    def is_away(self) -> bool:
        """Whether keys could not be read when that was tried last."""
        return self._failure is not None

    def failure(self) -> DatabaseError | None:
        """Return why keys cannot be read at the moment; None: they can."""
        since = self._fresh_since()
        reading = self._read_anew(since)
        if reading is not None:
            _wait_for(reading, self._patience_s())
        return None if self._seen.at >= since else self._why()

    async def _read_since(self, instant: float, *, pace_s: float = 0) -> None:
        # Twice: a reading that is under way may have begun too early.
        for _ in range(2):
            await asyncio.sleep(max(0.0, self._begun + pace_s - time.monotonic()))
            reading = self._read_anew(instant)
            patience_s = self._patience_s()
            if reading is None or patience_s == 0:
                return
            # Whoever waits may go; the reading goes on for the others.
            await asyncio.wait([asyncio.wrap_future(reading)], timeout=patience_s)

    def _read_anew(self, since: float) -> Future[None] | None:
        """Return the reading under way, begun if needed; None: there is no need, or no sense."""
        with self._lock:
            if self._seen.at >= since:
                return None
            if self._reading is None or self._reading.done():
                if self._failure and time.monotonic() - self._failure.at < RETRY_S:
                    return None
                self._begun = time.monotonic()
                self._reading = self._workers.submit(self._read, self._begun)
            return self._reading

    def _read(self, begun: float) -> None:
        try:
            with self._database.read() as connection:
                rows = {row.key: row for row in all_keys(connection)}
        except DatabaseError as error:
            if self._failure is None:
                _log.warning("keys cannot be read", error=error.fact)
            self._failure = _Failure(error, time.monotonic())
        else:
            if self._failure is not None:
                _log.warning("keys can be read again")
            self._seen, self._failure = _Seen(rows, begun), None

    def _fresh_since(self) -> float:
        return max(time.monotonic() - FRESH_S, self._changed)

    def _patience_s(self) -> float:
        return max(0.0, self._begun + PATIENCE_S - time.monotonic())

    def _why(self) -> DatabaseError:
        if self._failure is not None:
            return self._failure.error
        fact = f"The database {self._database.place} did not answer in time."
        return DatabaseUnavailableError(fact, hint="ask again in a while.")


def _wait_for(reading: Future[None], at_most_s: float) -> None:
    try:
        reading.result(at_most_s)
    except TimeoutError:
        return
