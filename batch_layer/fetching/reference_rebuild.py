"""Reference data of bronze made anew from landing, without any vendor: as they were made at first.

All answers, and what users told by commands, are brought in the order in which they came into a
scratch lake; what comes of them takes the place of what bronze has of the same symbols and days, or
listings. What came of a file before files landed is left as it is: landing does not know of that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl
import structlog

from batch_layer import landing
from batch_layer.bronze import actions, conditions, ledger
from batch_layer.bronze import listings as listings_table
from batch_layer.bronze.traded import read_runs
from batch_layer.fetching.daily_sources import MASSIVE
from batch_layer.fetching.rebuild import RebuildReport
from batch_layer.fetching.reference_bring import ACTIONS, ReferenceBringer
from batch_layer.fetching.reference_conditions import ConditionsBringer
from batch_layer.fetching.reference_landed import (
    DETAILS,
    EVENTS,
    TICKERS,
    days_landed,
    read_reference,
    reference_on,
)
from batch_layer.fetching.told_rebuild import ToldRows, reference_told
from batch_layer.fetching.told_rows import rows_and_gone
from batch_layer.landing.told import all_told
from lake import keys
from lake.clock import SetClock
from lake.errors import SourceError
from lake.exchange import load_sessions
from lake.lease import leased
from lake.parquet import encode_frame, read_frame
from lake.schemas import LISTINGS, LISTINGS_HISTORY
from lake.store import LocalStore

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pyarrow as pa

    from lake.clock import Clock
    from lake.lease import Holder
    from lake.store import ObjectStore

_log = structlog.get_logger(__name__)
Step: TypeAlias = tuple[dt.datetime, Callable[[], object]]
"""When something was told, and what brings it again."""
LISTED: Final = "listings"
Before: TypeAlias = Mapping[str, str | None]
"""The fingerprint of each table, by its key, before anything was read."""
_WRITTEN: Final = (
    *(key for each in ACTIONS.values() for key in (each.table.key, each.table.history_key)),
    keys.LISTINGS,
    keys.LISTINGS_HISTORY,
)
_VERSION: Final = [*listings_table.KEY, "known_from"]


@dataclass(frozen=True, slots=True)
class ReferenceRebuilt:
    """What a rebuild of reference data did.

    Attributes:
        answers: How many landed answers it read.
        splits: How many splits bronze has now.
        dividends: How many dividends.
        listings: How many rows of listings.
        conditions: How many trade conditions.
        changed: How many of all these are new, different or gone.
    """

    answers: int = 0
    splits: int = 0
    dividends: int = 0
    listings: int = 0
    conditions: int = 0
    changed: int = 0


@dataclass(frozen=True, slots=True)
class BronzeReport(RebuildReport):
    """What a rebuild of all that landed did: of daily and minute bars, and of reference data."""

    minutes: RebuildReport = field(default_factory=RebuildReport)
    reference: ReferenceRebuilt = field(default_factory=ReferenceRebuilt)


@dataclass(frozen=True, slots=True)
class _Table:
    """One of bronze's tables: where it is, and what tells its rows apart."""

    key: str
    schema: pa.Schema
    row_key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReferenceRebuilder:
    """Makes the splits, dividends, listings and trade conditions of one lake anew.

    Attributes:
        store: The lake.
        clock: Tells the present.
        on_wait: Called where another process fetches, which is then waited for; None: nobody is.
    """

    store: ObjectStore
    clock: Clock
    on_wait: Callable[[Holder], None] | None = None

    def reference(self) -> ReferenceRebuilt:
        """Make reference data anew from all that landed of them.

        Raises:
            BusyError: If another process fetches, and is not waited for.
            DamagedObjectError: If landing or bronze cannot be read.
            VendorAnswerError: If what landed makes no sense.
            ConflictError: If others wrote the same tables meanwhile.
        """
        name = f"fetch-{MASSIVE}"
        with (
            leased(self.store, name, clock=self.clock, on_wait=self.on_wait) as lease,
            TemporaryDirectory() as folder,
        ):
            scratch = LocalStore(Path(folder))
            # Before anything is read: what others commit meanwhile is not written over.
            before = {key: self.store.fingerprint(key) for key in _WRITTEN}
            bringer = ReferenceBringer(scratch, self.store, MASSIVE)
            told = self._told()
            answers = {kind: self._bring(bringer, kind, told[kind]) for kind in ACTIONS}
            listed = self._bring_listings(bringer, told[LISTED])
            lease.check()
            changed = sum(self._take_actions(scratch, kind, told[kind], before) for kind in ACTIONS)
            changed += self._take_listings(scratch, listed, told[LISTED], before)
            self._note(scratch)
            rules = ConditionsBringer(self.store, MASSIVE)
            changed += rules.bring(anew=True).counts.changed
        of_tickers = sum(
            len(each)
            for kind in (TICKERS, DETAILS, EVENTS)
            for each in landing.landed(self.store, MASSIVE, kind).values()
        )
        counts = {kind: _rows(self.store, _of(kind)).height for kind in ACTIONS}
        said = listings_table.read(self.store).height
        counts |= {"listings": said, "conditions": len(conditions.read(self.store))}
        total = sum(answers.values()) + of_tickers + len(rules.landed())
        return ReferenceRebuilt(total, **counts, changed=changed)

    def _told(self) -> dict[str, list[ToldRows]]:
        """Return what users told, by kind."""
        if not all_told(self.store):
            return {kind: [] for kind in (*ACTIONS, LISTED)}
        table = load_sessions(self.store)
        return {kind: reference_told(self.store, table, kind) for kind in (*ACTIONS, LISTED)}

    def _bring(self, bringer: ReferenceBringer, kind: str, told: Sequence[ToldRows]) -> int:
        pending = bringer.pending(kind)
        steps: list[Step] = [
            (keys.landed_at(key), partial(bringer.actions, kind, unit, key, before))
            for unit, key, before in pending
        ]
        table = ACTIONS[kind].table
        for each in told:
            learnt = SetClock(each.at)
            commit = partial(actions.commit, bringer.store, table, each.rows, clock=learnt)
            steps.append((each.at, commit))
        _do(steps)
        return len(pending)

    def _bring_listings(
        self, bringer: ReferenceBringer, told: Sequence[ToldRows]
    ) -> frozenset[str]:
        """Bring listings in order; return all that the vendor and users ever told of."""
        days = [reference_on(self.store, MASSIVE, day) for day in days_landed(self.store, MASSIVE)]
        whole = [each for each in days if each.is_whole]
        known = [read_reference(self.store, each) for each in whole]
        listed = frozenset[str]().union(
            *(each.listings for each in known), *(each.rows["listing"] for each in told)
        )
        others = listings_table.read(self.store).filter(~pl.col("listing").is_in(list(listed)))
        if not others.is_empty():
            bringer.store.put(keys.LISTINGS, encode_frame(others, LISTINGS))
        traded = read_runs(self.store).keys()
        steps: list[Step] = [
            (then.at, partial(bringer.listings, each, traded))
            for each, then in zip(whole, known, strict=True)
            if then.at is not None
        ]
        steps += [(each.at, partial(_commit_listings, bringer.store, each)) for each in told]
        _do(steps)
        return listed

    def _take_actions(
        self, scratch: ObjectStore, kind: str, of_users: Sequence[ToldRows], before: Before
    ) -> int:
        """Let what was made of a kind take its place; return how many rows changed."""
        if not of_users and not landing.landed(self.store, MASSIVE, kind):
            return 0
        table = ACTIONS[kind].table
        key = list(table.row_key)
        history = _Table(table.history_key, table.history_schema, table.row_key)
        instants = pl.concat([_instants(self.store, kind), _seconds(of_users)])
        told = [_rows(self.store, each).select(*key, "known_from") for each in (_of(kind), history)]
        seconds = pl.col("known_from").dt.truncate("1s")
        kept = pl.concat(told).filter(~seconds.is_in(instants.implode())).select(key).unique()
        _take(self.store, history, _with_kept(self.store, scratch, history, kept), before)
        rows = _with_kept(self.store, scratch, _of(kind), kept)
        return _take(self.store, _of(kind), rows, before)

    def _take_listings(
        self,
        scratch: ObjectStore,
        told: Collection[str],
        of_users: Sequence[ToldRows],
        before: Before,
    ) -> int:
        if not told:
            return 0
        past = _Table(keys.LISTINGS_HISTORY, LISTINGS_HISTORY, tuple(_VERSION))
        came = [_instants(self.store, kind) for kind in (TICKERS, DETAILS, EVENTS)]
        instants = pl.concat([*came, _seconds(of_users)])
        is_ours = pl.col("known_from").dt.truncate("1s").is_in(instants.implode())
        others = _rows(self.store, past).filter(~(pl.col("listing").is_in(list(told)) & is_ours))
        rows = pl.concat([_rows(scratch, past), others]).unique(_VERSION, keep="first")
        _take(self.store, past, rows, before)
        now = _Table(keys.LISTINGS, LISTINGS, listings_table.KEY)
        return _take(self.store, now, _rows(scratch, now), before)

    def _note(self, scratch: ObjectStore) -> None:
        """Tell the lake what the scratch lake was told beside: the ledger, rejects."""
        for kind in ACTIONS:
            for source, entries in ledger.read(scratch, kind).items():
                ledger.note(self.store, kind, source, entries)
        for key in scratch.fingerprints(keys.REJECTS):
            self.store.put(key, scratch.get(key).data)


