"""What Massive answers of one symbol's minutes.

Source: https://massive.com/docs/rest/stocks/aggregates/custom-bars
Units: prices USD a share, `v` shares, `t` milliseconds (UTC) at which the minute starts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.vendors.massive_answers import read_bars
from lake.errors import VendorAnswerError

if TYPE_CHECKING:
    from collections.abc import Sequence

_VALUES: Final = {
    "o": "open",
    "h": "high",
    "l": "low",
    "c": "close",
    "v": "volume",
    "vw": "vwap",
    "n": "trades",
}
_KINDS: Final = pl.Schema(
    {"symbol": pl.String(), "start": pl.Datetime("us", "UTC")}
    | dict.fromkeys(_VALUES.values(), pl.Float64())
)


def minute_rows(pages: Sequence[bytes], ticker: str, symbol: str) -> pl.DataFrame:
    """Return the bars of all pages of an answer: one row a bar, the fields that validation knows.

    Args:
        pages: The answer's bodies.
        ticker: Whose bars were asked for, as Massive spells it.
        symbol: The same as the lake spells it.

    Raises:
        VendorAnswerError: If they are of another ticker, or a bar has no start.
    """
    return pl.concat(
        [_KINDS.to_frame(), *(_rows(page, ticker, symbol) for page in pages)],
        how="vertical_relaxed",
    )


def _rows(body: bytes, ticker: str, symbol: str) -> pl.DataFrame:
    told = json.loads(body).get("ticker")
    if told != ticker:
        fact = f"Massive answers with bars of {told!r} where those of {ticker} were asked for."
        raise VendorAnswerError(fact)
    _, _, bars = read_bars(body)
    if bars["t"].null_count():
        fact = f"Massive answers with bars of {ticker} that have no start."
        raise VendorAnswerError(fact)
    return bars.select(
        pl.lit(symbol).alias("symbol"),
        pl.col("t").cast(pl.Datetime("ms", "UTC")).cast(_KINDS["start"]).alias("start"),
        *(pl.col(code).alias(name) for code, name in _VALUES.items()),
    )
