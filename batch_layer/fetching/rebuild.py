"""Bronze made anew from landing, without any vendor: as it was made at first, revisions and all.

Each year's answers, and what users told by commands, are brought in the order in which they came
into a scratch lake; what comes of them takes the place of what bronze has of the same bars. A bar
that also came another way (made of recorded events, or of a file before files landed) is left as
it is: landing does not know of that.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer import landing
from batch_layer.bronze import daily, ledger
from batch_layer.bronze.committed import last_committed
from batch_layer.bronze.year import KEY, Year, read_year
from batch_layer.fetching.daily_landed import DailyBringer
from batch_layer.fetching.daily_sources import KIND, READERS
from batch_layer.fetching.landed import read_landed
from batch_layer.fetching.session_plan import session_of
from batch_layer.fetching.told_rebuild import FILES, bring, lay_out, runs_of, unlanded
from lake import keys
from lake.exchange import ensure_sessions, last_settled, trading_day
from lake.lease import leased
from lake.store import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from batch_layer.fetching.landed import Landed
    from batch_layer.fetching.told_rebuild import Part, Run
    from lake.clock import Clock
    from lake.lease import Holder
    from lake.session import SessionTable
    from lake.store import ObjectStore

_CHUNK: Final = 32
_INSTANTS: Final = ("known_from", "known_to")


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild did.

    Attributes:
        answers: How many landed answers it read.
        sessions: Of how many sessions.
        told: By how many commands (imports, withdrawals, made-up markets) users told of bars.
        restored: Bars that bronze had not.
        changed: Bars, or what was known of them, that differed.
        unchanged: Bars that were as they should be.
        dropped: Bars that no answer has.
        kept: Bars left as they are, since they also came another way.
        unlanded: Names of files that were imported before files landed, as far as the lake knows:
            of their bars, what bronze has lost is not restored.
        seconds: How long it took.
    """

    answers: int = 0
    sessions: int = 0
    told: int = 0
    restored: int = 0
    changed: int = 0
    unchanged: int = 0
    dropped: int = 0
    kept: int = 0
    unlanded: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """One answer that landed: when, whose, and where."""

    at: dt.datetime
    source: str
    key: str


OfYear = dict[dt.date, list[Version]]


@dataclass(frozen=True, slots=True)
class Rebuilder:
    """Makes the daily bronze of one lake anew.

    Attributes:
        store: The lake.
        clock: Tells which sessions are over.
        settling: How long after its close a session's bars are taken.
        on_progress: Called with (done, of how many) as years are done.
        on_wait: Called where another process fetches, which is then waited for; None: nobody is.
    """

    store: ObjectStore
    clock: Clock
    settling: dt.timedelta = dt.timedelta()
    on_progress: Callable[[int, int], None] = lambda _done, _total: None
    on_wait: Callable[[Holder], None] | None = None

    def daily(self) -> RebuildReport:
        """Make the daily bars of bronze anew, from all that landed of them.

        Raises:
            BusyError: If another process fetches, and is not waited for.
            DamagedObjectError: If landing or bronze cannot be read.
            ConflictError: If others kept writing the same bars.
        """
        started = time.perf_counter()
        with ExitStack() as leases:
            for source in READERS:
                name = f"fetch-{source}"
                hold = leased(self.store, name, clock=self.clock, on_wait=self.on_wait)
                leases.enter_context(hold)
            report = self._daily()
        return replace(report, seconds=time.perf_counter() - started)

    def _daily(self) -> RebuildReport:
        by_year = versions(self.store)
        table = ensure_sessions(
            self.store,
            today=trading_day(self.clock.now()),
            committed=lambda: last_committed(self.store),
        )
        settled = last_settled(table, self.clock.now(), self.settling)
        total = RebuildReport()
        with TemporaryDirectory() as folder:
            told = lay_out(self.store, table, Path(folder))
            years = sorted({*by_year, *told})
            self.on_progress(0, len(years))
            for done, year in enumerate(years, start=1):
                of_year, parts = by_year.get(year, {}), told.get(year, [])
                total = summed(total, self._year(year, of_year, parts, table, settled))
                self.on_progress(done, len(years))
        commands = len({part.number for parts in told.values() for part in parts})
        return replace(total, told=commands, unlanded=unlanded(self.store))

    def _year(
        self,
        year: int,
        of_year: OfYear,
        parts: Sequence[Part],
        table: SessionTable,
        settled: dt.date,
    ) -> RebuildReport:
        answered = [each for found in of_year.values() for each in found]
        runs = runs_of(parts, {each.at for each in answered})
        instants = _instants(runs)
        merged = _with_runs(of_year, runs)
        with TemporaryDirectory() as folder:
            scratch = LocalStore(Path(folder))
            for chunk in _chunks(sorted(merged)):
                for source, turn in _turns({session: merged[session] for session in chunk}):
                    if source == FILES:
                        _bring_runs(scratch, runs, turn)
                        continue
                    answers = [self._read(session, merged, each) for session, each in turn]
                    for answer in answers:
                        instants[answer.session].add(answer.fetched_at)
                    DailyBringer(scratch, self.store, source, table, settled).bring(answers)
            counts = remake(self.store, year, read_year(scratch, year), instants)
            self._note(scratch)
        return replace(counts, answers=len(answered), sessions=len(merged))

    def _read(self, session: dt.date, of_year: OfYear, version: Version) -> Landed:
        before = [
            each.key
            for each in of_year[session]
            if each.source == version.source and each.key < version.key
        ]
        key = version.key
        reader = READERS[version.source]
        return read_landed(self.store, reader, session, key, max(before, default=None))

    def _note(self, scratch: ObjectStore) -> None:
        """Tell the lake what the scratch lake was told beside its bars: the ledger, rejects."""
        for source, entries in ledger.read(scratch, KIND).items():
            ledger.note(self.store, KIND, source, entries)
        for key in scratch.fingerprints(keys.REJECTS):
            self.store.put(key, scratch.get(key).data)