def _do(steps: Sequence[Step]) -> None:
    for _, step in sorted(steps, key=lambda each: each[0]):
        step()


def _commit_listings(store: ObjectStore, told: ToldRows) -> None:
    rows, gone = rows_and_gone(told.rows)
    try:
        listings_table.commit(store, rows, clock=SetClock(told.at), gone=gone)
    except SourceError as error:
        # So it was then, where another had told of the same symbols a moment before.
        _log.warning("listings of a file are refused", told_at=str(told.at), why=str(error))


def _seconds(told: Sequence[ToldRows]) -> pl.Series:
    at = [each.at.replace(microsecond=0) for each in told]
    return pl.Series("at", at, pl.Datetime("us", "UTC"))


def _of(kind: str) -> _Table:
    table = ACTIONS[kind].table
    return _Table(table.key, table.schema, table.row_key)


def _rows(store: ObjectStore, table: _Table) -> pl.DataFrame:
    return read_frame(store, table.key, table.schema)[0]


def _with_kept(
    store: ObjectStore, scratch: ObjectStore, table: _Table, kept: pl.DataFrame
) -> pl.DataFrame:
    """Return what was made, and what is kept of what is there."""
    key = kept.columns
    made = _rows(scratch, table).join(kept, on=key, how="anti")
    return pl.concat([made, _rows(store, table).join(kept, on=key, how="semi")])


def _take(store: ObjectStore, table: _Table, rows: pl.DataFrame, before: Before) -> int:
    """Replace a table where it differs; return how many rows are new, different or gone.

    Raises:
        ConflictError: If it is not as it was before any of this was made.
    """
    old = _rows(store, table)
    fresh = rows.join(old, on=rows.columns, how="anti", nulls_equal=True)
    gone = old.join(rows, on=table.row_key, how="anti")
    if not fresh.is_empty() or not gone.is_empty():
        order = list(dict.fromkeys((*table.row_key, "known_from")))
        data = encode_frame(rows.sort(order), table.schema)
        store.put_if(table.key, data, before[table.key])
    return fresh.height + gone.height


def _instants(store: ObjectStore, kind: str) -> pl.Series:
    """Return when answers of a kind had come, to the second."""
    found = landing.landed(store, MASSIVE, kind).values()
    at = [keys.landed_at(key) for each in found for key in each]
    return pl.Series("at", at, pl.Datetime("us", "UTC"))
