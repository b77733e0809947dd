"""What becomes of the sessions whose bars did not come: not yet, never, or not this time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batch_layer.fetching.fetch_report import Failure
from lake.errors import (
    DamagedObjectError,
    FiblakeError,
    NotPublishedError,
    VendorAnswerError,
    VendorError,
    VendorRefusedError,
    VendorUnavailableError,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Set as AbstractSet

# Errors that are of one session; any other ends the fetch.
OF_A_SESSION: Final = (
    DamagedObjectError,
    NotPublishedError,
    VendorAnswerError,
    VendorRefusedError,
    VendorUnavailableError,
)
# Failures on end without a success in between, after which the vendor is given up on.
_FAILURES_MOST: Final = 5
# Sessions on end without bars, after which those before them are not asked for.
_EMPTY_MOST: Final = 10


@dataclass(slots=True)
class Misses:
    """The sessions whose bars did not come, the latest first.

    Attributes:
        recent: The last few sessions: without bars they are not published yet.
        is_open: Whether the first session is where the source begins: nobody named it.
        floor: Neither this session nor those before it need be asked for; None: all may be.
        why: Why not.
    """

    recent: AbstractSet[dt.date]
    is_open: bool
    floor: dt.date | None = None
    why: VendorError | None = None
    not_yet: list[dt.date] = field(default_factory=list)
    failed: dict[dt.date, FiblakeError] = field(default_factory=dict)
    _failures: int = 0
    _empty: list[dt.date] = field(default_factory=list)
    _has_hit: bool = False

    def is_below(self, session: dt.date) -> bool:
        """Return whether a session need not be asked for: the vendor would not have it."""
        return self.floor is not None and session <= self.floor

    def hit(self) -> None:
        """Note that a session's bars came."""
        self._failures = 0
        self._empty.clear()
        self._has_hit = True

    def skip(self, session: dt.date) -> None:
        """Note a session that was not asked for since it is below the floor."""
        assert self.why is not None  # noqa: S101 - with the floor comes the reason; tells mypy so
        self.failed[session] = self.why

    def miss(self, session: dt.date, error: FiblakeError) -> None:
        """Note a session whose bars did not come.

        Raises:
            VendorError: If the vendor is to be given up on.
        """
        if isinstance(error, NotPublishedError) and session in self.recent:
            self.not_yet.append(session)
            return
        self.failed[session] = error
        if isinstance(error, VendorRefusedError):
            if session not in self.recent:
                self._raise_floor(session, error)
        elif isinstance(error, NotPublishedError):
            self._empty.append(session)
            # Before the first bars came, it may just as well be that there are none as yet.
            if self.is_open and self._has_hit and len(self._empty) >= _EMPTY_MOST:
                self._raise_floor(max(self._empty), error)
        elif isinstance(error, VendorError):
            self._failures += 1
            if self._failures >= _FAILURES_MOST:
                raise error

    def failures(self, oldest: dt.date | None) -> tuple[Failure, ...]:
        """Return the failures, the latest first.

        Args:
            oldest: The oldest session that the lake has of the source: where nobody named the
                first session, the source begins there.
        """
        return tuple(
            Failure(session, error.fact)
            for session, error in sorted(self.failed.items(), reverse=True)
            if not self.is_before(session, oldest)
        )

    def is_before(self, session: dt.date, oldest: dt.date | None) -> bool:
        """Return whether a failed session lies before all that the source has."""
        is_absent = isinstance(self.failed[session], NotPublishedError | VendorRefusedError)
        return self.is_open and oldest is not None and session < oldest and is_absent

    def _raise_floor(self, session: dt.date, why: VendorError) -> None:
        if self.floor is None or session > self.floor:
            self.floor = session
            self.why = why
