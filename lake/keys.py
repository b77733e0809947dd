"""Every path in the lake: nothing else builds or takes apart a key."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lake.interval import Interval

SESSIONS: Final = "meta/sessions.parquet"
BOUNDARY: Final = "meta/boundary.json"
HISTORY_HORIZON: Final = "meta/history_horizon.json"
GENERATION: Final = "meta/generation.json"
SPLITS: Final = "bronze/splits.parquet"
SPLITS_HISTORY: Final = "bronze/splits_history.parquet"
DIVIDENDS: Final = "bronze/dividends.parquet"
DIVIDENDS_HISTORY: Final = "bronze/dividends_history.parquet"
LISTINGS: Final = "bronze/listings.parquet"
LISTINGS_HISTORY: Final = "bronze/listings_history.parquet"
CONDITIONS: Final = "bronze/conditions.json"
DAILY: Final = "bronze/daily/"
DAILY_HISTORY: Final = "bronze/daily_history/"
DAILY_MANIFESTS: Final = "meta/bronze/daily/"
MINUTE: Final = "bronze/minute/"
TRADES: Final = "bronze/trades/"
LIVE_BARS: Final = "speed/bars/"
MINUTE_MANIFESTS: Final = "meta/bronze/minute/"
TRADES_CHECKPOINTS: Final = "meta/trades/checkpoints/"
TRADES_MARKS: Final = "meta/trades/marks/"
RECONCILIATIONS: Final = "meta/reconciliation/"
DIFFERENCES: Final = "speed/reconciliation/"
SILVER: Final = "silver/"
SILVER_CHECKPOINTS: Final = "meta/silver/"
INTRADAY_CHECKPOINTS: Final = "meta/silver_intraday/"
DAILY_MANIFESTS_INDEX: Final = "meta/index/bronze-daily.json"
MINUTE_MANIFESTS_INDEX: Final = "meta/index/bronze-minute.json"
TRADES_CHECKPOINTS_INDEX: Final = "meta/index/trades.json"
RECONCILIATIONS_INDEX: Final = "meta/index/reconciliation.json"
RUNS_INDEX: Final = "meta/index/runs.parquet"
SILVER_CHECKPOINTS_INDEX: Final = "meta/index/silver.json"
INTRADAY_CHECKPOINTS_INDEX: Final = "meta/index/silver-intraday.json"
IMPORTS: Final = "meta/ledger/imports.json"
DOCTOR: Final = "meta/doctor.json"

LANDING: Final = "landing/"
REJECTS: Final = "rejects/"
DAILY_REJECTS: Final = f"{REJECTS}daily/"

_LANDED: Final = re.compile(r"^(.+)/\d{8}T\d{6}Z\.(?:json|csv)\.gz$")
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_YEAR: Final = re.compile(r"/year=(\d{4})/bars\.parquet$")
_SESSION: Final = re.compile(r"/year=\d{4}/session=(\d{4}-\d{2}-\d{2})/bars\.parquet$")
_LIVE: Final = re.compile(r"landing/([^/]+)/live/session=(\d{4}-\d{2}-\d{2})/(\d{8,})\.jsonl\.gz")
_COVERAGE: Final = re.compile(
    r"landing/([^/]+)/coverage/session=(\d{4}-\d{2}-\d{2})/(\d{8,})\.jsonl\.gz"
)
_LEDGER: Final = re.compile(r"/([^/]+)/year=\d{4}\.json$")


def daily(year: int) -> str:
    """Return the key of the daily bars of a year."""
    return f"{DAILY}year={year}/bars.parquet"


def daily_history(year: int) -> str:
    """Return the key of a year's superseded and withdrawn daily bars."""
    return f"{DAILY_HISTORY}year={year}/bars.parquet"


def daily_manifest(year: int) -> str:
    """Return the key of the digests of a year's sessions."""
    return f"{DAILY_MANIFESTS}year={year}.json"


def minute(session: dt.date) -> str:
    """Return the key of the minute bars of a session."""
    return f"{MINUTE}{_session_path(session)}"


def minute_manifest(year: int) -> str:
    """Return the key of the digests of a year's sessions of minute bars."""
    return f"{MINUTE_MANIFESTS}year={year}.json"


def trades(session: dt.date) -> str:
    """Return the key of the trades of a session."""
    return f"{TRADES}{_session_path(session)}"


def live_bars(session: dt.date) -> str:
    """Return the key of a session's bars as the speed layer told them last."""
    return f"{LIVE_BARS}{_session_path(session)}"


