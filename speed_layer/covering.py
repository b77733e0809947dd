"""Live bars that batch has covered: kept in the lake for who reconciles, and then forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
import structlog

from lake import keys
from lake.boundary import read_boundary
from lake.errors import ConflictError
from lake.hours import HOURS
from lake.interval import LIVE
from lake.live import BARS_SCHEMA
from lake.parquet import encode_frame, read_frame
from lake.schemas import LIVE_BARS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from lake.boundary import Boundary
    from lake.store import ObjectStore
    from speed_layer.views.protocol import View

_KEY: Final = ("symbol", "interval", "hours", "start")
_log = structlog.get_logger(__name__)


class Covering:
    """Watches how far batch has come.

    Args:
        view: Of live bars.
        store: The lake.
    """

    def __init__(self, view: View, store: ObjectStore) -> None:
        self._view = view
        self._store = store
        self._covered: Boundary | None = None

    def forget(self) -> None:
        """Let the view forget what batch has covered since, once it is kept in the lake.

        Raises:
            ViewError: If the view cannot be read or does not answer.
            StoreError: If the lake cannot be read or written.
        """
        boundary = read_boundary(self._store)
        if boundary == self._covered:
            return
        self.keep()
        self._view.forget(daily=boundary.daily, minute=boundary.minute)
        self._covered = boundary

    def keep(self) -> None:
        """Keep all bars of the view in the lake, each session's in one object.

        Raises:
            ViewError: If the view cannot be read.
            StoreError: If the lake cannot be written.
        """
        bars = all_bars(self._view)
        for (session,), of_session in bars.group_by("session", maintain_order=True):
            self._keep(session, of_session)

    def _keep(self, session: dt.date, bars: pl.DataFrame) -> None:
        key = keys.live_bars(session)
        before, fingerprint = read_frame(self._store, key, LIVE_BARS)
        gone = set(before["symbol"]).difference(bars["symbol"])
        known = pl.concat([bars, bars_of(self._view, gone).filter(session=session)])
        kept = _kept(before, known)
        if kept.equals(before):
            return
        try:
            self._store.put_if(key, encode_frame(kept, LIVE_BARS), fingerprint)
        except ConflictError:
            # Another process watches the same view: it kept the same.
            _log.info("live bars were kept by another", session=str(session))


def all_bars(view: View) -> pl.DataFrame:
    """Return all bars that a view holds of symbols with a price, schema `LIVE_BARS`.

    Those that have vanished are among them, with null prices.
    """
    return bars_of(view, view.price()["symbol"])


def bars_of(view: View, symbols: Iterable[str]) -> pl.DataFrame:
    """Return all bars that a view holds of some symbols, schema `LIVE_BARS`, vanished ones too."""
    held = [
        view.bars(symbol, interval, hours, vanished=True)
        for symbol in symbols
        for interval in LIVE
        for hours in HOURS
    ]
    return pl.concat([BARS_SCHEMA.to_frame(), *held])


def _kept(before: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return the bars of a session to be kept.

    Args:
        before: Those kept before. Of these the view may have forgotten, or lost, what is final.
            What was forming then and is not known any more is no bar: its trades were cancelled.
        known: Those of the view.
    """
    is_over = pl.col("state") == "final"
    still = pl.concat([before.filter(is_over), before.join(known, on=_KEY, how="semi")])
    told = pl.concat([still, known]).sort("version", maintain_order=True)
    return told.unique(_KEY, keep="last").filter(pl.col("close").is_not_null()).sort(_KEY)
