"""The daily bars of the lake: one object a year of current bars, and one of those they replaced.

A commit writes the history first, then the bars, then the manifest. Killed in between, it leaves a
row of history whose revision is still current (it counts only once the bars have moved on) or a
manifest that is not of these objects (it is made anew). Running again completes either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.bronze import manifest
from batch_layer.bronze.year import KEY, Year, read_year
from lake import keys
from lake.attempts import attempts
from lake.errors import ConflictError
from lake.parquet import encode_frame
from lake.schemas import DAILY, DAILY_HISTORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from lake.clock import Clock
    from lake.store import ObjectStore

_PRICES: Final = ("open", "high", "low", "close", "volume")
_OPTIONAL: Final = ("vwap", "trades")
_ATTEMPTS: Final = 10
_DAYS: Final = 1 << 32
_KINDS: Final = pl.Schema(
    dict.fromkeys((*_PRICES, "vwap"), pl.Float64())
    | {"trades": pl.Int64(), "known_from": pl.Datetime("us", "UTC")}
)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a commit did, in bars."""

    added: int = 0
    corrected: int = 0
    unchanged: int = 0
    withdrawn: int = 0

    def __add__(self, other: Changes) -> Changes:
        return Changes(
            added=self.added + other.added,
            corrected=self.corrected + other.corrected,
            unchanged=self.unchanged + other.unchanged,
            withdrawn=self.withdrawn + other.withdrawn,
        )


Revision = tuple[Year, Changes]


def commit(
    store: ObjectStore,
    bars: pl.DataFrame,
    *,
    on_year: Callable[[int], None] = lambda _: None,
) -> Changes:
    """Bring bars into bronze: new ones are added, those that differ replace.

    Args:
        store: The lake.
        bars: The columns of `DAILY` but `revision`, one row a (symbol, session); `known_from` is
            the instant at which the lake learnt of each.
        on_year: Called with each year once it is committed.

    Raises:
        ConflictError: If others kept writing the same year all the while.
    """
    total = Changes()
    for year, part in _by_year(bars.cast(_KINDS)):
        total += revise(store, year, part["session"], partial(merged, part))
        on_year(year)
    return total


def withdraw(store: ObjectStore, gone: pl.DataFrame, *, clock: Clock) -> Changes:
    """Take the bars of these (symbol, session) out of bronze; history keeps them.

    Raises:
        ConflictError: If others kept writing the same year all the while.
    """
    total = Changes()
    for year, part in _by_year(gone):
        total += revise(store, year, part["session"], partial(without, part, clock))
    return total


def _by_year(rows: pl.DataFrame) -> list[tuple[int, pl.DataFrame]]:
    parts = rows.with_columns(year=pl.col("session").dt.year()).partition_by(
        "year", as_dict=True, include_key=False
    )
    return sorted(((key[0], part) for key, part in parts.items()), key=lambda item: item[0])


def revise(
    store: ObjectStore, year: int, sessions: pl.Series, revised: Callable[[Year], Revision]
) -> Changes:
    """Revise what a year holds of some sessions; of the rest nothing is compared or digested.

    Args:
        store: The lake.
        year: The year.
        sessions: Some of its sessions.
        revised: Returns what becomes of the year's part of these, and what that changes.

    Raises:
        ConflictError: If others kept writing the same year all the while.
    """
    for _ in attempts(_ATTEMPTS):
        old = read_year(store, year)
        asked = sessions.unique().implode()
        near = old.where(pl.col("session").is_in(asked))
        new, changes = revised(near)
        new = replace(new, bars=_in_order(new.bars))
        if new.bars.equals(near.bars) and new.history.equals(near.history):
            return changes
        far = old.where(~pl.col("session").is_in(asked))
        try:
            written = _write_year(store, year, old, far, new)
            manifest.rewrite(store, year, old, written, new)
        except ConflictError:
            continue
        return changes
    fact = f"The daily bars of {year} kept changing under {_ATTEMPTS} attempts to write them."
    raise ConflictError(fact, hint="run the command again when other imports are done.")


def _write_year(store: ObjectStore, year: int, old: Year, far: Year, new: Year) -> Year:
    """Write the year of which `far` is what stays of the old one, and `new` what is new."""
    history, history_fingerprint = pl.concat([far.history, new.history]), old.history_fingerprint
    history = history.sort(*KEY, "revision")
    if not history.equals(old.history):
        data = encode_frame(history, DAILY_HISTORY)
        history_fingerprint = store.put_if(keys.daily_history(year), data, history_fingerprint)
    bars, bars_fingerprint = _in_order(pl.concat([far.bars, new.bars])), old.bars_fingerprint
    # A year all of whose bars were withdrawn has an object, too: by it the year is known.
    if not bars.equals(old.bars) or bars_fingerprint is None:
        data = encode_frame(bars, DAILY)
        bars_fingerprint = store.put_if(keys.daily(year), data, bars_fingerprint)
    return Year(bars, history, bars_fingerprint, history_fingerprint)


