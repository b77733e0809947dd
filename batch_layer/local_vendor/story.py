"""What bars do not tell of securities, and the securities that both tell of.

By default a symbol is one security, from its first bar on; it is delisted at its last bar where
the market goes on without it. As JSON, a story is

{"renames":   [{"old": "FB", "new": "META", "on": "2012-09-04"}],
 "reuses":    [{"ticker": "IBM", "on": "2010-01-04"}],
 "classes":   [["GOOG", "GOOGL"]],
 "spellings": {"BACPL": "BACpL"}}
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from batch_layer.local_vendor.figi import figi
from batch_layer.local_vendor.reference import Listing, Reference
from lake.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_GONE_AFTER: Final = 10
"""Sessions without a bar, up to the market's last one, after which a security is delisted."""
_STRICT: Final = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Rename:
    """From a date on, a security has another ticker; bars of the old one are sold under it."""

    old: str
    new: str
    on: dt.date
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True)
class Reuse:
    """From a date on, a ticker is another company's."""

    ticker: str
    on: dt.date
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True)
class Story:
    """What bars do not tell.

    Attributes:
        renames: Securities that change their ticker.
        reuses: Tickers that change their security.
        classes: Symbols of one company, each list of them.
        spellings: How the vendor spells a symbol of the lake; preferred ones have a small p.
    """

    renames: tuple[Rename, ...] = ()
    reuses: tuple[Reuse, ...] = ()
    classes: tuple[tuple[str, ...], ...] = ()
    spellings: dict[str, str] = field(default_factory=dict)
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


def read_story(path: Path) -> Story:
    """Return the story in a JSON file.

    Raises:
        MisuseError: If it is none.
    """
    try:
        return TypeAdapter(Story).validate_json(path.read_bytes())
    except OSError as error:
        fact = f"{path} cannot be read: {error.strerror}."
        raise MisuseError(fact) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "all of it"
        fact = f"{path} is not a story: {where}: {first['msg']}."
        raise MisuseError(fact) from None


def derive(
    bars: Mapping[str, tuple[dt.date, dt.date]],
    sessions: Sequence[dt.date],
    story: Story | None = None,
) -> Reference:
    """Return the securities that bars and a story tell of.

    Args:
        bars: The first and the last bar of each symbol.
        sessions: All sessions of the market, in order.
        story: What bars do not tell.
    """
    alive = sessions[-min(_GONE_AFTER, len(sessions))]
    return Reference(
        [
            listing
            for symbol, (first, last) in bars.items()
            for listing in _listings(
                _Turn(first, symbol, symbol),
                None if last >= alive else last,
                story or Story(),
                bars,
            )
        ]
    )


@dataclass(frozen=True, slots=True, order=True)
class _Turn:
    """From a day on, the bars of a symbol are of a ticker, and of a security by its first name."""

    start: dt.date
    ticker: str
    security: str


def _listings(
    begin: _Turn, last: dt.date | None, story: Story, bars: Mapping[str, object]
) -> Iterator[Listing]:
    """Yield the listings whose bars are under one symbol."""
    symbol = begin.ticker
    turns = [begin]
    for rename in story.renames:
        if rename.new == symbol:
            turns = [_Turn(max(begin.start, rename.on), symbol, rename.old)]
        elif rename.old == symbol and rename.new in bars:
            last = rename.on - dt.timedelta(days=1)
        elif rename.old == symbol:
            turns.append(_Turn(rename.on, rename.new, symbol))
    turns += [
        _Turn(each.on, symbol, f"{symbol} {each.on.year}")
        for each in story.reuses
        if each.ticker == symbol
    ]
    turns.sort()
    ends = [*(turn.start - dt.timedelta(days=1) for turn in turns[1:]), last]
    for turn, end in zip(turns, ends, strict=True):
        ticker = story.spellings.get(turn.ticker, turn.ticker)
        yield Listing(
            ticker=ticker,
            figi=figi(turn.security),
            first=turn.start,
            last=end,
            symbol=symbol,
            company=_company(turn.security, story),
            type="CS" if ticker.isupper() else "PFD",
        )


def _company(security: str, story: Story) -> str:
    for classes in story.classes:
        if security in classes:
            return classes[0]
    return security.partition(".")[0]