def live(source: str, session: dt.date, number: int) -> str:
    """Return the key of recorded events of a session, numbered in the order of their receipt."""
    return f"{live_events(source, session)}{number:08}.jsonl.gz"


def live_events(source: str, session: dt.date) -> str:
    """Return the prefix of all recorded events of a session."""
    return f"{landing(source, 'live')}session={session}/"


def live_place(key: str) -> tuple[str, dt.date, int] | None:
    """Return source, session and number of recorded events; None where a key is none of theirs."""
    match = _LIVE.fullmatch(key)
    return (match[1], dt.date.fromisoformat(match[2]), int(match[3])) if match else None


def coverage(source: str, session: dt.date, number: int) -> str:
    """Return the key of notes of what of a session is recorded, numbered in their order."""
    return f"{coverage_notes(source, session)}{number:08}.jsonl.gz"


def coverage_notes(source: str, session: dt.date) -> str:
    """Return the prefix of all notes of what of a session is recorded."""
    return f"{landing(source, 'coverage')}session={session}/"


def coverage_place(key: str) -> tuple[str, dt.date, int] | None:
    """Return source, session and number of such notes; None where a key is none of theirs."""
    match = _COVERAGE.fullmatch(key)
    return (match[1], dt.date.fromisoformat(match[2]), int(match[3])) if match else None


def live_rejects(source: str, day: dt.date, number: int) -> str:
    """Return the key of what a live source told and the feed refused on a day, UTC."""
    return f"{REJECTS}live/{source}/day={day}/{number:08}.jsonl.gz"


def trades_checkpoint(session: dt.date) -> str:
    """Return the key of the checkpoint of what was made of a session's recorded events."""
    return f"{TRADES_CHECKPOINTS}session={session}.json"


def checkpointed_session(key: str) -> dt.date:
    """Return the session of a key that `trades_checkpoint` made."""
    return dt.date.fromisoformat(key.rpartition("/session=")[2].removesuffix(".json"))


def trades_marks(session: dt.date) -> str:
    """Return the key of the marks of the bars that were made of a session's recorded events."""
    return f"{TRADES_MARKS}session={session}.parquet"


def marked_sessions(found: Iterable[str]) -> list[dt.date]:
    """Return the sessions of keys of marks, in order."""
    ends = (key.rpartition("/session=")[2].removesuffix(".parquet") for key in found)
    return sorted(map(dt.date.fromisoformat, ends))


def reconciliation(session: dt.date) -> str:
    """Return the key of what is told in short of a session's reconciliation."""
    return f"{RECONCILIATIONS}session={session}.json"


def differences(session: dt.date) -> str:
    """Return the key of the bars that a session's reconciliation found to differ."""
    return f"{DIFFERENCES}{_session_path(session)}"


def late(session: dt.date, digest: str) -> str:
    """Return the key of statements that came too late for the live bars, of this content."""
    return f"{late_events(session)}{digest[:16]}.jsonl.gz"


def late_events(session: dt.date) -> str:
    """Return the prefix of all statements that came too late for a session's live bars."""
    return f"{landing('speed', 'late')}session={session}/"


def stream_rejects(stream: str, digest: str) -> str:
    """Return the key of what a stream told that makes no sense, and of its gaps."""
    return f"{REJECTS}stream/{stream}/{digest[:16]}.jsonl.gz"


def published(stream: str) -> str:
    """Return the key of how far a stream of bars was brought into the view."""
    return f"meta/speed/published/{stream}.json"


def silver(interval: Interval, year: int) -> str:
    """Return the key of the bars whose bucket starts in a year."""
    return f"{silver_prefix(interval)}year={year}/bars.parquet"


def silver_prefix(interval: Interval) -> str:
    """Return the prefix of an interval's partitions."""
    return f"{SILVER}interval={interval}/"


def silver_checkpoint(interval: Interval, year: int) -> str:
    """Return the key of a partition's checkpoint."""
    return f"{SILVER_CHECKPOINTS}interval={interval}/year={year}.json"


def intraday(interval: Interval, session: dt.date) -> str:
    """Return the key of an intraday interval's bars of a session."""
    return f"{silver_prefix(interval)}{_session_path(session)}"


def intraday_checkpoint(session: dt.date) -> str:
    """Return the key of the checkpoint of a session's partitions, one for all intervals."""
    return f"{INTRADAY_CHECKPOINTS}session={session}.json"


def rejects(name: str, digest: str) -> str:
    """Return the key of the rows rejected from a source file of this name and content digest."""
    return f"{REJECTS}daily/{name}-{digest[:12]}.csv"


