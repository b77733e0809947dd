"""What an engine tells as lines of JSON: bars, prices, statements that came late, and poison.

    {"row":"bar", and the columns of LIVE_BARS}        session as YYYY-MM-DD,
    {"row":"price", and the columns of PRICES}         instants in microseconds,
    {"row":"late", and the columns of EVENTS}          what is null may be left out
    {"row":"poison","line":"...","reason":"..."}

Without `row`, the `kind` tells: `bar`, `price`, or that of an event, which is then a late one.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from itertools import starmap
from typing import TYPE_CHECKING, Final

import polars as pl

from lake.interval import DAILY, MINUTE_INTERVALS
from lake.live import BARS_SCHEMA, PRICES_SCHEMA
from lake.schemas import EVENTS, LIVE_BARS, PRICES
from lake.wire import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

POISON_SCHEMA: Final = pl.Schema({"line": pl.String(), "reason": pl.String()})
_TEXT: Final = pl.String()
_SCHEMA: Final = pl.Schema(
    {"row": _TEXT}
    | dict(POISON_SCHEMA)
    | dict(SCHEMA)
    | dict(PRICES_SCHEMA)
    | dict(BARS_SCHEMA)
    | {"session": _TEXT}
)
_MOST: Final = 2**53
"""Integers below it are the same in every reader of JSON."""
_ALLOWED: Final = {
    "interval": [str(each) for each in (*MINUTE_INTERVALS, DAILY)],
    "hours": ["regular", "extended"],
    "state": ["forming", "final"],
    "kind": ["trade", "second", "minute"],
}
_ROWS: Final = {"bar": LIVE_BARS, "price": PRICES, "late": EVENTS}


@dataclass(frozen=True, slots=True)
class Poison:
    """A line that makes no sense, and why."""

    line: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Told:
    """What an engine told.

    Attributes:
        bars: Schema `LIVE_BARS`.
        prices: Schema `PRICES`.
        late: Statements that came too late for the bars, schema `EVENTS`.
        poison: What made no sense to the engine, or makes none here.
        bar_lines: The place of each bar's line among all lines; empty where it is not known.
        price_lines: Likewise of each price.
    """

    bars: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=BARS_SCHEMA))
    prices: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PRICES_SCHEMA))
    late: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SCHEMA))
    poison: list[Poison] = field(default_factory=list)
    bar_lines: Sequence[int] = field(default=(), compare=False)
    price_lines: Sequence[int] = field(default=(), compare=False)


def encode_told(told: Told) -> list[bytes]:
    """Return a line for each bar, price, late statement and poison, without its end."""
    poison = pl.DataFrame(
        [(each.line.decode(errors="replace"), each.reason) for each in told.poison],
        schema=POISON_SCHEMA,
        orient="row",
    )
    frames = {"bar": told.bars, "price": told.prices, "late": told.late, "poison": poison}
    return [line for each in starmap(_lines, frames.items()) for line in each]


def decode_told(lines: Sequence[bytes]) -> Told:
    """Return what lines tell, each kind in their order; the rest is poison."""
    rows, poison = _parsed(lines, 0)
    told = pl.concat([pl.DataFrame(schema={**_SCHEMA, "at": pl.Int64}), *rows])
    by_kind = pl.col("kind").replace_strict({"bar": "bar", "price": "price"}, default="late")
    told = told.with_columns(
        row=pl.coalesce("row", pl.when(pl.col("kind").is_not_null()).then(by_kind)),
        session=pl.col("session").str.to_date("%Y-%m-%d", strict=False),
    ).with_columns(fault=_fault())
    sound = told.filter(pl.col("fault").is_null())
    refused = told.filter(pl.col("fault").is_not_null())
    poison += [Poison(lines[at], why) for at, why in refused.select("at", "fault").iter_rows()]
    poison += _refused_before(sound.filter(row="poison"))
    bars, prices = sound.filter(row="bar"), sound.filter(row="price")
    return Told(
        bars=bars.select(BARS_SCHEMA.names()),
        prices=prices.select(PRICES_SCHEMA.names()),
        late=sound.filter(row="late").select(SCHEMA.names()),
        poison=poison,
        bar_lines=bars["at"].to_list(),
        price_lines=prices["at"].to_list(),
    )


def _lines(row: str, frame: pl.DataFrame) -> list[bytes]:
    told = [name for name in frame.columns if frame[name].null_count() < frame.height]
    rows = frame.select(pl.lit(row).alias("row"), *told) if frame.height else frame
    return rows.write_ndjson().encode().splitlines()


def _parsed(lines: Sequence[bytes], first: int) -> tuple[list[pl.DataFrame], list[Poison]]:
    """Return the rows that lines are, `at` which line each is, and the lines that are none."""
    reason = "not a line of JSON"
    try:
        rows = pl.read_ndjson(io.BytesIO(b"\n".join(lines)), schema=_SCHEMA)
        if rows.height == len(lines):
            at = pl.int_range(first, first + len(lines), eager=True)
            return [rows.with_columns(at=at)], []
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
    if len(lines) == 1:
        return [], [Poison(lines[0], reason)]
    half = len(lines) // 2
    rows_before, bad_before = _parsed(lines[:half], first)
    rows_after, bad_after = _parsed(lines[half:], first + half)
    return [*rows_before, *rows_after], [*bad_before, *bad_after]


def _fault() -> pl.Expr:
    """Return what is wrong with a row; null: nothing."""
    is_row = {row: pl.col("row") == row for row in _ROWS}
    known = pl.col("row").is_in([*_ROWS, "poison"])
    faults = [pl.when(~known.fill_null(value=False)).then(pl.lit("its row is unknown"))]
    for row, schema in _ROWS.items():
        faults += [
            pl.when(is_row[row], fault).then(pl.lit(f"a {row} {why}"))
            for fault, why in _faults_of(schema)
        ]
    return pl.coalesce(faults)


def _faults_of(schema: pa.Schema) -> Iterable[tuple[pl.Expr, str]]:
    for column in schema:
        name = column.name
        if not column.nullable:
            yield pl.col(name).is_null(), f"without its {name}"
        if name in _ALLOWED:
            yield ~pl.col(name).is_in(_ALLOWED[name]), f"whose {name} is unknown"
        if name in {"version", "start", "time", "received", "minutes"}:
            yield ~pl.col(name).is_between(0, _MOST, closed="left"), f"whose {name} cannot be"
        if name == "symbol":
            yield pl.col(name) == "", "without a symbol"


def _refused_before(rows: pl.DataFrame) -> list[Poison]:
    told = rows.select(pl.col("line", "reason").fill_null("")).iter_rows()
    return [Poison(line.encode(), reason or "refused by the engine") for line, reason in told]
