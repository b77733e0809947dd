"""Asking a Redis server: bounded attempts, errors that tell where it is and no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.retry import Retry

from lake.attempts import pause
from lake.errors import ViewError, ViewRefusedError, ViewUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lake.settings import Settings

LONGEST_PAUSE_S: Final = 5.0
_HEALTH_S: Final = 10
_MS: Final = 1000
_REFUSALS: Final = (AuthenticationError, AuthorizationError)
_PASSING: Final = (redis.ConnectionError, redis.TimeoutError, ReadOnlyError, TryAgainError)

Answer = TypeVar("Answer")


class RedisServer:
    """A client, and how often it asks.

    Attributes:
        client: Its connections are made when first needed; many threads may use it.
        first_pause_s: Up to how long the first pause is.
        attempts: How often it asks at most.
    """

    def __init__(self, settings: Settings) -> None:
        url = settings.redis_address
        parts = urlsplit(url)
        self._place = f"{parts.hostname}:{parts.port or 6379}"
        self.attempts = settings.redis_attempts
        self.first_pause_s = settings.redis_retry_ms / _MS
        try:
            # No retries of its own: `ask` makes them, also where scripts are gone.
            # Any: its types leave open whether bytes or texts are answered.
            self.client: Any = redis.Redis.from_url(
                url,
                retry=Retry(NoBackoff(), 0),
                socket_timeout=settings.redis_timeout_seconds,
                socket_connect_timeout=settings.redis_timeout_seconds,
                socket_keepalive=True,
                health_check_interval=_HEALTH_S,
            )
        except (ValueError, TypeError, RedisError):
            # What it says may hold a part of the URL, hence a secret.
            fact = f"The URL of Redis at {self._place} makes no sense."
            raise ViewRefusedError(fact, hint="check FIBLAKE_REDIS_URL.") from None

    def ask(self, work: Callable[[], Answer]) -> Answer:
        """Return what some work that asks Redis returns; it may be repeated.

        Raises:
            ViewUnavailableError: If Redis did not answer at any attempt.
            ViewRefusedError: If it does not let us, or holds something else.
        """
        for number in range(1, self.attempts + 1):
            try:
                return work()
            except RedisError as error:
                if not is_passing(error) or number == self.attempts:
                    raise self.told(error) from None
            pause(number, first_s=self.first_pause_s, longest_s=LONGEST_PAUSE_S)
        raise AssertionError

    def run(self, calls: Sequence[Sequence[object]], scripts: Sequence[str] = ()) -> list[Any]:
        """Run commands in one go, and return their answers; `scripts` are those they need.

        Raises:
            RedisError: The first one of an answer; others may have been done.
        """
        try:
            return self._run(calls)
        except NoScriptError:
            for script in scripts:
                self.client.script_load(script)
            return self._run(calls)

    def told(self, error: RedisError) -> ViewError:
        """Return what to tell of an error."""
        if is_passing(error):
            fact = f"Redis at {self._place} failed at {self.attempts} attempts: {_said(error)}."
            return ViewUnavailableError(fact, hint="check FIBLAKE_REDIS_URL, and that it runs.")
        fact = f"Redis at {self._place} refused: {_said(error)}."
        return ViewRefusedError(fact, hint="check FIBLAKE_REDIS_URL and the rights of its user.")

    def _run(self, calls: Sequence[Sequence[object]]) -> list[Any]:
        with self.client.pipeline(transaction=False) as pipeline:
            for call in calls:
                pipeline.execute_command(*call)
            answers: list[Any] = pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, RedisError):
                raise answer
        return answers


def is_passing(error: RedisError) -> bool:
    """Return whether an error may pass, as a server that starts anew."""
    return isinstance(error, _PASSING) and not isinstance(error, _REFUSALS)


def _said(error: RedisError) -> str:
    kind = "" if isinstance(error, ResponseError) else f"{type(error).__name__}: "
    return f"{kind}{error}".rstrip(".")
