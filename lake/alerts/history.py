"""What alerts ask of stored bars: those before what they see, and those that batch has committed.

Units: instants are microseconds since 1970, UTC; of bars of sessions a start is midnight UTC of the
first session's date, and their time when the last one's regular hours close.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from lake.alerts.rule import Close, Volume, leaves
from lake.bar import Hours

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Mapping

    from lake.alerts.rule import Rule
    from lake.alerts.seen import SeenBar

BarsKey: TypeAlias = tuple[str, str, Hours]
"""Symbol, interval and hours; of bars of sessions, regular ones."""


class History(Protocol):
    """Stored bars, adjusted for splits; all of it may be asked from any thread.

    A symbol of which there are no bars has none: that is no error.
    """

    def before(
        self, wanted: Mapping[BarsKey, tuple[int, int]], as_of: dt.date
    ) -> dict[BarsKey, list[SeenBar]]:
        """Return the last complete bars before some instants, the oldest first.

        Args:
            wanted: By key an instant, before which bars begin, and how many of them at most. Those
                of sessions are complete once batch has committed them; those of minutes and hours
                are all complete that begin before one that is seen.
            as_of: The session on whose split basis they are.

        Raises:
            StoreError: If the lake cannot be read.
            ViewError: If the realtime view does not answer: bars of today would lack.
        """
        ...

    def closed(
        self, keys: Collection[BarsKey], after: Mapping[BarsKey, int], as_of: dt.date
    ) -> list[SeenBar]:
        """Return the final bars of sessions that batch has committed, in order of time.

        Args:
            keys: Of which.
            after: By key: only bars that start later.
            as_of: The session on whose split basis they are.

        Raises:
            StoreError: If the lake cannot be read.
        """
        ...

    def forming(self, keys: Collection[BarsKey], session: dt.date) -> dict[BarsKey, SeenBar]:
        """Return the bars that a session is in as the sessions before it formed them.

        Args:
            keys: Of bars of sessions; none is told of what no session before it has formed.
            session: On whose split basis they are.

        Raises:
            StoreError: If the lake cannot be read.
            ViewError: If the realtime view does not answer.
        """
        ...

    def present(self, keys: Collection[BarsKey], session: dt.date) -> list[SeenBar]:
        """Return the bars that a session is in as they are served now, with what it did to them.

        Args:
            keys: Of bars of sessions; none is told of who did not trade in the session.
            session: On whose split basis they are.

        Raises:
            StoreError: If the lake cannot be read.
            ViewError: If the realtime view does not answer.
        """
        ...

    def boundary(self) -> dt.date | None:
        """Return the last session that batch has committed; None before the first.

        Raises:
            StoreError: If the lake cannot be read.
        """
        ...

    def splits(self, session: dt.date) -> dict[str, float]:
        """Return by symbol how many shares stand for one of the session before, where it was split.

        Raises:
            StoreError: If the lake cannot be read.
        """
        ...


def forming_keys(rules: Iterable[Rule]) -> frozenset[BarsKey]:
    """Return the keys of the bars that some rules look at while they form."""
    return frozenset(
        (rule.symbol, leaf.interval, leaf.hours if _is_intraday(leaf.interval) else "regular")
        for rule in rules
        for leaf in leaves(rule.when)
        if isinstance(leaf, Close | Volume) and leaf.state == "forming"
    )


def _is_intraday(interval: str) -> bool:
    return not interval.endswith("d")
