"""The sample: real daily bars of AAPL, FB, GOOG, IBM and MSFT, 2000-03-01 to 2013-03-01.

Source: `stocks.csv.gz` of the PyPI package `bokeh_sampledata`, public domain, unadjusted. Splits in
that time, as the exchanges announced them: AAPL 2:1 twice, MSFT 2:1 once.
"""

from __future__ import annotations

import datetime as dt
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from lake.errors import SourceError


def sample_file() -> Path:
    """Return the path of the sample's bars.

    Raises:
        SourceError: If the package is not installed.
    """
    # Found without importing it: the package would import pandas.
    spec = find_spec("bokeh_sampledata")
    if spec is None or spec.origin is None:
        fact = "The sample comes in the package bokeh_sampledata, which is not installed."
        raise SourceError(fact, hint="pip install 'fiblake[sample]'.")
    return Path(spec.origin).parent / "_data" / "stocks.csv.gz"


def sample_splits() -> pl.DataFrame:
    """Return the sample's splits: the columns of `SPLITS` but `known_from`."""
    rows = [
        ("AAPL", dt.date(2000, 6, 21)),
        ("MSFT", dt.date(2003, 2, 18)),
        ("AAPL", dt.date(2005, 2, 28)),
    ]
    splits = pl.DataFrame(rows, schema=["symbol", "effective"], orient="row")
    return splits.with_columns(split_from=pl.lit(1.0), split_to=pl.lit(2.0))


def sample_session() -> tuple[dt.date, pl.DataFrame]:
    """Return the sample's last session, and its bars: symbol, open, high, low, close, volume.

    Raises:
        SourceError: If the package is not installed.
    """
    rows = pl.read_csv(sample_file(), try_parse_dates=True).rename(str.lower)
    last = rows["date"].max()
    assert isinstance(last, dt.date)  # noqa: S101 - the sample has rows; tells mypy so
    names = ("open", "high", "low", "close", "volume")
    bars = rows.filter(pl.col("date") == last).select(
        pl.col("ticker").alias("symbol"), *(pl.col(name).cast(pl.Float64) for name in names)
    )
    return last, bars
