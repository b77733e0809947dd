"""An independent oracle: bars of n sessions in plain Python, a listing at a time, with no SQL.

It shares nothing with the resampler but the session table: buckets are found by counting, splits by
looking at each session in turn. Total return is daily bars adjusted one by one, and folded then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lake.bar import Bar
from lake.session import SessionTable

Row = dict[str, Any]


def adjusted(
    rows: Iterable[Row], splits: Iterable[Row], dividends: Iterable[Row], *, as_of: dt.date
) -> list[Row]:
    """Return daily bars on the basis of a date, less splits and dividends, each for itself."""
    known = sorted(rows, key=lambda row: (row["listing"], row["session"]))
    stakes = [(row["listing"], row["effective"], row) for row in splits]
    paid = [(row["listing"], row["ex_date"], row["amount"]) for row in dividends]
    adjusted_rows = []
    for row in known:
        prices, shares = 1.0, 1.0
        near, far = min(row["session"], as_of), max(row["session"], as_of)
        for listing, day, split in stakes:
            if listing == row["listing"] and near < day <= far:
                prices *= split["split_from"] / split["split_to"]
                shares *= split["split_to"] / split["split_from"]
        for listing, day, amount in paid:
            if listing == row["listing"] and near < day <= far:
                prices *= _left_of_price(known, stakes, listing, day, amount)
        if row["session"] > as_of:
            prices, shares = 1 / prices, 1 / shares
        names = ("open", "high", "low", "close", "vwap")
        moved = {name: None if row[name] is None else row[name] * prices for name in names}
        adjusted_rows.append({**row, **moved, "volume": row["volume"] * shares})
    return adjusted_rows


def _left_of_price(
    rows: list[Row], stakes: list[tuple[str, dt.date, Row]], listing: str, day: dt.date, paid: float
) -> float:
    before = [row for row in rows if row["listing"] == listing and row["session"] < day]
    if not before:
        return 1.0
    close = before[-1]["close"]
    for other, effective, split in stakes:
        if other == listing and before[-1]["session"] < effective <= day:
            close *= split["split_from"] / split["split_to"]
    return 1 - paid / close if paid < close else 1.0


@dataclass
class _Open:
    """A bar in the making; what came before is rebased as each split is met."""

    prices: list[tuple[float, float, float, float]] = field(default_factory=list)
    volumes: list[float] = field(default_factory=list)
    vwaps: list[float | None] = field(default_factory=list)
    trades: list[int | None] = field(default_factory=list)
    symbol: str = ""
    revision: int = 0

    def split(self, ratio: float) -> None:
        self.prices = [
            (o / ratio, h / ratio, low / ratio, c / ratio) for o, h, low, c in self.prices
        ]
        self.volumes = [volume * ratio for volume in self.volumes]
        self.vwaps = [None if vwap is None else vwap / ratio for vwap in self.vwaps]

    def take(self, row: Row) -> None:
        self.prices.append((row["open"], row["high"], row["low"], row["close"]))
        self.volumes.append(row["volume"])
        self.vwaps.append(row["vwap"])
        self.trades.append(row["trades"])
        self.symbol = row["symbol"]


def bars_of(
    rows: Iterable[Row],
    splits: Iterable[Row],
    *,
    n: int,
    table: SessionTable,
    through: dt.date,
    withdrawn: Iterable[Row] = (),
) -> list[Bar]:
    """Return the bars of n sessions of daily bars, in order of listing and start."""
    by_listing: dict[str, dict[dt.date, Row]] = {}
    for row in rows:
        by_listing.setdefault(row["listing"], {})[row["session"]] = row
    ratios: dict[str, dict[dt.date, float]] = {}
    for split in splits:
        ratio = split["split_to"] / split["split_from"]
        ratios.setdefault(split["listing"], {})[split["effective"]] = ratio
    gone = {(row["listing"], row["session"]): row["revision"] for row in withdrawn}
    return [
        bar
        for listing in sorted(by_listing)
        for bar in _listing_bars(
            listing, by_listing[listing], ratios.get(listing, {}), gone, n, table, through
        )
    ]


def _listing_bars(
    listing: str,
    rows: dict[dt.date, Row],
    ratios: dict[dt.date, float],
    gone: dict[tuple[str, dt.date], int],
    n: int,
    table: SessionTable,
    through: dt.date,
) -> list[Bar]:
    bars: list[Bar] = []
    ordinals = [table.ordinal(session) or 0 for session in rows]
    for first in range(min(ordinals) // n * n, max(ordinals) + 1, n):
        bucket = [table[ordinal] for ordinal in range(first, min(first + n, len(table)))]
        past = [session for session in bucket if session <= through]
        if not past or not any(session in rows for session in past):
            continue
        making = _Open()
        before = bucket[0] - dt.timedelta(days=1)
        for session in past:
            for day in sorted(day for day in ratios if before < day <= session):
                making.split(ratios[day])
            before = session
            making.revision += gone.get((listing, session), 0)
            if session in rows:
                making.take(rows[session])
                making.revision += rows[session]["revision"]
        bars.append(_closed(listing, making, bucket[0], past, n))
    return bars


def _closed(listing: str, made: _Open, start: dt.date, past: list[dt.date], n: int) -> Bar:
    volume = sum(made.volumes)
    parts = list(zip(made.volumes, made.vwaps, made.trades, strict=True))
    known_vwap = all(vwap is not None for traded, vwap, _ in parts if traded > 0)
    known_trades = all(count is not None for traded, _, count in parts if traded > 0)
    notional = sum(traded * (vwap or 0.0) for traded, vwap, _ in parts)
    return Bar(
        listing=listing,
        symbol=made.symbol,
        start=start,
        open=made.prices[0][0],
        high=max(high for _, high, _, _ in made.prices),
        low=min(low for _, _, low, _ in made.prices),
        close=made.prices[-1][3],
        volume=volume,
        vwap=notional / volume if known_vwap and volume > 0 else None,
        trades=sum(count or 0 for _, _, count in parts) if known_trades else None,
        sessions=len(parts),
        sessions_expected=len(past),
        through=past[-1],
        state="final" if len(past) == n else "forming",
        revision=made.revision,
    )
