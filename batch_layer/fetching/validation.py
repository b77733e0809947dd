"""The rules a bar must keep to land in bronze; what breaks one is rejected with its reason.

A row is good when it names a symbol and a settled session, its prices are finite, positive and in
order (low <= open, close <= high), its volume is finite and not negative, none is absurdly large,
and no other row says something else of the same bar.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import duckdb
import polars as pl

from batch_layer.fetching.columns import (
    FIELDS,
    KEY_FIELDS,
    REQUIRED,
    Columns,
    holds_symbols,
    recognise,
)
from batch_layer.fetching.given import given_rows, numbered
from batch_layer.fetching.sources import malformed_lines, open_source
from lake.errors import MisuseError, SourceError
from lake.exchange import arrow_sessions
from lake.scan import sql
from lake.symbol import CLASS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from lake.session import SessionTable

_PACKAGE = "batch_layer.fetching"
_MALFORMED = "malformed line"
# Beyond what any stock has seen, and far below what would overflow in a sum.
PRICE_MOST: Final = 1e9
VOLUME_MOST: Final = 1e15
TRADES_MOST: Final = 10**12
NARROW: Final = 20
"""A source of at most so many symbols is told by their names: it is no market."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How source files are to be read.

    Attributes:
        columns: Field → column where the spelling does not tell.
        symbol: The one symbol of files that have no symbol column.
        date_format: A strptime format; None for ISO 8601.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    symbol: str | None = None
    date_format: str | None = None


@dataclass(frozen=True, slots=True)
class Validated:
    """What sources hold.

    Attributes:
        good: The columns of `DAILY` but `revision` and `known_from`, one row a bar.
        rejected: `source`, `reason`, the text of each field, and of `line` where it was malformed.
        rows: Rows of each source, good or not.
        ignored: Columns of each source that say nothing to us.
        tally: Of each session with a rejected row: `source`, `session` (null where it cannot be
            read), `reason` (null where the rows are good) and `row_count`.
        spans: `source`, `first` and `last` session of its bars, how many `symbols` they have, and
            their `names`, the first NARROW + 1 of them.
    """

    good: pl.DataFrame
    rejected: pl.DataFrame
    rows: Mapping[str, int]
    ignored: Mapping[str, tuple[str, ...]]
    tally: pl.DataFrame
    spans: pl.DataFrame


