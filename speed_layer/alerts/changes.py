"""Which alerts changed: found by when their rows did, and now and then by comparing all of them.

Several processes write alerts, each by its own clock, and a row may be seen long after the instant
that it bears: what changed lately is looked at again and again, and what is as it was passed over.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from database.alert_flow import RuleRow, Version, rules_of, versions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from database import Database
    from lake.clock import Clock

_OVERLAP: Final = dt.timedelta(seconds=15)
_ALL_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Deleted:
    """An alert that is no more."""

    alert: str


@dataclass(frozen=True, slots=True)
class Refused:
    """An alert whose rule, in that revision, this version does not know."""

    alert: str
    revision: int


class Changes:
    """Looks which alerts changed; of one thread.

    Args:
        database: Where they are.
        clock: Tells the present.
        all_s: How often all are compared.
    """

    def __init__(self, database: Database, clock: Clock, *, all_s: float = _ALL_S) -> None:
        self._database = database
        self._clock = clock
        self._all_s = all_s
        self._known: dict[str, tuple[int, dt.datetime | None]] = {}
        self._since: dt.datetime | None = None
        self._all_due = 0.0

    def begin(self, rows: Iterable[RuleRow]) -> None:
        """Take these for all that is known."""
        self._known = {row.alert: (row.revision, row.muted_until) for row in rows}
        self._since = self._clock.now()
        self._all_due = time.monotonic() + self._all_s

    def look(self) -> list[RuleRow | Deleted]:
        """Return what is not as it was known.

        Raises:
            DatabaseError: If it cannot be asked; the next look tells all.
        """
        are_all = self._since is None or time.monotonic() >= self._all_due
        now = self._clock.now()
        since = None if are_all or self._since is None else self._since - _OVERLAP
        with self._database.read() as connection:
            found = versions(connection, since)
            gone = [each.alert for each in found if each.deleted and each.alert in self._known]
            changed = [each for each in found if not each.deleted and self._is_new(each)]
            rows = rules_of(connection, [each.alert for each in changed])
        if are_all:
            gone += self._known.keys() - {each.alert for each in found}
            self._all_due = time.monotonic() + self._all_s
        # Whatever the clocks of others say: no later than this process's, or all would be missed.
        self._since = now
        return self._noted(gone, rows)

    def _is_new(self, found: Version) -> bool:
        return self._known.get(found.alert) != (found.revision, found.muted_until)

    def _noted(self, gone: list[str], rows: list[RuleRow]) -> list[RuleRow | Deleted]:
        gone += [row.alert for row in rows if row.deleted and row.alert in self._known]
        kept = [row for row in rows if not row.deleted]
        for alert in gone:
            self._known.pop(alert, None)
        self._known.update({row.alert: (row.revision, row.muted_until) for row in kept})
        return [*map(Deleted, gone), *kept]
