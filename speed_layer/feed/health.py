"""How the feed is: what it counted, when it had the last event, and what it missed."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final

import structlog

from lake import metrics
from lake.instant import from_microseconds, written
from lake.measuring import Measured, each_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lake.coverage import Span

_log = structlog.get_logger(__name__)
_FRESH_S: Final = 5.0
_TELLS_S: Final = 60.0
"""For how long an event's lag is told: no less than CloudWatch is told in turn."""
_GAPS_MOST: Final = 1_000


class Health:
    """Told by the parts of a feed, asked by whoever watches it; from any thread.

    Args:
        clock: Tells seconds that never go back.

    Attributes:
        counts: `accepted`, `refused`, `heartbeats`, `connections`, `filled`, `shed` and so on.
        refused: By reason.
        unlanded: How many files of events the lake does not have, that it should have.
        queued: Tells how many events wait between the source and the stream.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.unlanded = 0
        self.queued: Callable[[], int] = lambda: 0
        self._clock = clock
        self._lock = threading.Lock()
        self._gaps: deque[Span] = deque(maxlen=_GAPS_MOST)
        self._is_subscribed = False
        self._is_running = False
        self._started_at = clock()
        self._event_at: float | None = None
        self._sign_at: float | None = None
        self._event_time: int | None = None
        self._lag_us: int | None = None
        self._said = ""
        self._waiting = ""

    def started(self) -> None:
        """Note that the feed runs."""
        self._is_running = True

    def ended(self) -> None:
        """Note that the feed does not run any more."""
        self._is_running = self._is_subscribed = False

    def connected(self, *, is_subscribed: bool) -> None:
        """Note whether the source tells events, as far as is known."""
        self._is_subscribed = is_subscribed

    def said(self, text: str) -> None:
        """Note what the source said last of how it is."""
        self._said = text

    def waits(self, why: str) -> None:
        """Note why nothing goes on; empty: it does."""
        if self._waiting and not why:
            _log.warning("it goes on")
        self._waiting = why

    @property
    def waiting(self) -> str:
        """Why nothing goes on; empty where it does."""
        return self._waiting

    def count(self, name: str, number: int = 1) -> None:
        """Add to a count."""
        with self._lock:
            self.counts[name] += number

    def accepted(self, number: int, time_us: int, received_us: int) -> None:
        """Note events that went on, the time of the last, and when it was received."""
        self.count("accepted", number)
        self._event_time, self._lag_us = time_us, received_us - time_us
        self._event_at = self._sign_at = self._clock()

    def refuse(self, reason: str, number: int) -> None:
        """Note events that were refused."""
        with self._lock:
            self.counts["refused"] += number
            self.refused[reason] += number

    def heartbeat(self) -> None:
        """Note a heartbeat that went on."""
        self.count("heartbeats")
        self._sign_at = self._clock()

    def gap(self, gap: Span) -> None:
        """Note and log that events are missing."""
        with self._lock:
            self.counts["gaps"] += 1
            self._gaps.append(gap)
        _log.error("events are missing", **gap.document())

    @property
    def gaps(self) -> tuple[Span, ...]:
        """What is missing: the last thousand of them, in the order in which they were found."""
        with self._lock:
            return tuple(self._gaps)

    @property
    def is_live(self) -> bool:
        """Whether the feed runs."""
        return self._is_running

    @property
    def is_ready(self) -> bool:
        """Whether the source is subscribed to, and events or heartbeats go on."""
        at = self._sign_at
        is_fresh = at is not None and self._clock() - at <= _FRESH_S
        return self._is_running and self._is_subscribed and is_fresh and not self._waiting

    def measured(self) -> Iterator[Measured]:
        """Yield what is measured of it."""
        outcomes = {each: self.counts[each] for each in ("accepted", "refused", "shed")}
        yield from each_of(metrics.FEED_EVENTS, outcomes)
        silent_since = self._started_at if self._event_at is None else self._event_at
        silence_s = max(0.0, self._clock() - silent_since)
        # The last trade of an evening may be an old one; it says nothing of the night.
        if self._lag_us is not None and silence_s <= _TELLS_S:
            yield Measured(metrics.FEED_LAG, self._lag_us / 1e6)
        yield Measured(metrics.FEED_SILENCE, silence_s)
        yield Measured(metrics.FEED_QUEUE, self.queued())
        yield Measured(metrics.FEED_SUBSCRIBED, self._is_subscribed)
        yield Measured(metrics.FEED_GAPS, self.counts["gaps"])
        yield Measured(metrics.FEED_UNLANDED, self.unlanded)
        yield from each_of(metrics.AWAY, {"stream": bool(self._waiting)})

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        at = self._event_at
        with self._lock:
            counts, refused = dict(self.counts), dict(self.refused)
        return {
            "live": self.is_live,
            "ready": self.is_ready,
            "subscribed": self._is_subscribed,
            "source_said": self._said,
            "waiting": self._waiting,
            "unlanded": self.unlanded,
            "last_event": _instant(self._event_time),
            "last_event_age_s": None if at is None else round(self._clock() - at, 3),
            "counts": counts,
            "refused": refused,
            "gaps": [gap.document() for gap in self.gaps],
        }


def _instant(time_us: int | None) -> str | None:
    return None if time_us is None else written(from_microseconds(time_us))