def versions(store: ObjectStore) -> dict[int, OfYear]:
    """Return all answers of daily bars that landed, by year and session, in order."""
    found: defaultdict[int, OfYear] = defaultdict(dict)
    for source in READERS:
        prefix = keys.landing(source, KIND)
        for unit, landed in landing.landed(store, source, KIND).items():
            session = session_of(unit)
            if session is not None:
                told = [(keys.landed_unit(key, prefix), key) for key in landed]
                news = [Version(at[1], source, key) for at, key in told if at is not None]
                of_year = found[session.year]
                of_year[session] = sorted([*of_year.get(session, []), *news])
    return dict(found)


def _with_runs(of_year: OfYear, runs: Sequence[Run]) -> OfYear:
    """Return what landed of a year, what was told by commands among it, in order."""
    found = {session: list(each) for session, each in of_year.items()}
    for number, run in enumerate(runs):
        version = Version(run.at, FILES, f"{number:08}")
        for session in run.frame["session"].unique():
            found.setdefault(session, []).append(version)
    return {session: sorted(each) for session, each in found.items()}


def _bring_runs(
    scratch: ObjectStore, runs: Sequence[Run], turn: Sequence[tuple[dt.date, Version]]
) -> None:
    for key in sorted({version.key for _, version in turn}):
        sessions = [session for session, version in turn if version.key == key]
        bring(scratch, runs[int(key)], sessions)


def _instants(runs: Sequence[Run]) -> defaultdict[dt.date, set[dt.datetime]]:
    """Return when commands told of which session."""
    found: defaultdict[dt.date, set[dt.datetime]] = defaultdict(set)
    for run in runs:
        for session, at in run.frame.select("session", "known_from").unique().iter_rows():
            found[session].add(at)
    return found


def remake(
    store: ObjectStore,
    year: int,
    made: Year,
    instants: Mapping[dt.date, AbstractSet[dt.datetime]],
) -> RebuildReport:
    """Let what was made anew take the place of what bronze has of the same bars.

    Args:
        store: The lake.
        year: Which year.
        made: What landing makes of it.
        instants: By session that landing knows, when its answers had come.
    """
    counts = RebuildReport()

    def revise(old: Year) -> tuple[Year, daily.Changes]:
        nonlocal counts
        kept = _foreign(old, made, instants)
        bars = _instead(old.bars, made.bars, kept)
        history = _instead(old.history, made.history, kept)
        counts = _compared(old.bars, made.bars, kept)
        return replace(old, bars=bars, history=history), daily.Changes()

    daily.revise(store, year, pl.Series("session", list(instants), pl.Date()), revise)
    return counts


def _foreign(
    old: Year, made: Year, instants: Mapping[dt.date, AbstractSet[dt.datetime]]
) -> pl.DataFrame:
    """Return the keys of the bars of which bronze knows something that landing does not."""
    rows = [(session, instant) for session, at in instants.items() for instant in at]
    kinds = {"session": pl.Date(), "at": pl.Datetime("us", "UTC")}
    ours = pl.DataFrame(rows, schema=kinds, orient="row")
    # Of two that came at one instant the later is known a little after it.
    told = [pl.DataFrame(schema={**made.bars.select(KEY).schema, "at": kinds["at"]})]
    for frame in (made.bars, made.history):
        told += [frame.select(*KEY, at=name) for name in _INSTANTS if name in frame.columns]
    known = pl.concat(told)
    odd = []
    for frame in (old.bars, old.history):
        for name in (each for each in _INSTANTS if each in frame.columns):
            at = frame.select(*KEY, at=name)
            at = at.join(ours, on=["session", "at"], how="anti")
            odd.append(at.join(known, on=[*KEY, "at"], how="anti").select(KEY))
    return pl.concat(odd).unique()


def _instead(old: pl.DataFrame, made: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    stays = old.join(kept, on=KEY, how="semi")
    return pl.concat([stays, made.join(kept, on=KEY, how="anti").select(old.columns)])


def _compared(old: pl.DataFrame, made: pl.DataFrame, kept: pl.DataFrame) -> RebuildReport:
    stays = old.join(kept, on=KEY, how="semi").height
    mine, fresh = (frame.join(kept, on=KEY, how="anti") for frame in (old, made))
    same = fresh.join(mine, on=fresh.columns, how="semi", nulls_equal=True).height
    both = fresh.join(mine, on=KEY, how="semi").height
    return RebuildReport(
        restored=fresh.height - both,
        changed=both - same,
        unchanged=same,
        dropped=mine.height - both,
        kept=stays,
    )


def _turns(
    of_chunk: Mapping[dt.date, Sequence[Version]],
) -> Iterator[tuple[str, list[tuple[dt.date, Version]]]]:
    """Yield the answers to bring at once, by source: of each session one, in order."""
    for number in range(max(map(len, of_chunk.values()))):
        turn = {session: each[number] for session, each in of_chunk.items() if number < len(each)}
        for source in sorted({version.source for version in turn.values()}):
            yield source, [(day, each) for day, each in turn.items() if each.source == source]


def _chunks(sessions: Sequence[dt.date]) -> Iterator[Sequence[dt.date]]:
    for at in range(0, len(sessions), _CHUNK):
        yield sessions[at : at + _CHUNK]


def summed(one: RebuildReport, other: RebuildReport) -> RebuildReport:
    """Return what two rebuilds did together."""
    added = {name: value + getattr(other, name) for name, value in asdict(one).items()}
    return RebuildReport(**added)
