"""What the quality report holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

PROMISE_PERCENT: Final = 99.9
"""More than this of all rows is to be accepted."""

Finding = TypeVar("Finding")


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of some rows.

    Attributes:
        rows: How many there were.
        accepted: How many broke no rule.
        rejected: How many did.
        percent: Accepted of all, of 100; None where there are none.
        reasons: How many of the rejected broke which rule.
    """

    rows: int
    accepted: int
    rejected: int
    percent: float | None
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SessionCounts:
    """What came of a source's rows of one session."""

    session: dt.date
    counts: Counts


@dataclass(frozen=True, slots=True)
class Source:
    """What one source brought.

    Attributes:
        source: A vendor, or the name of a file; files of one name are one source.
        kind: `daily` or `minute`: bars fetched from a vendor. `file`: daily bars of files.
        counts: All its rows.
        undated: Of these, the rows whose session cannot be read.
        blemished: Sessions with a rejected row.
        sessions: Of a vendor all sessions. Of files those with a rejected row, the worst of each.
    """

    source: str
    kind: str
    counts: Counts
    undated: Counts
    blemished: int
    sessions: Sequence[SessionCounts]


@dataclass(frozen=True, slots=True)
class Found(Generic[Finding]):
    """What was found of one kind: how many there are, and the first of them."""

    count: int = 0
    first: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Vanished:
    """A symbol that traded, and then no longer, while its market went on.

    Attributes:
        symbol: The symbol.
        last: The session of its last bar.
        absent_from: The first session without it.
        sessions_since: How many sessions the lake holds after `last`.
        last_close: USD a share.
    """

    symbol: str
    last: dt.date
    absent_from: dt.date
    sessions_since: int
    last_close: float


@dataclass(frozen=True, slots=True)
class IdleRun:
    """Bars without volume on sessions that follow each other, `first` to `last`."""

    symbol: str
    first: dt.date
    last: dt.date
    sessions: int


@dataclass(frozen=True, slots=True)
class Gaps:
    """Sessions that the lake holds, within a symbol's life, without a bar of it.

    Attributes:
        symbol: The symbol.
        missing: How many sessions.
        gaps: In how many gaps.
        longest: Sessions of the longest.
        after: The session of the bar before the longest.
        before: The session of the bar after it.
    """

    symbol: str
    missing: int
    gaps: int
    longest: int
    after: dt.date
    before: dt.date


@dataclass(frozen=True, slots=True)
class Jump:
    """Neighbouring closes that are far apart, and no split says why.

    Attributes:
        symbol: The symbol.
        session_before: Of the earlier close.
        session: Of the later close.
        close_before: USD a share, as it was paid.
        close: Likewise.
        ratio: The later close by the earlier one, once splits known between them are undone.
        likely_split: The split that such a ratio is within 5 % of, as `2:1`; None where it is none.
    """

    symbol: str
    session_before: dt.date
    session: dt.date
    close_before: float
    close: float
    ratio: float
    likely_split: str | None


@dataclass(frozen=True, slots=True)
class UnseenSplit:
    """A split that is known, and closes that show none.

    Attributes:
        symbol: The symbol.
        session_before: Of the last close before it.
        session: Of the first close from it on.
        close_before: USD a share, as it was paid.
        close: Likewise.
        split: Shares for each share before.
    """

    symbol: str
    session_before: dt.date
    session: dt.date
    close_before: float
    close: float
    split: float


@dataclass(frozen=True, slots=True)
class Twins:
    """Two symbols that agree in all of a bar on many sessions: likely one security twice."""

    symbol: str
    twin: str
    sessions: int
    first: dt.date
    last: dt.date


@dataclass(frozen=True, slots=True)
class Findings:
    """What is odd in daily bars, from session `first` to `last` of the lake."""

    first: dt.date
    last: dt.date
    sessions: int
    vanished: Found[Vanished] = field(default_factory=Found)
    jumps: Found[Jump] = field(default_factory=Found)
    unseen_splits: Found[UnseenSplit] = field(default_factory=Found)
    idle_runs: Found[IdleRun] = field(default_factory=Found)
    gaps: Found[Gaps] = field(default_factory=Found)
    twins: Found[Twins] = field(default_factory=Found)


@dataclass(frozen=True, slots=True)
class QualityReport:
    """The quality of a lake.

    Attributes:
        lake: Its location.
        promise_percent: More than this is to be accepted.
        is_kept: Whether it is; None where nothing was counted.
        counts: All rows of all sources.
        sources: Each source.
        findings: What is odd in the bars; None where that was not asked for, or there are none.
        seconds: How long it took.
    """

    lake: str
    promise_percent: float
    is_kept: bool | None
    counts: Counts
    sources: Sequence[Source]
    findings: Findings | None
    seconds: float
