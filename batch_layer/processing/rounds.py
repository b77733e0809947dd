"""Rounds of a resampling: look, rebuild what is stale, look again where another run was first.

Each partition is replaced by one conditional put, then its checkpoint. Of two runs at once one wins
per partition; the other notices, looks again and goes on. A killed run is completed by the next.
Runs that share the work each look once more after their last checkpoint: the last to end publishes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from lake.attempts import attempts
from lake.errors import ConflictError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from batch_layer.processing.share import Share
    from lake.interval import Interval

_ROUNDS: Final = 10


class Partition(Protocol):
    """A partition of silver as it should be, and as it is."""

    @property
    def interval(self) -> Interval:
        """Of its bars."""
        ...

    @property
    def year(self) -> int:
        """In which its bars start."""
        ...

    @property
    def session(self) -> dt.date | None:
        """The one session of its bars; None: it is of a year."""
        ...

    @property
    def key(self) -> str:
        """Of its object."""
        ...

    @property
    def stale(self) -> str | None:
        """Why it must be rebuilt; None where it need not."""
        ...


P = TypeVar("P", bound=Partition)
P_co = TypeVar("P_co", bound=Partition, covariant=True)


class Built(Protocol[P_co]):
    """What became of a partition."""

    @property
    def part(self) -> P_co:
        """The partition."""
        ...

    @property
    def bars(self) -> int:
        """Bars it has."""
        ...

    @property
    def rows(self) -> int:
        """Bars merged in them."""
        ...

    @property
    def is_mine(self) -> bool:
        """Whether it was put in place; else another run was first."""
        ...


class Silver(Protocol[P]):
    """One half of silver, session bars or intraday bars: how it is planned, built and published."""

    def look(self) -> Sequence[P]:
        """Return every partition there should be, as it is now.

        Raises:
            EmptyLakeError: If bronze holds nothing to make them of.
        """
        ...

    def rebuild(
        self, due: Sequence[P], on_progress: Callable[[int, int], None]
    ) -> Sequence[Built[P]]:
        """Rebuild some of the partitions looked at last."""
        ...

    def committed(self) -> dt.date:
        """Return the last session that bronze had committed at the last look."""
        ...

    def boundary(self) -> dt.date | None:
        """Return the boundary at the last look."""
        ...

    def publish(self) -> None:
        """Move the boundary to what was committed at the last look.

        Raises:
            ConflictError: If someone else moved it since.
        """
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is to rebuild.

    Attributes:
        intervals: Of which intervals.
        force: Even where it is not stale.
        share: Of this share's years alone; None: of all years.
    """

    intervals: Sequence[Interval]
    force: bool = False
    share: Share | None = None

    def of(self, partitions: Sequence[P]) -> list[P]:
        """Return the partitions that are asked for."""
        years = {part.year for part in partitions}
        owned = self.share.years(years) if self.share else years
        return [
            part for part in partitions if part.interval in self.intervals and part.year in owned
        ]


@dataclass(slots=True)
class Outcome(Generic[P]):
    """What a run did.

    Attributes:
        built: The partitions it rebuilt.
        partitions: How many there are of those asked for.
        conflicts: How often another run was first, and this one looked again.
        boundary: The boundary after the run; None before the first.
    """

    built: list[Built[P]] = field(default_factory=list)
    partitions: int = 0
    conflicts: int = 0
    boundary: dt.date | None = None


def run(silver: Silver[P], wanted: Wanted, on_progress: Callable[[int, int], None]) -> Outcome[P]:
    """Rebuild what is stale of what is wanted; move the boundary once nothing at all is.

    Raises:
        ConflictError: If other runs kept writing the same partitions all the while.
    """
    outcome: Outcome[P] = Outcome()
    for round_number in attempts(_ROUNDS):
        partitions = silver.look()
        mine = wanted.of(partitions)
        # What another run has just rebuilt needs no force any more.
        forced = wanted.force and round_number == 0
        due = [part for part in mine if forced or part.stale]
        built = silver.rebuild(due, on_progress) if due else ()
        outcome.built += [each for each in built if each.is_mine]
        lost = sum(not each.is_mine for each in built)
        done = {part.key for part in due}
        left = any(part.stale for part in partitions if part.key not in done)
        if left and due and not lost:
            # Others may have rebuilt it meanwhile, and each of them saw this run's work left.
            left = any(part.stale for part in silver.look())
        if not lost and (left or _is_published(silver)):
            outcome.partitions = len(mine)
            outcome.boundary = silver.boundary() if left else silver.committed()
            return outcome
        outcome.conflicts += max(lost, 1)
    fact = f"Other runs kept writing the same partitions through {_ROUNDS} rounds."
    raise ConflictError(fact, hint="run the command again when they are done.")


def _is_published(silver: Silver[P]) -> bool:
    try:
        silver.publish()
    except ConflictError:
        return False
    return True
