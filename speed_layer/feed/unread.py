"""What came and could not be read: noted as lost, and asked for together, now and then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lake.coverage import Span
    from speed_layer.feed.hearing import Hearing
    from speed_layer.feed.source import Malformed


@dataclass(frozen=True, slots=True)
class Lost:
    """A span of which events were lost.

    Attributes:
        since: Its first instant, in microseconds.
        until: The first after it.
        symbols: Whose events; None: it may have been anyone's.
    """

    since: int
    until: int
    symbols: frozenset[str] | None

    def __or__(self, other: Lost) -> Lost:
        """Return the span of both, and of all whom either names."""
        known = self.symbols is not None and other.symbols is not None
        symbols = frozenset((*(self.symbols or ()), *(other.symbols or ()))) if known else None
        return Lost(min(self.since, other.since), max(self.until, other.until), symbols)


class Unread:
    """Keeps what is still to be asked for.

    A vendor that changes what it sends would have every frame asked for, of a whole market: so
    frames are asked for together.

    Args:
        hearing: What is noted of the socket.
        overlap_us: How long before it was sent an event may have printed.
        pace_us: How long after it was asked it may be asked again.
    """

    def __init__(self, hearing: Hearing, *, overlap_us: int, pace_us: int) -> None:
        self._hearing = hearing
        self._overlap_us = overlap_us
        self._pace_us = pace_us
        self._lost: Lost | None = None
        self._asked_at: int | None = None

    def found(self, malformed: Sequence[Malformed], last: int) -> list[Span]:
        """Return what is to be noted of what could not be read, in order.

        Args:
            malformed: What came.
            last: The time of the last event before it, in microseconds: on a connection that stood
                still, all since then may have come in it.
        """
        of = [each for each in malformed if each.symbols is None or each.symbols]
        # What comes before the vendor grants all that was asked for is told as lost already.
        if not of or not self._hearing.is_begun:
            return []
        lost = self._of(of[0], last)
        for each in of[1:]:
            lost |= self._of(each, last)
        self._lost = lost | self._lost if self._lost else lost
        # What was heard first: a note of it that came later would take the loss back.
        heard = self._hearing.told(lost.until)
        text = "what came could not be read"
        return [*heard, *self._hearing.lack(lost.since, lost.until, "lost", text, lost.symbols)]

    def due(self, at: int) -> Lost | None:
        """Return what is to be asked for now, if anything is."""
        if self._lost is None or (
            self._asked_at is not None and at < self._asked_at + self._pace_us
        ):
            return None
        lost, self._lost = self._lost, None
        self._asked_at = at
        return lost

    def _of(self, malformed: Malformed, last: int) -> Lost:
        received = malformed.received
        return Lost(min(last, received) - self._overlap_us, received + 1, malformed.symbols)
