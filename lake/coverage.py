"""Of which spans of a session a source's events are recorded, and the gaps between them.

A recorder notes in order what it has all events of, and what it may lack events of though it noted
otherwise before. What no note covers is a gap: who was killed, or never started, notes nothing.

Units: instants are microseconds since 1970, UTC; spans are half-open.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from lake.instant import from_microseconds, microseconds, written

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from lake.event import Kind
    from lake.hours import SessionHours

COVERING: Final = frozenset({"told", "filled"})
_ABSENT: Final = ("absent", "nothing was recorded then")
_CLOSING_US: Final = 15 * 60 * 10**6

Bounds = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Span:
    """What is noted of the events of a span, or the gap that notes leave.

    Attributes:
        since: Its first instant.
        until: The first after it.
        why: `told`, the source told all; `filled`, it was asked for all afterwards; `lost`, nobody
            listened, or what came could not be read; `unfilled`, it could not be asked; `shed`, the
            feed could not keep up; `absent`, of a gap: nothing is noted.
        symbols: Whose events; empty: all.
        told: More about it.
        kind: Of which kind the events are.
    """

    since: int
    until: int
    why: str
    symbols: tuple[str, ...] = ()
    told: str = ""
    kind: Kind = "trade"

    @property
    def line(self) -> bytes:
        """The note as it is kept, with its end."""
        return json.dumps(asdict(self)).encode() + b"\n"

    def document(self) -> dict[str, Any]:
        """Return the gap as JSON has it for users."""
        return {
            "since": written(from_microseconds(self.since)),
            "until": written(from_microseconds(self.until)),
            "why": self.why,
            "symbols": list(self.symbols),
            "told": self.told,
        }


def parse_span(line: bytes) -> Span:
    """Return the note that a line keeps.

    Raises:
        ValueError: If it keeps none.
    """
    try:
        told = json.loads(line)
        return Span(**{**told, "symbols": tuple(told["symbols"])})
    except (KeyError, TypeError) as error:
        raise ValueError(str(error)) from None


def price_hours(hours: SessionHours) -> Bounds:
    """Return the span whose trades make a daily bar's prices.

    Regular hours, and a quarter of an hour more: an auction at the close prints after it.
    """
    return microseconds(hours.open), microseconds(hours.close) + _CLOSING_US


class Coverage:
    """What one source's recorder noted of one kind of events in a session.

    Args:
        notes: In the order in which they were made.
        kind: Others count for nothing.
    """

    def __init__(self, notes: Iterable[Span], kind: Kind) -> None:
        self._of_all: list[tuple[int, Span]] = []
        self._of_some: defaultdict[str, list[tuple[int, Span]]] = defaultdict(list)
        for place, note in enumerate(_joined(note for note in notes if note.kind == kind)):
            if not note.symbols:
                self._of_all.append((place, note))
            for symbol in note.symbols:
                self._of_some[symbol].append((place, note))

    @property
    def is_of_all(self) -> bool:
        """Whether it was listened to all symbols, not to some by name."""
        return any(note.why in COVERING for _, note in self._of_all)

    @property
    def symbols(self) -> Collection[str]:
        """Whom any note names."""
        return self._of_some.keys()

    def covered(self, symbol: str | None) -> list[Bounds]:
        """Return the spans of which all of a symbol's events are recorded; None: of one unnamed."""
        covered: list[Bounds] = []
        for note in self._notes(symbol):
            if note.why in COVERING:
                covered = _with(covered, note.since, note.until)
            else:
                covered = _without(covered, note.since, note.until)
        return covered

    def why(self, symbol: str | None, hole: Bounds) -> tuple[str, str]:
        """Return why a span of a symbol's is not covered, in a word and in more."""
        since, until = hole
        whys = [
            (note.why, note.told)
            for note in self._notes(symbol)
            if note.why not in COVERING and note.since < until and since < note.until
        ]
        return whys[-1] if whys else _ABSENT

    def _notes(self, symbol: str | None) -> list[Span]:
        some = self._of_some.get(symbol, []) if symbol is not None else []
        return [note for _, note in sorted([*self._of_all, *some], key=lambda each: each[0])]


def holes(covered: Iterable[Bounds], within: Bounds) -> list[Bounds]:
    """Return what of a span is not covered, in order."""
    at, end = within
    found: list[Bounds] = []
    for since, until in sorted(covered):
        if at < min(since, end):
            found.append((at, min(since, end)))
        at = max(at, until)
    return [*found, (at, end)] if at < end else found


def gaps(told: Sequence[Coverage], within: Bounds, symbols: Iterable[str]) -> list[Span]:
    """Return the gaps in what sources told of symbols: one gap a span and cause, in order.

    Args:
        told: Of each source that was recorded; what one told is no gap of another's.
        within: The span looked at.
        symbols: Where a gap is of all these, it names none.
    """
    found: defaultdict[tuple[int, int, str, str], list[str]] = defaultdict(list)
    # Those whom no note names have the same gaps.
    unnamed = _gaps_of(told, within, None)
    asked = sorted(set(symbols))
    for symbol in asked:
        is_named = any(symbol in each.symbols for each in told)
        for gap in _gaps_of(told, within, symbol) if is_named else unnamed:
            found[gap].append(symbol)
    return [
        Span(since, until, why, () if of == asked else tuple(of), text)
        for (since, until, why, text), of in sorted(found.items())
    ]


def unseen(told: Sequence[Coverage], within: Bounds) -> list[Span]:
    """Return the gaps of symbols that were never seen, where it was listened to all.

    They have no events, and so no bars: what is asked for afterwards is asked by name.
    """
    if not any(each.is_of_all for each in told):
        return []
    text = "whoever traded then alone is not known"
    found = _gaps_of(told, within, None)
    return [Span(since, until, "unseen", (), text) for since, until, *_ in found]


def _gaps_of(
    told: Sequence[Coverage], within: Bounds, symbol: str | None
) -> list[tuple[int, int, str, str]]:
    open_ = holes([span for each in told for span in each.covered(symbol)], within)
    whys = [next((each.why(symbol, hole) for each in told), _ABSENT) for hole in open_]
    return [(*hole, *why) for hole, why in zip(open_, whys, strict=True)]


def _joined(notes: Iterable[Span]) -> list[Span]:
    """Return notes, each as one with those alike that go on where it ended.

    Others may stand between them, but for one that takes back what goes on: of a day there are
    thousands of notes that it was listened, and few spans.
    """
    joined: list[Span] = []
    places: dict[tuple[str, tuple[str, ...], str], int] = {}
    lacking = 0
    for note in notes:
        alike = (note.why, note.symbols, note.told)
        place = places.get(alike)
        if note.why not in COVERING:
            lacking = max(lacking, note.until)
        elif place is not None and joined[place].until == note.since >= lacking:
            joined[place] = replace(joined[place], until=note.until)
            continue
        places[alike] = len(joined)
        joined.append(note)
    return joined


def _with(covered: Sequence[Bounds], since: int, until: int) -> list[Bounds]:
    touching = [span for span in covered if span[0] <= until and since <= span[1]]
    apart = [span for span in covered if span not in touching]
    begins, ends = zip((since, until), *touching, strict=True)
    return [*apart, (min(begins), max(ends))]


def _without(covered: Sequence[Bounds], since: int, until: int) -> list[Bounds]:
    left = [(begin, min(end, since)) for begin, end in covered]
    right = [(max(begin, until), end) for begin, end in covered]
    return [(begin, end) for begin, end in (*left, *right) if begin < end]
