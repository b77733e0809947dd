"""Generate: a made-up market into a lake that holds no other bars.

What is made is told by an object that is written first, so that a generation that was killed is
completed by the very same one, and no other may join it. What is imported later may.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from batch_layer.bronze import daily, dividends, manifest, splits
from batch_layer.generating.market import generate_years
from batch_layer.landing.told import Told, all_told, land_told
from lake import keys
from lake.clock import SetClock
from lake.documents import encode_document, read_document
from lake.errors import DamagedObjectError, InvalidRangeError, MisuseError, ObjectNotFoundError
from lake.exchange import ensure_sessions, trading_day
from lake.session import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from batch_layer.generating.market import MarketYear
    from lake.clock import Clock
    from lake.documents import Document
    from lake.session import SessionTable
    from lake.store import ObjectStore

MOST_SYMBOLS: Final = 100_000
_VERSION: Final = 1
"""Of the market made of the same arguments; to be raised with any change to it."""


@dataclass(frozen=True, slots=True)
class Generation:
    """Which market: the same arguments make the same one on every machine.

    Attributes:
        symbols: How many there are in all, 1 to 100,000; few in the beginning, and ever more.
        start: The first date, from 1962-01-02 on.
        end: The last date; its session must be over.
        seed: Not negative.

    Raises:
        MisuseError: If one of them cannot be.
    """

    symbols: int
    start: dt.date
    end: dt.date
    seed: int

    def __post_init__(self) -> None:
        """Check what was asked for."""
        if not 1 <= self.symbols <= MOST_SYMBOLS:
            fact = f"A market of {self.symbols} symbols cannot be. Allowed: 1 to {MOST_SYMBOLS:,}."
            raise MisuseError(fact)
        if self.seed < 0:
            fact = f"{self.seed} is not a seed. Allowed: 0 and above."
            raise MisuseError(fact)
        if self.start > self.end:
            fact = f"The start {self.start} is after the end {self.end}."
            raise InvalidRangeError(fact)
        if self.start < EPOCH:
            fact = f"The start {self.start} is before {EPOCH}, where the session table begins."
            raise InvalidRangeError(fact)


@dataclass(frozen=True, slots=True)
class GenerateReport:
    """What a generation did.

    Attributes:
        symbols: How many it was asked for.
        first: The first session.
        last: The last session.
        bars: Bars of the market.
        added: How many of them were new to the lake.
        unchanged: How many it held already.
        splits: Splits of the market.
        dividends: Dividends of the market.
        seconds: How long it took.
    """

    symbols: int
    first: str
    last: str
    bars: int
    added: int
    unchanged: int
    splits: int
    dividends: int
    seconds: float


def generate(
    store: ObjectStore,
    generation: Generation,
    *,
    clock: Clock,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> GenerateReport:
    """Bring a made-up market into a lake: daily bars, splits and dividends.

    It is learnt at the close of its last session, so that bronze has the same bytes wherever and
    whenever it is made.

    Args:
        store: The lake.
        generation: Which market.
        clock: Tells which sessions are over.
        on_progress: Called with (done, of how many) as years are committed.

    Raises:
        InvalidRangeError: If a date lies outside the sessions that are over.
        MisuseError: If the lake holds other bars.
        ConflictError: If others kept writing the same bars.
    """
    started = time.perf_counter()
    _refuse_what_is_not_over(generation, clock)
    table = _sessions(store, generation)
    span = table.ordinals(generation.start, generation.end)
    if not span:
        fact = f"There is no session from {generation.start} to {generation.end}."
        raise InvalidRangeError(fact)
    _claim(store, generation)
    dates = [table[ordinal] for ordinal in span]
    learnt = SetClock(table.closes[span[-1]])
    _land(store, generation, learnt.now())
    made = _commit(store, generation, dates, learnt, on_progress)
    return GenerateReport(
        symbols=generation.symbols,
        first=dates[0].isoformat(),
        last=dates[-1].isoformat(),
        bars=made.changes.added + made.changes.corrected + made.changes.unchanged,
        added=made.changes.added,
        unchanged=made.changes.unchanged,
        splits=made.splits,
        dividends=made.dividends,
        seconds=time.perf_counter() - started,
    )


@dataclass(frozen=True, slots=True)
class _Made:
    changes: daily.Changes
    splits: int
    dividends: int


def _commit(
    store: ObjectStore,
    generation: Generation,
    dates: Sequence[dt.date],
    learnt: Clock,
    on_progress: Callable[[int, int], None],
) -> _Made:
    total = dates[-1].year - dates[0].year + 1
    changes = daily.Changes()
    all_splits, all_dividends = [], []
    on_progress(0, total)
    for done, year in enumerate(generate_years(generation.symbols, dates, generation.seed), 1):
        changes += daily.commit(store, year.bars.with_columns(known_from=pl.lit(learnt.now())))
        all_splits.append(year.splits)
        all_dividends.append(year.dividends)
        on_progress(done, total)
    known_splits, known_dividends = pl.concat(all_splits), pl.concat(all_dividends)
    splits.commit(store, known_splits, clock=learnt)
    dividends.commit(store, known_dividends, clock=learnt)
    return _Made(changes, known_splits.height, known_dividends.height)


def _refuse_what_is_not_over(generation: Generation, clock: Clock) -> None:
    today = trading_day(clock.now())
    if generation.end >= today:
        fact = f"The end {generation.end} is not over. Allowed: a date before {today}."
        raise InvalidRangeError(fact)


def market_of(told: Mapping[str, Any]) -> Generation:
    """Return the market that landing tells of.

    Raises:
        DamagedObjectError: If this version would make another one of the same arguments.
    """
    if told["version"] != _VERSION:
        fact = f"The market that landed is of version {told['version']}: this one makes {_VERSION}."
        raise DamagedObjectError(fact, hint="rebuild it with the version of fiblake that made it.")
    start, end = (dt.date.fromisoformat(told[name]) for name in ("start", "end"))
    return Generation(told["symbols"], start, end, told["seed"])


def market_years(generation: Generation, table: SessionTable) -> Iterator[MarketYear]:
    """Yield a market year by year."""
    dates = [table[each] for each in table.ordinals(generation.start, generation.end)]
    return generate_years(generation.symbols, dates, generation.seed)


def claim_anew(store: ObjectStore, generation: Generation) -> None:
    """Tell the lake what it holds, if it does not know, as where all but landing was lost."""
    if _claimed(store)[0] is None:
        store.put(keys.GENERATION, encode_document(_wanted(generation)))


def _land(store: ObjectStore, generation: Generation, at: dt.datetime) -> None:
    market = _wanted(generation)
    if not any(told.market == market for told in all_told(store)):
        land_told(store, Told(at, "generate", market=market))


def _claim(store: ObjectStore, generation: Generation) -> None:
    """Tell the lake what it will hold, unless it holds something else."""
    wanted = _wanted(generation)
    found, fingerprint = _claimed(store)
    if found == wanted:
        return
    if keys.by_year(store.fingerprints(keys.DAILY)):
        fact = f"The lake {store.location} holds other bars; made-up ones do not mix with them."
        raise MisuseError(fact, hint="name an empty lake with --lake.")
    store.put_if(keys.GENERATION, encode_document(wanted), fingerprint)


def _wanted(generation: Generation) -> Document:
    return {
        "version": _VERSION,
        "symbols": generation.symbols,
        "start": generation.start.isoformat(),
        "end": generation.end.isoformat(),
        "seed": generation.seed,
    }


def _claimed(store: ObjectStore) -> tuple[Document | None, str | None]:
    try:
        return read_document(store, keys.GENERATION)
    except ObjectNotFoundError:
        return None, None
    except DamagedObjectError:
        return None, store.fingerprint(keys.GENERATION)


def _sessions(store: ObjectStore, generation: Generation) -> SessionTable:
    return ensure_sessions(
        store,
        today=generation.end,
        committed=lambda: max(manifest.read(store), default=None),
    )
