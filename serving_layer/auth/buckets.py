"""Token buckets: how often someone may ask, and at once how much.

A bucket holds up to `burst` requests and is refilled at `per_second`; each request takes one out.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Rate:
    """How often someone may ask: `per_second` in the long run, `burst` at once."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may go on.

    Attributes:
        is_allowed: Whether.
        limit: How many may come at once.
        left: How many may come now, after this one.
        full_in_s: After how many seconds the bucket is full again.
        retry_after_s: After how many seconds one more may come; 0: now.
    """

    is_allowed: bool
    limit: int
    left: int
    full_in_s: float
    retry_after_s: float


class Buckets(Protocol):
    """Buckets by name, each full before it is first taken from."""

    def take(self, name: str, rate: Rate) -> Verdict:
        """Take one request out of a bucket, if it holds one: in one step, whoever else does."""
        ...


class MemoryBuckets:
    """Buckets of this process; threads may share them.

    Args:
        most: How many are kept; then those that nobody took from for longest are dropped.
    """

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: dict[str, tuple[float, float, float]] = {}

    def take(self, name: str, rate: Rate) -> Verdict:
        """Take one request out of a bucket, if it holds one."""
        with self._lock:
            now = time.monotonic()
            held, at, _ = self._held.pop(name, (float(rate.burst), now, now))
            held = min(rate.burst, held + (now - at) * rate.per_second)
            is_allowed = held >= 1
            held -= is_allowed
            self._held[name] = (held, now, now + (rate.burst - held) / rate.per_second)
            if len(self._held) > self._most:
                self._drop(now)
        return verdict(held, rate, is_allowed=is_allowed)

    def _drop(self, now: float) -> None:
        """Drop what is full again, and where that is not enough, what was not used for longest."""
        standing = {name: each for name, each in self._held.items() if each[2] > now}
        excess = len(standing) - self._most // 2
        for name in list(standing)[: max(0, excess)]:
            del standing[name]
        self._held = standing


def verdict(held: float, rate: Rate, *, is_allowed: bool) -> Verdict:
    """Return the verdict on a request after which a bucket holds so many, in part perhaps."""
    return Verdict(
        is_allowed=is_allowed,
        limit=rate.burst,
        left=math.floor(held),
        full_in_s=(rate.burst - held) / rate.per_second,
        retry_after_s=0 if is_allowed else (1 - held) / rate.per_second,
    )
