"""What readers of the Python face answer with: Polars frames that know other forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class Bars(pl.DataFrame):
    """Bars as a Polars frame, one row a bar; `arrow()` and `pandas()` give the other forms."""

    def arrow(self) -> pa.Table:
        """Return the bars as an Arrow table."""
        return self.to_arrow()

    def pandas(self) -> pd.DataFrame:
        """Return the bars as a pandas frame; pandas must be installed."""
        return self.to_pandas()