def _in_order(bars: pl.DataFrame) -> pl.DataFrame:
    """Return bars in order of symbol and session: by numbers, at a fraction of the time."""
    symbols = bars["symbol"].unique().sort()
    rank = bars["symbol"].cast(pl.Enum(symbols)).to_physical().cast(pl.Int64)
    place = rank * _DAYS + bars["session"].to_physical()
    return bars if place.is_sorted() else bars[place.arg_sort()]


def merged(incoming: pl.DataFrame, old: Year) -> Revision:
    """Return a year with the bars that came in, and what that changes."""
    if old.bars.is_empty() and old.history.is_empty():
        return _first(incoming, old), Changes(added=incoming.height)
    current = old.bars.select(*KEY, *_PRICES, *_OPTIONAL, "revision", "known_from")
    rows = incoming.join(current, on=KEY, how="left", suffix="_now")
    known = pl.col("revision").is_not_null()
    rows = rows.with_columns(
        # A source without vwap or trades says nothing of them: it does not erase what is known.
        pl.when(_same_prices()).then(pl.coalesce(name, f"{name}_now")).otherwise(name).alias(name)
        for name in _OPTIONAL
    )
    same = _same_prices() & pl.all_horizontal(
        pl.col(name).eq_missing(pl.col(f"{name}_now")) for name in _OPTIONAL
    )
    rows = rows.with_columns(same=known & same)
    changed = rows.filter(~pl.col("same"))
    corrected = changed.filter(known)
    past = old.withdrawn().rename({"revision": "revision_past"})
    last_known = old.history.group_by(KEY).agg(pl.col("known_to").max())
    fresh = (
        changed.join(past, on=KEY, how="left")
        .join(last_known, on=KEY, how="left")
        .with_columns(
            revision=(pl.coalesce("revision", "revision_past", pl.lit(-1)) + 1).cast(pl.Int32),
            known_from=pl.max_horizontal("known_from", _just_after("known_from_now"), "known_to"),
        )
    )
    fresh = fresh.select(DAILY.names)
    gone = corrected.select(KEY).join(fresh.select(*KEY, known_to="known_from"), on=KEY)
    new = _replace(old, gone, fresh)
    changes = Changes(
        added=changed.height - corrected.height,
        corrected=corrected.height,
        unchanged=rows.height - changed.height,
    )
    return new, changes


def _first(incoming: pl.DataFrame, old: Year) -> Year:
    """Return the year that there was nothing of: there is nothing to compare the bars with."""
    bars = incoming.with_columns(revision=pl.lit(0, pl.Int32()))
    return replace(old, bars=bars.select(DAILY.names))


def _same_prices() -> pl.Expr:
    same = pl.all_horizontal(pl.col(name) == pl.col(f"{name}_now") for name in _PRICES)
    return same.fill_null(value=False)


def without(gone: pl.DataFrame, clock: Clock, old: Year) -> Revision:
    """Return a year less some (symbol, session), which history keeps, and how many that is."""
    found = old.bars.join(gone, on=KEY, how="semi")
    now = pl.lit(clock.now()).cast(pl.Datetime("us", "UTC"))
    known_to = pl.max_horizontal(now, _just_after("known_from"))
    new = _replace(old, found.select(*KEY, known_to=known_to), old.bars.clear())
    return new, Changes(withdrawn=found.height, unchanged=gone.height - found.height)


def _replace(old: Year, replaced: pl.DataFrame, fresh: pl.DataFrame) -> Year:
    """Return the year with fresh bars; those replaced, until `known_to`, are history."""
    past = old.bars.join(replaced, on=KEY, how="inner")
    bars = pl.concat([old.bars.join(replaced, on=KEY, how="anti"), fresh])
    history = pl.concat([old.history, past.select(DAILY_HISTORY.names)])
    history = history.unique([*KEY, "revision"], keep="last", maintain_order=True)
    return replace(old, bars=bars, history=_dated(history, bars))


def _dated(history: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Let each revision be known until the next one is: what another import wrote is put right."""
    if history.is_empty():
        return history
    names = [*KEY, "revision", "known_from"]
    following = pl.concat([history.select(names), bars.select(names)]).unique(
        [*KEY, "revision"], keep="last"
    )
    following = following.select(
        *KEY, (pl.col("revision") - 1).cast(pl.Int32), superseded="known_from"
    )
    dated = history.join(following, on=[*KEY, "revision"], how="left", maintain_order="left")
    return dated.with_columns(known_to=pl.coalesce("superseded", "known_to")).drop("superseded")


def _just_after(instant: str) -> pl.Expr:
    # Clocks differ, and an import takes its time: what replaces a bar is never known before it.
    return pl.col(instant) + pl.duration(microseconds=1)
