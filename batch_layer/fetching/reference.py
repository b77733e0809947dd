"""Fetching reference data: tickers and their events, splits, dividends, trade conditions.

Each unit lands at once, with all its pages: a snapshot of tickers, a year of splits; then bronze
follows. What landed is not asked for again the same day, and what cannot change any more never.
What one needs to ask of single symbols follows from the tickers, and from the bars that the lake
has.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batch_layer import landing
from batch_layer.bronze import listings
from batch_layer.bronze.traded import read_runs
from batch_layer.fetching.daily_sources import EARLIEST, MASSIVE
from batch_layer.fetching.reference_ask import OF_A_UNIT, Asked, Asking
from batch_layer.fetching.reference_bring import ACTIONS, Brought, ReferenceBringer
from batch_layer.fetching.reference_conditions import UNIT, ConditionsBringer
from batch_layer.fetching.reference_landed import (
    CONDITIONS,
    DETAILS,
    EVENTS,
    TICKERS,
    read_reference,
    reference_on,
)
from batch_layer.fetching.reference_plan import (
    Landed,
    Units,
    stale_events,
    wanted_details,
    wanted_events,
)
from batch_layer.fetching.reference_report import Missed, Part, ReferenceReport
from lake.errors import InvalidRangeError
from lake.exchange import trading_day
from lake.lease import leased

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    from batch_layer.bronze.traded import Run
    from batch_layer.fetching.reference_ask import ReferenceSource
    from batch_layer.fetching.reference_landed import Known
    from lake.clock import Clock
    from lake.lease import Holder
    from lake.settings import Settings
    from lake.store import ObjectStore

_LISTINGS: Final = "listings"
_LONG_MIN: Final = 1.0


@dataclass(frozen=True, slots=True)
class ReferenceOrder:
    """What is wanted.

    Attributes:
        start: Splits and dividends from the year of this date on; None: from the lake's first bar
            on or, where there is none, from where the vendor's bars begin.
        end: To the year of this date; None: to those announced.
        again: Ask for what is there, too.
    """

    start: dt.date | None = None
    end: dt.date | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class ReferenceFetcher:
    """Brings a vendor's reference data into one lake.

    Attributes:
        store: The lake.
        clock: Tells the day.
        opened: Returns the source, once there is something to ask it.
        workers: How many units are asked for at once.
        on_progress: Called with (done, of how many) as units are done.
        on_wait: Called where another process fetches from the source, which is then waited for;
            None: nobody is waited for.
        on_long: Called with (calls, minutes) where the pace makes it take more than a minute; it
            may take more calls than that.
    """

    store: ObjectStore
    clock: Clock
    opened: Callable[[], ReferenceSource]
    workers: int = 8
    on_progress: Callable[[int, int], None] = lambda _done, _total: None
    on_wait: Callable[[Holder], None] | None = None
    on_long: Callable[[int, float], None] = lambda _calls, _minutes: None

    @classmethod
    def of(cls, store: ObjectStore, settings: Settings, clock: Clock) -> ReferenceFetcher:
        """Return what fetches into a lake as the settings say, and tells nobody."""

        def opened() -> ReferenceSource:
            # An extra, which a lake that fetches nothing needs not.
            from batch_layer.fetching.massive_reference import (  # noqa: PLC0415 - said above
                MassiveReference,
            )

            return MassiveReference.of(settings, clock)

        return cls(store, clock, opened, workers=settings.fetch_workers)

    def fetch(self, order: ReferenceOrder) -> ReferenceReport:
        """Fetch what is missing, and what may have changed.

        Raises:
            InvalidRangeError: If the start is after the end.
            BusyError: If another process fetches from the source, and is not waited for.
            VendorError: If the source cannot be asked at all; what had landed stays.
            StoreError: If the lake cannot be written.
        """
        started = time.perf_counter()
        with leased(
            self.store, f"fetch-{MASSIVE}", clock=self.clock, on_wait=self.on_wait
        ) as lease:
            parts = ReferenceRun(self, order, lease.check).go()
        return ReferenceReport(MASSIVE, parts, time.perf_counter() - started)


@dataclass(slots=True)
class ReferenceRun:
    """A fetch at work.

    Attributes:
        fetcher: Whose it is.
        order: What is wanted.
        check: Raises an error where this process may not go on.
    """

    fetcher: ReferenceFetcher
    order: ReferenceOrder
    check: Callable[[], None]
    _asked: dict[str, Asked] = field(default_factory=dict)
    _there: dict[str, int] = field(default_factory=dict)
    _brought: dict[str, Brought] = field(default_factory=dict)
    _source: list[ReferenceSource] = field(default_factory=list)
    _done: int = 0
    _total: int = 0

    def go(self) -> tuple[Part, ...]:
        """Do what there is to do; return what came of it.

        Raises:
            VendorError: If the source is given up on.
            StoreError: If the lake cannot be written.
        """
        store = self.fetcher.store
        runs = read_runs(store)
        start, end = self._span(runs)
        years = {kind: self._landed.years(kind, start, end) for kind in ACTIONS}
        conditions = self._landed.symbols(CONDITIONS, [UNIT], [UNIT])
        self._ask({TICKERS: self._landed.states(), **years, CONDITIONS: conditions})
        self._ask({DETAILS: self._details(runs)})
        self._ask({EVENTS: self._events(runs)})
        self.check()
        for kind in ACTIONS:
            self._bring(kind)
        self._bring_listings(runs)
        self._bring_conditions()
        parts = (TICKERS, DETAILS, EVENTS, _LISTINGS, *ACTIONS, CONDITIONS)
        return tuple(map(self._part, parts))

    def _span(self, runs: Mapping[str, Sequence[Run]]) -> tuple[dt.date, dt.date | None]:
        start, end = self.order.start, self.order.end
        if start is not None and end is not None and start > end:
            fact = f"The start {start} is after the end {end}."
            raise InvalidRangeError(fact, hint="give --start and --end, both inclusive.")
        first = min((each[0].first for each in runs.values()), default=EARLIEST)
        return (first if start is None else start), end

    @property
    def _landed(self) -> Landed:
        fetcher = self.fetcher
        today = trading_day(fetcher.clock.now())
        return Landed(fetcher.store, MASSIVE, today, again=self.order.again)

    def _details(self, runs: Mapping[str, Sequence[Run]]) -> Units:
        """Return of which symbols to ask what they named when."""
        known = self._known()
        table = listings.read(self.fetcher.store)
        others = table.filter(~table["listing"].is_in(list(known.listings)))
        answered = self._answered(DETAILS)
        ask = wanted_details(runs, known, others["symbol"].to_list(), answered)
        return self._landed.symbols(DETAILS, ask)

    def _events(self, runs: Mapping[str, Sequence[Run]]) -> Units:
        """Return the listings whose events are needed."""
        known = self._known()
        stale = stale_events(known)
        wanted = {*wanted_events(runs.keys(), known, self._answered(EVENTS)), *stale}
        return self._landed.symbols(EVENTS, sorted(wanted), stale)

    def _answered(self, kind: str) -> list[str]:
        if self.order.again:
            return []
        landed = landing.landed(self.fetcher.store, MASSIVE, kind)
        return [*landed, *self._asking.unknown(kind)]

    def _known(self) -> Known:
        store = self.fetcher.store
        return read_reference(store, reference_on(store, MASSIVE))

    def _ask(self, wanted: Mapping[str, Units]) -> None:
        units = [(kind, unit) for kind, each in wanted.items() for unit in each.ask]
        self._there |= {kind: each.there for kind, each in wanted.items()}
        self._total += len(units)
        self.fetcher.on_progress(self._done, self._total)
        if units:
            per_minute = self._opened().calls_per_minute
            if len(units) / per_minute > _LONG_MIN:
                self.fetcher.on_long(len(units), len(units) / per_minute)
        self._asked |= self._asking.ask(units)

    @property
    def _asking(self) -> Asking:
        fetcher = self.fetcher
        return Asking(fetcher.store, MASSIVE, self._opened, fetcher.workers, self._advance)

    def _opened(self) -> ReferenceSource:
        if not self._source:
            self._source.append(self.fetcher.opened())
        return self._source[0]

    def _advance(self) -> None:
        self._done += 1
        self.fetcher.on_progress(self._done, self._total)

    def _bring(self, kind: str) -> None:
        """Bring what landed of a kind of actions; of a unit, nothing after what cannot be read."""
        bringer = self._bringer
        brought = Brought()
        failed: dict[str, Missed] = {}
        for unit, key, before in bringer.pending(kind):
            if unit in failed:
                continue
            try:
                brought += bringer.actions(kind, unit, key, before)
            except OF_A_UNIT as error:
                failed[unit] = Missed(unit, error.fact)
        self._brought[kind] = brought
        self._asked.setdefault(kind, Asked()).failed += failed.values()

    def _bring_listings(self, runs: Mapping[str, Sequence[Run]]) -> None:
        reference = reference_on(self.fetcher.store, MASSIVE)
        self._brought[_LISTINGS] = self._bringer.listings(reference, runs.keys())

    def _bring_conditions(self) -> None:
        failed = self._asked.setdefault(CONDITIONS, Asked()).failed
        try:
            brought = ConditionsBringer(self.fetcher.store, MASSIVE).bring()
        except OF_A_UNIT as error:
            failed.append(Missed(UNIT, error.fact))
            return
        self._brought[CONDITIONS] = brought.counts
        if brought.refused:
            failed.append(Missed(UNIT, brought.refused))

    @property
    def _bringer(self) -> ReferenceBringer:
        return ReferenceBringer(self.fetcher.store, self.fetcher.store, MASSIVE)

    def _part(self, what: str) -> Part:
        asked = self._asked.get(what, Asked())
        brought = self._brought.get(what, Brought())
        return Part(
            what=what.replace("_", " "),
            asked=asked.units,
            there=self._there.get(what, 0),
            pages=asked.pages,
            rows=brought.rows if what == _LISTINGS else asked.rows,
            rejected=brought.rejected,
            changed=brought.changed,
            failed=tuple(sorted(asked.failed, key=lambda each: each.unit)),
        )
