"""A CSV file of splits: `symbol,effective,ratio`, the ratio as `2:1`, new shares for old."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from batch_layer.fetching.actions_file import Form, Row, read_actions

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


def read_splits(path: Path) -> pl.DataFrame:
    """Return the splits of a file: the columns of `SPLITS` but `known_from`.

    The vendors' columns `ticker, execution_date, split_from, split_to` will do as well.

    Raises:
        SourceError: If it cannot be read, or a row is not a split; the first bad row is named.
    """
    return read_actions(path, _FORM)


def _ratio(row: Row) -> dict[str, float]:
    """Return new shares and old."""
    if "ratio" in row.fields:
        text = row.fields["ratio"]
        new, colon, old = text.partition(":")
        pair = (new, old) if colon else (new, "1")
    else:
        pair = (row.fields["split_to"], row.fields["split_from"])
        text = ":".join(pair)
    try:
        split_to, split_from = float(pair[0]), float(pair[1])
    except ValueError:
        raise row.refused(f"{text!r} is not a ratio") from None
    if not all(math.isfinite(number) and number > 0 for number in (split_to, split_from)):
        raise row.refused(f"{text!r} is not a ratio of positive numbers")
    return {"split_from": split_from, "split_to": split_to}


_FORM: Final = Form(
    action="split",
    spellings={
        "symbol": ("symbol", "ticker"),
        "effective": ("effective", "date", "execution_date", "ex_date", "effective_date"),
        "ratio": ("ratio", "split"),
        "split_from": ("split_from",),
        "split_to": ("split_to",),
    },
    allowed=(
        frozenset({"symbol", "effective", "ratio"}),
        frozenset({"symbol", "effective", "split_from", "split_to"}),
    ),
    day="effective",
    values=_ratio,
    twice="ratios",
    mend="keep the right one.",
    hint="write the header symbol,effective,ratio and rows like AAPL,2005-02-28,2:1.",
)
