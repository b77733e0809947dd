"""The dry run of a rule: when it would have fired, and what the price did then.

It is the evaluation that runs live, on what the lake has of the past. It knows the bars before its
start, so that averages and ranges are there at the first one. Prices are on the split basis of the
present, as the levels of rules are.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - a dataclass's field
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from lake.alerts.book import Book
from lake.alerts.rule import rule_document
from lake.errors import GivenUpError, MisuseError, UnknownSymbolError
from lake.hours import hours_of
from lake.instant import from_microseconds
from serving_layer.alerts.outcomes import Closes, Outcome, Summary, summaries
from serving_layer.alerts.past import Past
from serving_layer.alerts.span import Limits, check_dates

if TYPE_CHECKING:
    from threading import Event

    from lake.alerts.book import Firing
    from lake.alerts.rule import Rule
    from serving_layer.alerts.flow import Part
    from serving_layer.alerts.past import Recorded
    from serving_layer.merged import MergedReader
    from serving_layer.reader import Reader

Resolution = Literal["1d", "1m", "ticks"]
RESOLUTIONS: Final[tuple[Resolution, ...]] = get_args(Resolution)
MOST_LISTED: Final = 1000
"""Firings that are told one by one."""
_ALERT: Final = "al_000000000000"


@dataclass(frozen=True, slots=True)
class DryFiring:
    """A firing that would have been.

    Attributes:
        time: When.
        price: At which price, USD a share on the split basis of the present.
        text: Why.
        outcomes: What the price did 1, 3, 5, 8 and 13 sessions later.
    """

    time: dt.datetime
    price: float
    text: str
    outcomes: list[Outcome]


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a rule would have told.

    Attributes:
        rule: The rule.
        symbol: Of what.
        start: The first session.
        end: The last one.
        resolution: What prices were told of: `1d`, `1m` or `ticks`.
        sessions: How many sessions of the exchange those are.
        untold: Of how many of them no price was seen.
        seen: How many prices and bars were seen.
        fired: How often it would have fired.
        expired: When the rule was over, where that is before the last session's end; else null.
        firings: The first thousand, in order of time.
        outcomes: What the price did after all of them.
    """

    rule: dict[str, Any]
    symbol: str
    start: dt.date
    end: dt.date
    resolution: Resolution
    sessions: int
    untold: int
    seen: int
    fired: int
    expired: dt.datetime | None
    firings: list[DryFiring]
    outcomes: list[Summary]


class DryRuns:
    """Runs rules on the past of one lake, from any thread.

    Args:
        reader: Of the lake.
        merged: The same, as of a feed that may tell a session again.
        recorded: Tells what was recorded of the live flow; None: nothing can.
        limits: On what is asked for.
    """

    def __init__(
        self,
        reader: Reader,
        merged: MergedReader,
        recorded: Recorded | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._reader = reader
        self._merged = merged
        self._recorded = recorded
        self._limits = limits or Limits()

    def run(
        self,
        rule: Rule,
        start: dt.date | None = None,
        end: dt.date | None = None,
        resolution: Resolution = "1d",
        stop: Event | None = None,
    ) -> DryRun:
        """Return when a rule would have fired.

        A rule that does not repeat is done with its first firing, and so is the run.

        Args:
            rule: The rule.
            start: The first session; None: the first there is at the resolution, or, where there is
                a limit, as many of the last sessions as may be.
            end: The last one, inclusive; None, or later than there is: the last there is.
            resolution: `1d`: daily bars as paths of prices; `1m`: minutes likewise; `ticks`: what
                was recorded of the live flow.
            stop: Looked at after each part of a session; once it is set, the run is given up.

        Raises:
            GivenUpError: If it was given up.
            InvalidRangeError: If the range cannot be, or the lake has not all of it.
            MisuseError: If the rule looks at what there is not at the resolution.
            UnknownSymbolError: If the lake has no bar of the symbol, nor is there a recorded event.
            NotFoundError: If it has no bars of an interval that is needed, or no recorded events.
            StoreError: If it cannot be read.
        """
        check_dates(start, end)
        run = _Run(rule)
        past = Past(
            self._reader, self._merged, rule, run.book, resolution, self._recorded, self._limits
        )
        ordinals = past.span(start, end)
        for part in past.flow(ordinals):
            _go_on(stop)
            if not run.take(part, past):
                break
        if not past.days and not run.is_told:
            fact = f"{rule.symbol}: no such symbol in the lake, nor in what was recorded then."
            raise UnknownSymbolError(fact)
        return _found(rule, resolution, ordinals, run, past)


def _found(rule: Rule, resolution: Resolution, ordinals: range, run: _Run, past: Past) -> DryRun:
    last = past.table[ordinals[-1]]
    closes = Closes(past.days, past.table)
    outcomes = [closes.after(each.time, each.price) for each in run.fired]
    return DryRun(
        rule=rule_document(rule),
        symbol=rule.symbol,
        start=past.table[ordinals[0]],
        end=last,
        resolution=resolution,
        sessions=len(ordinals),
        untold=run.untold,
        seen=run.seen,
        fired=len(run.fired),
        expired=rule.expires if _is_over(rule, hours_of(last, past.table).dusk) else None,
        firings=list(map(_told, run.fired[:MOST_LISTED], outcomes)),
        outcomes=summaries(outcomes),
    )


def _go_on(stop: Event | None) -> None:
    if stop is not None and stop.is_set():
        fact = "The run was given up."
        raise GivenUpError(fact)


def _is_over(rule: Rule, end: dt.datetime) -> bool:
    return rule.expires is not None and rule.expires < end


def _told(firing: Firing, outcomes: list[Outcome]) -> DryFiring:
    return DryFiring(from_microseconds(firing.time), firing.price, firing.text, outcomes)


class _Run:
    """A book with one rule, and what it has seen and told.

    Attributes:
        book: The book.
        seen: How many prices and bars it has seen.
        fired: What it told, in order.
    """

    def __init__(self, rule: Rule) -> None:
        self.book = Book()
        self.book.add(_ALERT, 1, rule)
        self.seen = 0
        self.fired: list[Firing] = []
        self._repeats = rule.repeat
        self._unseeded = set(self.book.wants())
        self._told: dict[dt.date, bool] = {}

    @property
    def untold(self) -> int:
        """In how many sessions there was no price."""
        return len(self._told) - sum(self._told.values())

    @property
    def is_told(self) -> bool:
        """Whether there was a price, or it saw anything else."""
        return bool(self.seen) or any(self._told.values())

    def take(self, part: Part, past: Past) -> bool:
        """Take what is seen; return whether the rule can fire any more."""
        if self._unseeded:
            self._seed(part, past)
        self.fired += self.book.take(part.seen)
        self.seen += len(part.seen)
        self._told[part.session] = self._told.get(part.session, False) or part.has_prices
        return self._repeats or not self.fired

    def _seed(self, part: Part, past: Past) -> None:
        """Tell the book of the bars before; once, as no split moves prices on one basis."""
        for key, (start, count) in self.book.unseeded(part.seen).items():
            if key in self._unseeded:
                self._unseeded.remove(key)
                self.book.seed(key, past.before(key, start, count))


def parse_resolution(text: str) -> Resolution:
    """Return the resolution that a text names.

    Raises:
        MisuseError: If it names none.
    """
    for resolution in RESOLUTIONS:
        if text == resolution:
            return resolution
    fact = f"{text!r} is not a resolution. Allowed: {', '.join(RESOLUTIONS)}."
    raise MisuseError(fact)
