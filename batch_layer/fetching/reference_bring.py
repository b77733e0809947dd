"""From landing into bronze: splits, dividends and listings.

All of it follows from what landed, and from when: an action is known from when its answer had come,
so that bronze made anew from landing is the same. Killed between any two writes, it does the same
again the next time: what is in bronze already changes nothing.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer import landing
from batch_layer.bronze import actions, dividends, ledger, listings, splits
from batch_layer.fetching.listing_claims import Claim, claims_of
from batch_layer.fetching.listing_places import placed
from batch_layer.fetching.reference_landed import day_of, listings_before, read_reference
from batch_layer.vendors.massive_actions import dividends_of, splits_of
from lake import keys
from lake.clock import SetClock
from lake.schemas import LISTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from batch_layer.fetching.listing_claims import Dropped
    from batch_layer.fetching.reference_landed import Known, Reference
    from batch_layer.vendors.massive_actions import Told
    from lake.store import ObjectStore

_SAID: Final = [name for name in LISTINGS.names if name != "known_from"]
_KINDS: Final = dict.fromkeys(_SAID, pl.String()) | {"first": pl.Date(), "last": pl.Date()}


@dataclass(frozen=True, slots=True)
class Actions:
    """A kind of action: where bronze has it, and how the vendor tells of it.

    Attributes:
        table: In bronze.
        read: Returns what pages say.
        withdrawn: The values that withdraw one.
    """

    table: actions.Table
    read: Callable[[Iterable[bytes]], Told]
    withdrawn: Mapping[str, float]


ACTIONS: Final[Mapping[str, Actions]] = {
    "splits": Actions(splits.TABLE, splits_of, {"split_from": 1.0, "split_to": 1.0}),
    "dividends": Actions(dividends.TABLE, dividends_of, {"amount": 0.0}),
}


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of some answers: rows, those rejected, and what is new or changed in bronze."""

    rows: int = 0
    rejected: int = 0
    changed: int = 0

    def __add__(self, other: Brought) -> Brought:
        return Brought(
            self.rows + other.rows, self.rejected + other.rejected, self.changed + other.changed
        )


