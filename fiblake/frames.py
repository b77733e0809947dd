"""What readers of the Python face answer with: Polars frames that know other forms, and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow as pa

_INSTANT: Final = pl.Datetime("us", "UTC")
SYMBOLS: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "listing": pl.String(),
        "first": pl.Date(),
        "last": pl.Date(),
        "bars": pl.Int64(),
    }
)
PRICES: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "price": pl.Float64(),
        "time": _INSTANT,
        "session": pl.Date(),
        "source": pl.String(),
        "feed": pl.String(),
        "age_seconds": pl.Float64(),
    }
)
SESSIONS: Final = pl.Schema(
    {
        "session": pl.Date(),
        "open": _INSTANT,
        "close": _INSTANT,
        "ordinal": pl.Int64(),
        "is_early_close": pl.Boolean(),
    }
)
SPLITS: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "effective": pl.Date(),
        "split_from": pl.Float64(),
        "split_to": pl.Float64(),
        "known_from": _INSTANT,
    }
)
DIVIDENDS: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "ex_date": pl.Date(),
        "amount": pl.Float64(),
        "known_from": _INSTANT,
    }
)


class Bars(pl.DataFrame):
    """Bars as a Polars frame, one row a bar; `arrow()` and `pandas()` give the other forms."""

    def arrow(self) -> pa.Table:
        """Return the bars as an Arrow table."""
        return self.to_arrow()

    def pandas(self) -> pd.DataFrame:
        """Return the bars as a pandas frame; pandas must be installed."""
        return self.to_pandas()


def from_json(rows: Sequence[dict[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    """Return rows of a JSON document as a frame; other columns than the schema's are left out."""
    spelt = {name: pl.String() if kind.is_temporal() else kind for name, kind in schema.items()}
    frame = pl.DataFrame(rows, schema=spelt, orient="row")
    return frame.with_columns(
        pl.col(name).str.to_date("%Y-%m-%d")
        if kind == pl.Date
        else pl.col(name).str.to_datetime("%+", time_unit="us", time_zone="UTC")
        for name, kind in schema.items()
        if kind.is_temporal()
    )
