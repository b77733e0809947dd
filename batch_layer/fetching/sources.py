"""Source files, read as they are: every value as text, for validation to judge.

CSV (plain or gzip, any usual separator) and Parquet. A line with the wrong number of values is kept
apart with its text, so that it can be rejected rather than lost.
"""

from __future__ import annotations

import csv
import glob
import gzip
import hashlib
import shutil
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Final

import duckdb

from lake.errors import SourceError
from lake.scan import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDINGS: Final = (".csv", ".csv.gz", ".txt", ".txt.gz", ".parquet")
_SEPARATORS: Final = ",;\t|"


def check_path(path: Path) -> None:
    """Refuse what cannot be a source file.

    Raises:
        SourceError: If `path` does not exist, is a directory, is empty or has an unknown ending.
    """
    if path.is_dir():
        fact = f"{path} is a directory; import takes files."
        raise SourceError(fact, hint=f"fiblake import {path}/*.csv")
    if not path.exists():
        fact = f"{path} does not exist."
        raise SourceError(fact, hint="check the path.")
    if not path.name.lower().endswith(_ENDINGS):
        fact = f"{path} is not a file that import reads. Allowed: {', '.join(_ENDINGS)}."
        raise SourceError(fact)
    if path.stat().st_size == 0:
        fact = f"{path} is empty."
        raise SourceError(fact)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def open_source(
    connection: duckdb.DuckDBPyConnection, path: Path
) -> Iterator[duckdb.DuckDBPyRelation]:
    """Yield the rows of a file, good to read until the block ends.

    Raises:
        SourceError: If the file cannot be read as what its name says.
    """
    check_path(path)
    try:
        if path.name.lower().endswith(".parquet"):
            yield connection.read_parquet(glob.escape(str(path)))
        else:
            with plain_csv(path) as csv_file:
                yield _read_csv(connection, csv_file)
    except duckdb.Error as error:
        first_line = str(error).partition("\n")[0]
        fact = f"{path} cannot be read: {first_line}"
        raise SourceError(fact, hint="is it complete, and what its ending says?") from error


def malformed_lines(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, str, str]]:
    """Return (line number, text, what is wrong) of the CSV lines that could not be split.

    They are those of the scans since the last call.
    """
    try:
        rows = connection.execute(sql("batch_layer.fetching", "malformed")).fetchall()
    except duckdb.CatalogException:
        return []  # what was scanned was no CSV
    connection.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
    # An open quote swallows the lines behind it: each is a row that was lost.
    return [
        (int(first) + offset, part, str(why))
        for first, text, why in rows
        for offset, part in enumerate(str(text).splitlines())
    ]


@dataclass(frozen=True, slots=True)
class PlainCsv:
    """A CSV file, unpacked, and what its header tells."""

    path: Path
    separator: str
    columns: tuple[str, ...]


@contextmanager
def plain_csv(path: Path) -> Iterator[PlainCsv]:
    """Yield a CSV file, unpacked for as long as the block lasts.

    Raises:
        SourceError: If it is not UTF-8 text with a header, or not the gzip that its name says.
    """
    if path.name.lower().endswith(".gz"):
        with _unpacked(path) as plain:
            yield _with_header(plain, path)
    else:
        yield _with_header(path, path)


def _read_csv(connection: duckdb.DuckDBPyConnection, file: PlainCsv) -> duckdb.DuckDBPyRelation:
    return connection.read_csv(
        glob.escape(str(file.path)),
        header=True,
        auto_detect=False,
        columns=dict.fromkeys(file.columns, "VARCHAR"),
        sep=file.separator,
        quotechar='"',
        na_values="",
        store_rejects=True,
    )


def _with_header(plain: Path, source: Path) -> PlainCsv:
    # Told rather than detected: a detector takes a file with ragged rows for one with one column.
    try:
        with plain.open(encoding="utf-8-sig", newline="") as file:
            line = file.readline()
    except UnicodeDecodeError:
        line = "\0"
    if "\0" in line:
        fact = f"{source} is not UTF-8 text."
        raise SourceError(fact, hint="convert it, as with iconv -t UTF-8.")
    separator = max(_SEPARATORS, key=line.count)
    names = next(csv.reader([line], delimiter=separator), [])
    if len({name.lower() for name in names}) < len(names):
        fact = f"{source} has two columns of the same name: {', '.join(names)}."
        raise SourceError(fact, hint="rename one of them.")
    if not names:
        fact = f"{source} does not begin with a header line."
        raise SourceError(fact, hint="name the columns in the first line.")
    return PlainCsv(plain, separator, tuple(names))


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    # DuckDB takes a truncated gzip for a whole one; Python's gzip tells.
    with NamedTemporaryFile(suffix=".csv") as plain:
        try:
            with gzip.open(path, "rb") as packed:
                shutil.copyfileobj(packed, plain)
        except (EOFError, zlib.error) as error:
            fact = f"{path} is truncated or damaged: {error}."
            raise SourceError(fact, hint="fetch the file again.") from error
        except gzip.BadGzipFile as error:
            fact = f"{path} is not a gzip file: {error}."
            raise SourceError(fact, hint="check its ending.") from error
        plain.flush()
        yield Path(plain.name)