@dataclass(frozen=True, slots=True)
class ReferenceBringer:
    """Brings a source's reference data into bronze.

    Attributes:
        store: The lake whose bronze it is.
        landing: The lake that the answers landed in.
        source: Who answered.
    """

    store: ObjectStore
    landing: ObjectStore
    source: str

    def pending(self, kind: str) -> list[tuple[str, str, str | None]]:
        """Return unit, key and the key before it of answers that bronze has not, the oldest first.

        What the ledger tells counts while bronze is there.
        """
        is_there = self.store.fingerprint(ACTIONS[kind].table.key) is not None
        noted = ledger.read(self.store, kind).get(self.source, {}) if is_there else {}
        found = []
        for unit, landed in landing.landed(self.landing, self.source, kind).items():
            entry = noted.get(first_day(unit))
            last = (entry and entry.landed) or ""
            before: list[str | None] = [None, *landed[:-1]]
            pairs = zip(landed, before, strict=True)
            found += [(unit, key, older) for key, older in pairs if key > last]
        return sorted(found, key=lambda each: (each[1].rpartition("/")[2], each[0]))

    def actions(self, kind: str, unit: str, key: str, before: str | None) -> Brought:
        """Bring the actions of one answer into bronze.

        Those that the answer before it told of, and this one does not mention, are withdrawn.

        Raises:
            DamagedObjectError: If an answer, or bronze, cannot be read.
            VendorAnswerError: If it makes no sense.
            ConflictError: If others kept writing the same table.
        """
        which = ACTIONS[kind]
        told, at = self._told(which, key)
        rows = told.good
        if before is not None:
            gone = _absent(self._told(which, before)[0].good, told)
            rows = pl.concat([rows, _withdrawn(gone, which)])
        changed = actions.commit(self.store, which.table, rows, clock=SetClock(at))
        if not told.rejected.is_empty():
            rejects = keys.reference_rejects(kind, self.source, unit)
            self.store.put(rejects, told.rejected.write_csv().encode())
        rejected = told.rejected.height
        entry = ledger.Entry(told.rows, told.rows - rejected, told.reasons, key)
        ledger.note(self.store, kind, self.source, {first_day(unit): entry})
        return Brought(told.rows, rejected, changed)

    def listings(self, reference: Reference, traded: Collection[str]) -> Brought:
        """Bring listings into bronze as the last answers tell of them.

        What others have said of listings that the vendor does not know stays, and comes first.

        Args:
            reference: What landed.
            traded: The symbols that have bars.

        Raises:
            DamagedObjectError: If an answer, or bronze, cannot be read.
            VendorAnswerError: If an answer makes no sense.
            ConflictError: If others kept writing the listings.
        """
        if not reference.is_whole:
            return Brought()
        known = read_reference(self.landing, reference)
        ours = known.listings | listings_before(self.landing, reference)
        table = listings.read(self.store)
        kept = _claims(table.filter(~pl.col("listing").is_in(list(ours))))
        rows, dropped = said_of(known, traded, kept)
        gone = ours.intersection(table["listing"]) - set(rows["listing"])
        at = known.at or dt.datetime.max.replace(tzinfo=dt.UTC)
        changed = listings.commit(self.store, rows, clock=SetClock(at), gone=gone)
        if dropped:
            self._keep_dropped(reference, dropped)
        return Brought(rows.height, len(dropped), changed)

    def _told(self, which: Actions, key: str) -> tuple[Told, dt.datetime]:
        answers = landing.read(self.landing, key)
        return which.read(answer.body for answer in answers), answers[-1].fetched_at

    def _keep_dropped(self, reference: Reference, dropped: Sequence[Dropped]) -> None:
        days = [day_of(key.rpartition("/")[0]) for key in reference.snapshots.values()]
        unit = str(max(day for day in days if day is not None))
        rows = [(each.why, each.listing, each.symbol) for each in dropped]
        frame = pl.DataFrame(rows, schema=["reason", "listing", "symbol"], orient="row")
        key = keys.reference_rejects("listings", self.source, unit)
        self.store.put(key, frame.sort("reason", "listing", "symbol").write_csv().encode())


def said_of(
    known: Known, traded: Collection[str], kept: Sequence[Claim] = ()
) -> tuple[pl.DataFrame, list[Dropped]]:
    """Return the rows of `LISTINGS` that landed answers make, less `known_from`; and what is not.

    Args:
        known: What they say.
        traded: The symbols that have bars: of two that a listing has at once, one of these counts.
        kept: What others have said.
    """
    claims, impossible = claims_of(known.tickers, known.events, traded)
    found, dropped = placed(claims, kept)
    rows = [tuple(getattr(each, name) for name in _SAID) for each in found]
    return pl.DataFrame(rows, schema=_KINDS, orient="row"), impossible + dropped


def first_day(unit: str) -> dt.date:
    """Return the first day of a unit that is a year: under it, the ledger has it."""
    return dt.date(int(unit), 1, 1)


def _absent(had: pl.DataFrame, told: Told) -> pl.DataFrame:
    """Return the rows of an answer that another one does not mention; rejected is not absent."""
    key = had.columns[:2]
    mentioned = pl.DataFrame(
        list(told.mentioned), schema={name: had.schema[name] for name in key}, orient="row"
    )
    return had.join(mentioned, on=key, how="anti")


def _withdrawn(rows: pl.DataFrame, which: Actions) -> pl.DataFrame:
    return rows.with_columns(**{name: pl.lit(value) for name, value in which.withdrawn.items()})


def _claims(rows: pl.DataFrame) -> list[Claim]:
    return [Claim(**row) for row in rows.select(_SAID).iter_rows(named=True)]
