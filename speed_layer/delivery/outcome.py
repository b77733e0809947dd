"""What an attempt to deliver came to, and what a delivery is after it."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, Self

from database.outbox import Marked

if TYPE_CHECKING:
    from database.outbox import Claimed
    from lake.settings import Settings

_LONGEST_ERROR: Final = 300
_MOST_DOUBLINGS: Final = 40


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to.

    Attributes:
        error: Why it failed, in words; empty: it was delivered.
        is_final: Whether there is no use in trying again.
        retry_after_s: Seconds before which whoever was told wants no other; None: none were named.
    """

    error: str = ""
    is_final: bool = False
    retry_after_s: float | None = None


DELIVERED: Final = Outcome()


class Sender(Protocol):
    """Tells destinations of one kind."""

    async def send(self, claimed: Claimed) -> Outcome:
        """Try to deliver once, within the time that an attempt has; never raises."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...


class NoSender:
    """Stands for one that cannot be here, and says why at each attempt.

    Others that deliver from the same outbox may have what this process lacks: so it is no end.
    """

    def __init__(self, why: str) -> None:
        self._failed = Outcome(why)

    async def send(self, claimed: Claimed) -> Outcome:  # noqa: ARG002 - whatever it is
        """Tell why nothing is sent."""
        return self._failed

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long, how often and how many at once.

    Attributes:
        timeout_s: Of an attempt, all in all.
        attempts: After which a delivery is dead.
        retry_s: Up to how long the first pause is; the next, twice that, and so on.
        longest_retry_s: Of a pause, also of one that a receiver asks for.
        at_once: Webhooks that are told at once.
        per_destination: Of them, to one destination.
    """

    timeout_s: float = 15
    attempts: int = 15
    retry_s: float = 5
    longest_retry_s: float = 14_400
    at_once: int = 256
    per_destination: int = 8

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the bounds that the settings name."""
        return cls(
            timeout_s=settings.delivery_timeout_seconds,
            attempts=settings.delivery_attempts,
            retry_s=settings.delivery_retry_seconds,
            longest_retry_s=settings.delivery_longest_retry_seconds,
            at_once=settings.delivery_at_once,
            per_destination=settings.delivery_per_destination,
        )

    @property
    def claim_lasts(self) -> dt.timedelta:
        """How long after it was claimed a delivery that was not marked may be tried by others."""
        return dt.timedelta(seconds=2 * self.timeout_s + 1)


def becomes(claimed: Claimed, outcome: Outcome, bounds: Bounds, now: dt.datetime) -> Marked:
    """Return what a delivery is after an attempt that ended now."""
    attempts = claimed.attempts + 1
    error = one_line(outcome.error, _LONGEST_ERROR)
    if not outcome.error:
        return Marked(claimed, "delivered", attempts, "", None, now)
    if outcome.is_final or attempts >= bounds.attempts:
        return Marked(claimed, "dead", attempts, error, None, now)
    due = now + dt.timedelta(seconds=_pause_s(attempts, outcome, bounds))
    return Marked(claimed, "waiting", attempts, error, due, None)


def given_back(claimed: Claimed, now: dt.datetime) -> Marked:
    """Return a delivery as if it had not been claimed: its attempt was broken off."""
    return Marked(claimed, "waiting", claimed.attempts, claimed.error, now, None)


def one_line(text: str, longest: int) -> str:
    """Return a text in one line of printable characters, and no more than so many."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _pause_s(attempts: int, outcome: Outcome, bounds: Bounds) -> float:
    """Return the seconds until the next attempt: anywhere up to a limit that doubles.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ (full jitter)
    """
    limit = min(bounds.retry_s * 2 ** min(attempts - 1, _MOST_DOUBLINGS), bounds.longest_retry_s)
    asked = min(outcome.retry_after_s or 0, bounds.longest_retry_s)
    return max(random.uniform(0, limit), asked)  # noqa: S311 - jitter is no secret
