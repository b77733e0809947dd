"""The rules a minute bar must keep to land in bronze; what breaks one is rejected with its reason.

A row is good when it names a symbol, starts on a whole minute from 04:00 to 20:00 exchange time of
a settled session, its values keep the rules of daily bars, and no other row says something else of
the same minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb
import numpy as np
import pyarrow as pa

from batch_layer.fetching.validation import PRICE_MOST, TRADES_MOST, VOLUME_MOST
from lake import keys
from lake.exchange import ZONE
from lake.hours import timetable
from lake.scan import sql
from lake.schemas import MINUTE
from lake.symbol import CLASS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    import polars as pl

    from lake.session import SessionTable
    from lake.store import ObjectStore

FIELDS: Final = tuple(name for name in MINUTE.names if name != "revision")
"""The columns of a vendor's rows: instants as such or as ISO 8601, numbers as such or as texts."""
_PACKAGE: Final = "batch_layer.fetching"


@dataclass(frozen=True, slots=True)
class ValidatedMinutes:
    """What a vendor's rows hold.

    Attributes:
        good: The columns of `MINUTE` but `revision`, one row a bar: what `minute.commit` takes.
        rejected: `reason`, and the fields as they came.
    """

    good: pl.DataFrame
    rejected: pl.DataFrame

    @property
    def reasons(self) -> Mapping[str, int]:
        """How many rows were rejected for what."""
        return dict(self.rejected.group_by("reason").len().sort("reason").iter_rows())


def validate_minutes(
    rows: pa.Table, *, table: SessionTable, last_closed: dt.date
) -> ValidatedMinutes:
    """Tell good minute bars from bad ones.

    Args:
        rows: A vendor's rows, of the columns `FIELDS`.
        table: The sessions of the exchange.
        last_closed: The last session whose bars may be taken.
    """
    numbered = rows.select(FIELDS).append_column("id", pa.array(np.arange(rows.num_rows)))
    hours = timetable(table, table.first, table.last)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("vendor_rows", numbered)
        connection.register("hours", hours.arrow)
        binds = {
            "class": CLASS,
            "zone": str(ZONE),
            "last_closed": last_closed,
            "price_most": PRICE_MOST,
            "volume_most": VOLUME_MOST,
            "trades_most": TRADES_MOST,
        }
        connection.execute(sql(_PACKAGE, "typed_minutes"), binds)
        connection.execute(sql(_PACKAGE, "duplicate_minutes"))
        return ValidatedMinutes(
            good=connection.execute(sql(_PACKAGE, "good_minutes")).pl(),
            rejected=connection.execute(sql(_PACKAGE, "rejected_minutes")).pl(),
        )


def keep_rejected(
    store: ObjectStore, source: str, session: dt.date, rejected: pl.DataFrame
) -> str | None:
    """Keep the rejected rows of a source's session as CSV, and return the key; None without any."""
    if rejected.is_empty():
        return None
    key = keys.minute_rejects(source, session)
    store.put(key, rejected.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ").encode())
    return key
