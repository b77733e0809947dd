"""How often a key and an address may ask: counted in Redis, or in this process."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

from serving_layer.auth.buckets import MemoryBuckets, Rate

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from lake.settings import Settings
    from serving_layer.auth.buckets import Verdict
    from serving_layer.auth.redis_buckets import RedisBuckets

_log = structlog.get_logger(__name__)
_RETRY_S: Final = 1.0
_PATIENCE_S: Final = 1.0
"""How long a request waits for being counted, whatever takes so long: a thread, a host's name."""


class Limits:
    """Counts requests; event loops and threads may share it.

    While Redis is away, each process counts for itself, and one request at a time tries it: at most
    one a second, and whatever that one waits for, no other does.

    Args:
        settings: How often, and where it is counted.
        workers: Where Redis is asked.
    """

    def __init__(self, settings: Settings, workers: Executor) -> None:
        self._of_key = Rate(settings.rate_key_per_second, settings.rate_key_burst)
        self._of_address = Rate(settings.rate_address_per_second, settings.rate_address_burst)
        self._workers = workers
        self._here = MemoryBuckets()
        self._shared = _shared(settings)
        self._away_since: float | None = None
        self._asked = 0.0
        self._is_tried = False
        self._turns = threading.Lock()

    async def of_key(self, key: str) -> Verdict:
        """Count a request of a key."""
        return await self._take(f"key:{key}", self._of_key)

    async def of_address(self, address: str) -> Verdict:
        """Count a request from an address."""
        return await self._take(f"address:{address}", self._of_address)

    @property
    def store(self) -> str:
        """Where requests are counted at the moment: `redis`, or `memory`."""
        return "memory" if self._shared is None or self._away_since is not None else "redis"

    @property
    def is_degraded(self) -> bool:
        """Whether each process counts for itself, though they should do so together."""
        return self._away_since is not None

    def close(self) -> None:
        """Let go of all connections."""
        if self._shared is not None:
            self._shared.close()

    async def _take(self, name: str, rate: Rate) -> Verdict:
        is_trial = self._away_since is not None
        if self._shared is None or (is_trial and not self._is_turn()):
            return self._here.take(name, rate)
        work = self._try if is_trial else self._take_shared
        taking = asyncio.get_running_loop().run_in_executor(self._workers, work, name, rate)
        done, _ = await asyncio.wait([taking], timeout=_PATIENCE_S)
        if done:
            return taking.result()
        self._give_up(TimeoutError())
        return self._here.take(name, rate)

    def _try(self, name: str, rate: Rate) -> Verdict:
        """Count a request in Redis, though it was away."""
        try:
            return self._take_shared(name, rate, is_trial=True)
        finally:
            self._is_tried = False

    def _take_shared(self, name: str, rate: Rate, *, is_trial: bool = False) -> Verdict:
        from redis.exceptions import RedisError  # noqa: PLC0415 - an extra of its own

        assert self._shared is not None  # noqa: S101 - asked for only then; tells mypy so
        if self._away_since is not None and not is_trial:
            # It went away while this request waited for a thread.
            return self._here.take(name, rate)
        try:
            verdict = self._shared.take(name, rate)
        except RedisError as error:
            self._give_up(error)
            return self._here.take(name, rate)
        self._come_back()
        return verdict

    def _is_turn(self) -> bool:
        """Return whether this request shall try Redis, which was away: one in a while does."""
        with self._turns:
            now = time.monotonic()
            if self._is_tried or now - self._asked < _RETRY_S:
                return False
            self._asked, self._is_tried = now, True
            return True

    def _give_up(self, error: Exception) -> None:
        self._asked = time.monotonic()
        if self._away_since is None:
            self._away_since = self._asked
            # Its text may hold a part of the URL, hence a secret.
            _log.warning("requests are counted by each process", error=type(error).__name__)

    def _come_back(self) -> None:
        if self._away_since is not None:
            self._away_since = None
            _log.warning("requests are counted in Redis again")


def _shared(settings: Settings) -> RedisBuckets | None:
    store = settings.rate_store or ("redis" if settings.view == "redis" else "memory")
    if store == "memory":
        return None
    from serving_layer.auth.redis_buckets import RedisBuckets  # noqa: PLC0415 - an extra of its own

    return RedisBuckets(settings)
