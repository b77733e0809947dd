"""The bars that merged sessions are, in the schema of silver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from batch_layer.processing.dailies import PRICES, packed
from lake.schemas import BARS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from batch_layer.processing.dailies import Dailies, Dates, Integers
    from batch_layer.processing.fold import Pieces, Span

_STATES: Final = ("forming", "final")
_NAMES: Final = ("listing", "symbol", "state")
_ENCODED: Final = pa.schema(
    [
        field.with_type(pa.dictionary(pa.int32(), pa.string())) if field.name in _NAMES else field
        for field in BARS
    ]
)


def bars_of(dailies: Dailies, merged: Pieces, span: Span, dates: Dates) -> pa.Table:
    """Return the bars of a span, in order of listing and start.

    Args:
        dailies: The daily bars that were merged.
        merged: What its buckets merged into.
        span: Of which interval, and which sessions.
        dates: Those of the sessions; the ordinal is the index.

    Returns:
        Schema `BARS`, its texts encoded as dictionaries.
    """
    begin, values = merged.begin, merged.values
    end = begin + span.n - 1
    through = np.minimum(end, span.last)
    columns = {
        "listing": _encoded(merged.listing, dailies.names),
        "symbol": _encoded(_symbols(dailies, merged.listing, through), dailies.symbols),
        "start": pa.array(dates[begin]),
        **{name: values[name] for name in (*PRICES, "volume")},
        "vwap": vwap_of(values["notional"].to_numpy(), values["volume"].to_numpy()),
        "trades": pa.array(values["trades"].to_numpy(), from_pandas=True).cast(pa.int64()),
        "sessions": values["sessions"].cast(pa.int32()),
        "sessions_expected": pa.array(through - begin + 1, pa.int32()),
        "through": pa.array(dates[through]),
        "state": _encoded((through == end).astype(np.int64), pa.array(_STATES)),
        "revision": pa.array(_revisions(dailies, merged, span), pa.int32()),
    }
    return pa.table(columns, schema=_ENCODED)


def _encoded(index: Integers, names: pa.Array) -> pa.DictionaryArray:
    """Return names by their index; a dictionary is stored whole, so it has no others."""
    is_used = np.zeros(len(names), np.bool_)
    is_used[index] = True
    place = np.cumsum(is_used, dtype=np.int32) - 1
    return pa.DictionaryArray.from_arrays(
        pa.array(place[index], pa.int32()), names.filter(pa.array(is_used))
    )


def _symbols(dailies: Dailies, listing: Integers, through: Integers) -> Integers:
    """Return the symbol of each bar: that of its last session."""
    of_bars = dailies.last_symbol[listing]
    if len(dailies.renamed):
        rows = np.flatnonzero(np.isin(dailies.listing, dailies.renamed))
        rows = rows[np.argsort(dailies.row[rows])]
        bars = np.flatnonzero(np.isin(listing, dailies.renamed))
        ends = packed(listing[bars], through[bars])
        of_bars[bars] = dailies.symbol[rows[np.searchsorted(dailies.row[rows], ends, "right") - 1]]
    return of_bars


def vwap_of(notional: NDArray[np.float64], volume: NDArray[np.float64]) -> pa.Array:
    """Return notional over volume; null without volume, or where the notional is NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return pa.array(np.where(volume > 0, notional / volume, np.nan), from_pandas=True)


def _revisions(dailies: Dailies, merged: Pieces, span: Span) -> Integers:
    """Return the sum of the revisions of each bar's sessions, withdrawn ones among them."""
    revisions = np.zeros(len(merged.row), np.int64)
    listing, ordinal, revision = dailies.changed
    inside = (span.first <= ordinal) & (ordinal <= span.last)
    changed = packed(listing[inside], ordinal[inside] // span.n * span.n)
    bar = np.searchsorted(merged.row, changed)
    # A bucket of which all bars were withdrawn has none.
    has_bar = np.append(merged.row, -1)[bar] == changed
    np.add.at(revisions, bar[has_bar], revision[inside][has_bar])
    return revisions