def landing(source: str, kind: str) -> str:
    """Return the prefix of what a source answered, of one kind."""
    return f"{LANDING}{source}/{kind}/"


def landed(source: str, kind: str, unit: str, at: dt.datetime, form: str) -> str:
    """Return the key of the answers about one unit, as a session.

    Args:
        source: Who answered.
        kind: What about, as `daily`.
        unit: What was asked for at once.
        at: When the answers had come; told to the second.
        form: `json` or `csv`.
    """
    return f"{landing(source, kind)}{unit}/{at.astimezone(dt.UTC):{_STAMP}}.{form}.gz"


def landed_content(source: str, digest: str, ending: str) -> str:
    """Return the key of a file's bytes as they were told, by the SHA-256 of its content."""
    return f"{landing(source, 'contents')}{digest}{ending}"


def landed_unit(key: str, prefix: str) -> tuple[str, dt.datetime] | None:
    """Return of which unit answers are, and when they had come; None: no answers are there."""
    match = _LANDED.match(key.removeprefix(prefix))
    return (match[1], landed_at(key)) if match else None


def landed_at(key: str) -> dt.datetime:
    """Return when the answers under a key that `landed` has made had come; to the second."""
    stamp = key.rpartition("/")[2].partition(".")[0]
    return dt.datetime.strptime(stamp, _STAMP).replace(tzinfo=dt.UTC)


def lease(name: str) -> str:
    """Return the key of a lease."""
    return f"meta/leases/{name}.json"


def minute_rejects(source: str, session: dt.date) -> str:
    """Return the key of the minute bars of a session that were rejected, of a source's."""
    return f"rejects/minute/{source}-{session}.csv"


def by_session(found: Iterable[str]) -> dict[dt.date, str]:
    """Return the keys that are a session's bars, by session and in order."""
    matches = (_SESSION.search(key) for key in found)
    told = ((dt.date.fromisoformat(match[1]), match.string) for match in matches if match)
    return dict(sorted(told))


def ledger(kind: str, source: str, year: int) -> str:
    """Return the key of what a source brought of a kind of bars in a year's sessions."""
    return f"{ledgers(kind)}{source}/year={year}.json"


def ledgers(kind: str) -> str:
    """Return the prefix of what all sources brought of a kind of bars."""
    return f"meta/ledger/{kind}/"


def ledgers_index(kind: str) -> str:
    """Return the key of a copy of all ledgers of a kind."""
    return f"meta/index/ledger-{kind}.json"


def ledger_source(key: str) -> str | None:
    """Return the source whose ledger is under a key; None where it is another file."""
    match = _LEDGER.search(key)
    return match[1] if match else None


def session_rejects(kind: str, source: str, session: dt.date) -> str:
    """Return the key of the rows rejected from what a source answered of a session."""
    return f"{REJECTS}{kind}/{source}-{session}.csv"


def reference_rejects(kind: str, source: str, unit: str) -> str:
    """Return the key of what was rejected of a source's answers about a unit, as a year."""
    return f"{REJECTS}{kind}/{source}-{unit}.csv"


def unknown(kind: str, source: str) -> str:
    """Return the key of the units of a kind that a source knows nothing of."""
    return f"meta/ledger/{kind}/unknown-{source}.json"


def by_year(found: Iterable[str]) -> dict[int, str]:
    """Return the keys that are a year's bars, by year and in order; other files are passed over."""
    matches = (_YEAR.search(key) for key in found)
    return dict(sorted((int(match[1]), match.string) for match in matches if match))


def _session_path(session: dt.date) -> str:
    return f"year={session.year}/session={session}/bars.parquet"


def backup(id_: str) -> str:
    """Return the prefix of a backup, in the store of backups."""
    return f"{id_}/"


def backup_manifest(id_: str) -> str:
    """Return the key of a backup's manifest."""
    return f"{backup(id_)}manifest.json"


def backup_of_manifest(key: str) -> str | None:
    """Return the backup whose manifest is under a key; None where it is another object."""
    id_, slash, name = key.partition("/")
    return id_ if slash and name == "manifest.json" else None


def backup_table(id_: str, table: str, number: int) -> str:
    """Return the key of a part of a table's rows."""
    return f"{backup(id_)}database/{table}/{number:05}.jsonl.gz"


def backup_inventory(id_: str, number: int) -> str:
    """Return the key of a part of what a lake had."""
    return f"{backup(id_)}lake/inventory/{number:05}.jsonl.gz"


def backup_copy(id_: str, key: str) -> str:
    """Return the key of a copy of an object of the lake."""
    return f"{backup(id_)}lake/objects/{key}"
