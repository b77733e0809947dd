"""Token buckets in Redis, which all processes of the API share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from serving_layer.auth.buckets import Verdict, verdict

if TYPE_CHECKING:
    from lake.settings import Settings
    from serving_layer.auth.buckets import Rate

_TIMEOUT_S: Final = 0.25
"""A request waits no longer than that for being counted."""
_TAKE: Final = Path(__file__).with_name("take.lua").read_text("utf-8")


class RedisBuckets:
    """Buckets in Redis, under `PREFIX:rate:NAME`; threads may share them.

    Args:
        settings: Where Redis is, and how its keys begin.
    """

    def __init__(self, settings: Settings) -> None:
        # Any: its types leave open whether bytes or texts are answered.
        self._client: Any = redis.Redis.from_url(
            settings.redis_address,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            socket_keepalive=True,
        )
        self._prefix = f"{settings.redis_prefix}:rate:"
        self._take = self._client.register_script(_TAKE)

    def take(self, name: str, rate: Rate) -> Verdict:
        """Take one request out of a bucket, if it holds one.

        Raises:
            redis.RedisError: If Redis is away, or refuses.
        """
        taken, held = self._take(keys=[self._prefix + name], args=[rate.per_second, rate.burst])
        return verdict(float(held), rate, is_allowed=bool(taken))

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()
