"""What Massive's pages of splits and dividends say, and which rows are none.

A row that comes twice counts once, whatever its id: pages may repeat. Several dividends of one
ex-date (the regular and a special one) are one amount, their sum; two ratios for one day are none.

Source: https://massive.com/docs/rest/stocks/corporate-actions
Units:  ratios in shares, `cash_amount` USD a share as counted on the ex-date.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from batch_layer.vendors.massive_answers import results_of
from lake.massive_symbols import lake_symbol
from lake.symbol import is_symbol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Values = dict[str, float]
Key = tuple[str, dt.date]
# A year's dividends are of so many, over and over.
_SYMBOLS_MOST: Final = 1 << 16
_REJECTED: Final = {
    "reason": pl.String(),
    "symbol": pl.String(),
    "day": pl.String(),
    "row": pl.String(),
}


@dataclass(frozen=True, slots=True)
class Told:
    """What pages say.

    Attributes:
        rows: How many rows they have, each once.
        good: `symbol`, the day and the values; one row a (symbol, day).
        rejected: `reason`, `symbol` and `day` as they stood there, and the `row` as JSON.
        mentioned: The (symbol, day) of all rows that have them, rejected ones too.
    """

    rows: int
    good: pl.DataFrame
    rejected: pl.DataFrame
    mentioned: frozenset[Key]

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows were rejected for which reason."""
        return dict(sorted(Counter(self.rejected["reason"]).items()))


@dataclass(slots=True)
class _Reading:
    good: dict[Key, list[tuple[Values, Mapping[str, Any]]]] = field(default_factory=dict)
    rejected: list[dict[str, str]] = field(default_factory=list)
    mentioned: set[Key] = field(default_factory=set)

    def reject(self, reason: str, row: Mapping[str, Any], day: str) -> None:
        self.rejected.append(
            {
                "reason": reason,
                "symbol": str(row.get("ticker", "")),
                "day": str(row.get(day, "")),
                "row": json.dumps(row, sort_keys=True),
            }
        )


def splits_of(bodies: Iterable[bytes]) -> Told:
    """Return the splits on some pages: `symbol`, `effective`, `split_from`, `split_to`."""
    read = _read(bodies, "execution_date", _ratio)
    for key in [key for key, told in read.good.items() if _disagree(told)]:
        for _, row in read.good.pop(key):
            read.reject("several ratios for one day", row, "execution_date")
    rows = [(*key, *told[0][0].values()) for key, told in read.good.items()]
    return _told(read, rows, ("effective", "split_from", "split_to"))


def dividends_of(bodies: Iterable[bytes]) -> Told:
    """Return the dividends on some pages: `symbol`, `ex_date`, `amount`."""
    read = _read(bodies, "ex_dividend_date", _amount)
    rows = [
        (*key, math.fsum(values["amount"] for values, _ in told)) for key, told in read.good.items()
    ]
    return _told(read, rows, ("ex_date", "amount"))


def _told(read: _Reading, rows: list[tuple[Any, ...]], names: tuple[str, ...]) -> Told:
    day, *values = names
    kinds = {"symbol": pl.String(), day: pl.Date(), **dict.fromkeys(values, pl.Float64())}
    return Told(
        rows=sum(map(len, read.good.values())) + len(read.rejected),
        good=pl.DataFrame(rows, schema=kinds, orient="row").sort("symbol", day),
        rejected=pl.DataFrame(read.rejected, schema=_REJECTED),
        mentioned=frozenset(read.mentioned),
    )


def _read(
    bodies: Iterable[bytes], day: str, values: Callable[[Mapping[str, Any]], Values | str]
) -> _Reading:
    """Return the rows by (symbol, day), and those that are none; `values` may say why one is."""
    read = _Reading()
    for row in _each_once(bodies):
        symbol, date = _symbol(row.get("ticker")), _date(row.get(day))
        if symbol and date:
            read.mentioned.add((symbol, date))
        found = values(row)
        if not symbol:
            read.reject("not a symbol", row, day)
        elif not date:
            read.reject("not a date", row, day)
        elif isinstance(found, str):
            read.reject(found, row, day)
        else:
            read.good.setdefault((symbol, date), []).append((found, row))
    return read


def _each_once(bodies: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    seen = set()
    for body in bodies:
        for row in results_of(body):
            said = repr({**row, "id": None})
            if said not in seen:
                seen.add(said)
                yield row


def _ratio(row: Mapping[str, Any]) -> Values | str:
    split_from, split_to = _number(row.get("split_from")), _number(row.get("split_to"))
    if split_from is None or split_to is None:
        return "not a ratio"
    if min(split_from, split_to) <= 0:
        return "ratio is not of positive numbers"
    return {"split_from": split_from, "split_to": split_to}


def _amount(row: Mapping[str, Any]) -> Values | str:
    currency = row.get("currency")
    amount = _number(row.get("cash_amount"))
    if currency != "USD":
        return f"paid in {currency}, not in USD" if currency else "currency is not told"
    if amount is None:
        return "not an amount"
    return {"amount": amount} if amount > 0 else "amount is not positive"


def _disagree(told: list[tuple[Values, Mapping[str, Any]]]) -> bool:
    return len({values["split_to"] / values["split_from"] for values, _ in told}) > 1


def _number(value: object) -> float | None:
    """Return a finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _symbol(value: object) -> str | None:
    return _lake_symbol(value) if isinstance(value, str) else None


@lru_cache(_SYMBOLS_MOST)
def _lake_symbol(text: str) -> str | None:
    symbol = lake_symbol(text)
    return symbol if is_symbol(symbol) else None


def _date(value: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
