"""Splits that are to be applied: each to its symbol, at the first that comes of its session."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lake.alerts.seen import SeenBar
from speed_layer.alerts.sessions import dawn
from speed_layer.alerts.wanted import is_of_days

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from lake.alerts.seen import Seen
    from lake.session import SessionTable


class Split(NamedTuple):
    """A split.

    Attributes:
        session: From which on it is effective.
        dawn: When that begins.
        factor: New shares for one.
    """

    session: dt.date
    dawn: int
    factor: float


class Splits:
    """Splits that are to be applied.

    One may be told of long after its session began, and symbols may lag behind each other.

    Args:
        table: The sessions.
    """

    def __init__(self, table: SessionTable) -> None:
        self._table = table
        self._session: dt.date | None = None
        self._known: set[str] = set()
        self._due: dict[str, list[Split]] = {}

    def __bool__(self) -> bool:
        return bool(self._due)

    def note(self, session: dt.date, splits: Mapping[str, float]) -> None:
        """Take in what is known of a session, the present one."""
        if session != self._session:
            self._session, self._known = session, set()
        for symbol in splits.keys() - self._known:
            split = Split(session, dawn(self._table, session), splits[symbol])
            self._due.setdefault(symbol, []).append(split)
        self._known |= splits.keys()

    def before(self, seen: Seen) -> list[Split]:
        """Remove and return those that are to be applied before something is seen."""
        due = self._due.get(seen.symbol)
        if not due:
            return []
        # Final bars of sessions are told on the basis of the present one.
        is_told_so = (
            isinstance(seen, SeenBar) and seen.state == "final" and is_of_days(seen.interval)
        )
        now = [split for split in due if is_told_so or split.dawn <= seen.time]
        later = [split for split in due if split not in now]
        if later:
            self._due[seen.symbol] = later
        else:
            del self._due[seen.symbol]
        return now
