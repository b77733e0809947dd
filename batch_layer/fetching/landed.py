"""What landed of a session, on its way into bronze, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batch_layer import landing
from batch_layer.bronze.daily import Changes

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    import polars as pl

    from lake.store import ObjectStore

    Reader = Callable[[bytes, dt.date], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Landed:
    """What one answer says of one session.

    Attributes:
        session: Which session.
        key: Where the answer landed.
        fetched_at: When it had come.
        rows: Its bars, as validation knows them.
        before: Where the answer before it landed, whose bars may be gone; None: there was none.
    """

    session: dt.date
    key: str
    fetched_at: dt.datetime
    rows: pl.DataFrame = field(repr=False)
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of some answers, in rows and bars."""

    rows: int = 0
    rejected: int = 0
    changes: Changes = field(default_factory=Changes)

    def __add__(self, other: Brought) -> Brought:
        return Brought(
            self.rows + other.rows, self.rejected + other.rejected, self.changes + other.changes
        )


def read_landed(
    store: ObjectStore, read: Reader, session: dt.date, key: str, before: str | None = None
) -> Landed:
    """Return what landed under a key.

    Args:
        store: The lake.
        read: Makes rows of a body.
        session: Of which session it is.
        key: Where it landed.
        before: Where the answer before it landed.

    Raises:
        DamagedObjectError: If it is not whole.
        VendorError: If it makes no sense.
    """
    (answer,) = landing.read(store, key)
    return Landed(session, key, answer.fetched_at, read(answer.body, session), before)
