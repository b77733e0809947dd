"""Which column of a source file holds which field of a bar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lake.errors import MisuseError, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEY_FIELDS: Final = ("symbol", "session")
REQUIRED: Final = (*KEY_FIELDS, "open", "high", "low", "close", "volume")
OPTIONAL: Final = ("vwap", "trades")
FIELDS: Final = (*REQUIRED, *OPTIONAL)

# Spellings without case, spaces or punctuation.
_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "symbol": ("symbol", "ticker", "sym", "instrument"),
    "session": ("session", "date", "day", "tradedate", "timestamp", "time", "datetime"),
    "open": ("open", "o", "openprice"),
    "high": ("high", "h", "highprice"),
    "low": ("low", "l", "lowprice"),
    "close": ("close", "c", "closeprice", "last"),
    "volume": ("volume", "vol", "v", "sharevolume"),
    "vwap": ("vwap", "vw"),
    "trades": ("trades", "transactions", "n", "tradecount", "numtrades"),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """The source's column for each field, and the columns that say nothing to us."""

    of_field: Mapping[str, str]
    ignored: tuple[str, ...]


def parse_columns(text: str) -> dict[str, str]:
    """Return field → column from `symbol=Ticker,session=Day`; `date` may stand for `session`.

    Raises:
        MisuseError: If it cannot be read so.
    """
    given: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, equals, column = (piece.strip() for piece in part.partition("="))
        field = "session" if name.lower() == "date" else name.lower()
        if not equals or not column or field not in FIELDS:
            fact = f"--columns cannot read {part!r}. Allowed fields: {', '.join(FIELDS)}."
            raise MisuseError(fact, hint="write it as --columns symbol=Ticker,session=Day.")
        if field in given or column in given.values():
            fact = f"--columns names {field} or {column} twice."
            raise MisuseError(fact, hint="give each field one column of its own.")
        given[field] = column
    return given


def holds_symbols(found: Sequence[str], given: Mapping[str, str]) -> bool:
    """Return whether one of the columns `found` holds the symbol."""
    return "symbol" in given or any(_plain(name) in _SPELLINGS["symbol"] for name in found)


def recognise(
    found: Sequence[str],
    *,
    source: str,
    given: Mapping[str, str],
    required: Sequence[str] = REQUIRED,
) -> Columns:
    """Return which of the columns `found` in a source hold which field.

    Args:
        found: The source's column names, in order.
        source: Its name, for messages.
        given: Field → column as the user said; the rest is recognised by its spelling.
        required: Fields that must be there.

    Raises:
        SourceError: If a required field is missing, or two columns could hold one.
    """
    of_field = dict(given)
    for field, column in given.items():
        if column not in found:
            fact = f"{source} has no column {column!r} for {field}. Found: {_listed(found)}."
            raise SourceError(fact, hint="check --columns.")
    for field in FIELDS:
        if field in of_field:
            continue
        matches = [name for name in found if _plain(name) in _SPELLINGS[field]]
        if len(matches) > 1:
            fact = f"{source} has {len(matches)} columns for {field}: {_listed(matches)}."
            raise SourceError(fact, hint=f"choose one with --columns {field}={matches[0]}.")
        if matches:
            of_field[field] = matches[0]
    missing = [field for field in required if field not in of_field]
    if missing:
        fact = f"{source} has no column for {_listed(missing)}. Found: {_listed(found)}."
        raise SourceError(fact, hint=_hint(missing))
    used = set(of_field.values())
    return Columns(of_field, tuple(name for name in found if name not in used))


def _hint(missing: Sequence[str]) -> str:
    if list(missing) == ["symbol"]:
        return "name it with --columns symbol=COLUMN, or the one symbol with --symbol."
    return f"name it with --columns {missing[0]}=COLUMN."


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "nothing"