class Validator:
    """Reads source files, or takes rows in memory, and tells good rows from bad ones.

    Args:
        reading: How the files are to be read; None: as they are spelt.
        with_values: Whether rows hold bars; else they just name them, by symbol and session.
    """

    def __init__(self, reading: Reading | None = None, *, with_values: bool = True) -> None:
        reading = reading or Reading()
        self._connection = duckdb.connect()
        # An instant's date must not depend on where the machine stands.
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute(sql(_PACKAGE, "raw"))
        self._check_date_format(reading.date_format)
        self._reading = reading
        self._with_values = with_values
        self._malformed: list[tuple[str, str, str]] = []
        self._in_memory: list[pa.Table] = []
        self._ignored: dict[str, tuple[str, ...]] = {}

    def add(self, path: Path) -> None:
        """Read a file.

        Raises:
            SourceError: If it cannot be read, lacks a required column or holds no rows.
        """
        source = str(path)
        given = self._reading.columns
        required = REQUIRED if self._with_values else KEY_FIELDS
        wanted = [name for name in required if name != "symbol" or self._reading.symbol is None]
        with open_source(self._connection, path) as rows:
            self._check_symbol(rows.columns, source)
            columns = recognise(rows.columns, source=source, given=given, required=wanted)
            before = self._count()
            self._insert(source, rows, columns)
        malformed = malformed_lines(self._connection)
        if self._count() == before and not malformed:
            fact = f"{source} holds no rows."
            raise SourceError(fact)
        self._malformed += [
            (source, f"{_MALFORMED} {number}: {why}", text) for number, text, why in malformed
        ]
        self._ignored[source] = columns.ignored

    def add_rows(self, source: str, rows: pa.Table) -> None:
        """Take rows that are in memory.

        Args:
            source: What they come from, as files have a path.
            rows: Columns spelt as those of files: numbers, dates or texts.

        Raises:
            SourceError: If a required column is missing, or two could hold one field.
        """
        required = REQUIRED if self._with_values else KEY_FIELDS
        columns = recognise(rows.column_names, source=source, given={}, required=required)
        self._ignored[source] = columns.ignored
        self._in_memory.append(given_rows(source, rows, columns))

    def judge(self, table: SessionTable, last_closed: dt.date) -> Validated:
        """Return all rows read so far, good and rejected.

        Args:
            table: The sessions of the exchange.
            last_closed: The last session whose bars may be taken.

        Raises:
            SourceError: If no date of some source can be read.
        """
        self._connection.register("sessions", arrow_sessions(table))
        self._type(last_closed)
        self._connection.execute(sql(_PACKAGE, "duplicates"))
        rejected = [self._connection.execute(sql(_PACKAGE, "rejected")).pl() for _ in self._parts()]
        spans = self._connection.execute(sql(_PACKAGE, "spans"), {"names": NARROW}).pl()
        return Validated(
            good=self._connection.execute(sql(_PACKAGE, "good")).pl(),
            rejected=pl.concat([*rejected, self._malformed_rows()], how="diagonal"),
            rows=self._rows(spans),
            ignored=self._ignored,
            tally=self._tally(),
            spans=spans.drop("row_count"),
        )

    def _type(self, last_closed: dt.date) -> None:
        binds = {
            "class": CLASS,
            "blanks": string.whitespace,
            "date_format": self._reading.date_format,
            "last_closed": last_closed,
            "with_values": self._with_values,
            "price_most": PRICE_MOST,
            "volume_most": VOLUME_MOST,
            "trades_most": TRADES_MOST,
        }
        self._connection.execute(sql(_PACKAGE, "typed_table"))
        for _ in self._parts():
            self._connection.execute(sql(_PACKAGE, "typed"), binds)
            self._refuse_unreadable_dates()

    def _parts(self) -> Iterator[None]:
        """Let `given` be each part of the rows in turn: those of files, then those in memory."""
        self._connection.execute(sql(_PACKAGE, "given"))
        yield
        self._connection.execute("DROP VIEW given")
        for part in numbered(self._in_memory):
            self._connection.register("given", part)
            yield
            self._connection.unregister("given")

    def _rows(self, spans: pl.DataFrame) -> dict[str, int]:
        rows = dict.fromkeys(self._ignored, 0) | dict(
            spans.select("source", "row_count").iter_rows()
        )
        for source, _, _ in self._malformed:
            rows[source] += 1
        return rows

    def _tally(self) -> pl.DataFrame:
        tally = self._connection.execute(sql(_PACKAGE, "tally")).pl()
        malformed = self._malformed_rows().select("source", reason=pl.lit(_MALFORMED))
        counted = malformed.group_by("source", "reason").agg(
            pl.len().cast(pl.Int64).alias("row_count")
        )
        return pl.concat([tally, counted], how="diagonal")

    def _check_date_format(self, date_format: str | None) -> None:
        if date_format is None:
            return
        try:
            usable = "%" in date_format
            self._connection.execute("SELECT try_strptime('', $1)", [date_format])
        except duckdb.Error:
            usable = False
        if not usable:
            fact = f"{date_format!r} is not a date format."
            raise MisuseError(fact, hint="name the format, as --date-format %m/%d/%Y.")

    def _check_symbol(self, found: Sequence[str], source: str) -> None:
        if self._reading.symbol is not None and holds_symbols(found, self._reading.columns):
            fact = f"{source} has a column for symbol: --symbol is for files without one."
            raise MisuseError(fact)

    def _insert(self, source: str, rows: duckdb.DuckDBPyRelation, columns: Columns) -> None:
        text = duckdb.sqltypes.VARCHAR
        fields = [duckdb.ConstantExpression(source).cast(text)]
        for name in FIELDS:
            if name in columns.of_field:
                value = duckdb.ColumnExpression(columns.of_field[name])
            else:
                default = self._reading.symbol if name == "symbol" else None
                value = duckdb.ConstantExpression(default)
            fields.append(value.cast(text).alias(name))
        rows.select(*fields).insert_into("raw")

    def _count(self) -> int:
        return int(self._connection.table("raw").shape[0])

    def _malformed_rows(self) -> pl.DataFrame:
        return pl.DataFrame(
            self._malformed,
            schema=dict.fromkeys(("source", "reason", "line"), pl.String()),
            orient="row",
        )

    def _refuse_unreadable_dates(self) -> None:
        found = self._connection.execute(sql(_PACKAGE, "unreadable_dates")).fetchone()
        if found is None:
            return
        source, example = found
        wanted = self._reading.date_format or "YYYY-MM-DD"
        fact = f"No date of {source} can be read as {wanted}; the first is {example!r}."
        raise SourceError(fact, hint="name the format, as --date-format %m/%d/%Y.")
