"""Reading objects that others replace meanwhile: the answer is of one version, or read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import duckdb
import pyarrow as pa
import pytest

from lake.errors import StoreError
from lake.parquet import encode
from lake.scan import connect, scan
from lake.store import LocalStore

KEY = "silver/a.parquet"
SUM = "SELECT sum(x)::BIGINT AS total FROM read_parquet($files) WHERE x > $above"


@dataclass
class Meddled:
    """A connection that does something else right after each statement, as another process may."""

    connection: duckdb.DuckDBPyConnection
    meddle: Callable[[int], None]
    statements: int = 0

    def execute(self, statement: str, binds: dict[str, Any]) -> duckdb.DuckDBPyConnection:
        result = self.connection.execute(statement, binds)
        self.statements += 1
        self.meddle(self.statements)
        return result


def put(store: LocalStore, *values: int) -> None:
    store.put(KEY, encode(pa.table({"x": list(values)})))


def total(store: LocalStore, meddle: Callable[[int], None]) -> tuple[int, int]:
    """Return what is read, and after how many attempts."""
    objects = store.fingerprints("silver/")
    with connect(store) as connection:
        meddled = Meddled(connection, meddle)
        as_connection = cast("duckdb.DuckDBPyConnection", meddled)
        rows = scan(as_connection, store, objects, SUM, {"above": 0})
    return rows["total"][0].as_py(), meddled.statements


def test_what_stays_the_same_is_read_once(store: LocalStore) -> None:
    put(store, 1, 2)

    assert (3, 1) == total(store, lambda _: None)


def test_what_was_replaced_while_it_was_read_is_read_again(store: LocalStore) -> None:
    put(store, 1, 2)

    def replace_twice(number: int) -> None:
        if number < 3:
            put(store, 10 * number, 50)

    assert (70, 3) == total(store, replace_twice)


def test_an_error_is_tried_again_where_the_object_was_replaced(store: LocalStore) -> None:
    put(store, 1, 2)

    def tear(number: int) -> None:
        if number == 1:
            put(store, 4)
            msg = "don't know what type"
            raise duckdb.Error(msg)

    assert (4, 2) == total(store, tear)


def test_an_error_is_told_where_nothing_was_replaced(store: LocalStore) -> None:
    store.put(KEY, b"junk")

    with pytest.raises(StoreError, match=r"^The lake cannot be read: .* Hint: fiblake resample"):
        total(store, lambda _: None)


def test_what_never_stays_the_same_is_given_up_on(store: LocalStore) -> None:
    put(store, 0)

    with pytest.raises(StoreError, match=r"kept changing through 12 attempts\. Hint: try again"):
        total(store, lambda number: put(store, number))
