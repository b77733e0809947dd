"""A CSV file of cash dividends: `symbol,ex_date,amount`, USD a share as counted on the ex-date."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from batch_layer.fetching.actions_file import Form, Row, read_actions

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


def read_dividends(path: Path) -> pl.DataFrame:
    """Return the dividends of a file: the columns of `DIVIDENDS` but `known_from`.

    The vendors' columns `ticker, ex_dividend_date, cash_amount` will do as well.

    Raises:
        SourceError: If it cannot be read, or a row is not a dividend; the first bad row is named.
    """
    return read_actions(path, _FORM)


def _amount(row: Row) -> dict[str, float]:
    text = row.fields["amount"]
    try:
        amount = float(text)
    except ValueError:
        raise row.refused(f"{text!r} is not an amount") from None
    if not (math.isfinite(amount) and amount >= 0):
        raise row.refused(f"{text!r} is not an amount of USD a share, 0 or more")
    return {"amount": amount}


_FORM: Final = Form(
    action="dividend",
    spellings={
        "symbol": ("symbol", "ticker"),
        "ex_date": ("ex_date", "date", "ex_dividend_date", "exdate"),
        "amount": ("amount", "cash_amount", "dividend"),
    },
    allowed=(frozenset({"symbol", "ex_date", "amount"}),),
    day="ex_date",
    values=_amount,
    twice="amounts",
    mend="keep the right one, or their sum where both are paid.",
    hint="write the header symbol,ex_date,amount and rows like AAPL,2012-08-09,2.65.",
)
