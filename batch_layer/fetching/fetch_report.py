"""What came of a fetch, session by session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt


@dataclass(frozen=True, slots=True)
class Failure:
    """A session whose bars could not be had, and why."""

    session: dt.date
    why: str


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What a fetch of bars by session did.

    Attributes:
        kind: Of bars: daily or minute.
        source: Who was asked.
        start: The first session that was wanted, and could be; None: there was none.
        end: The last one.
        sessions: How many were wanted, from `start` to `end`.
        fetched: How many of them the vendor answered.
        from_landing: How many had landed before, and were brought into bronze now.
        already_there: How many bronze had.
        not_yet: Sessions that the vendor has not published yet.
        failed: Sessions whose bars could not be had.
        not_asked: How many were left for another time.
        rows: Rows that were brought.
        rejected: Rows of these that break a rule.
        added: Bars that are new.
        corrected: Bars that differ from those they replace.
        unchanged: Bars that bronze had.
        withdrawn: Bars that the vendor has no more.
        seconds: How long it took.
    """

    kind: str
    source: str
    start: dt.date | None
    end: dt.date | None
    sessions: int = 0
    fetched: int = 0
    from_landing: int = 0
    already_there: int = 0
    not_yet: tuple[dt.date, ...] = ()
    failed: tuple[Failure, ...] = ()
    not_asked: int = 0
    rows: int = 0
    rejected: int = 0
    added: int = 0
    corrected: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    seconds: float = 0.0
