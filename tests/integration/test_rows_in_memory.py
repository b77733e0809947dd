"""Rows in memory are judged as those of files are, by the very same rules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch_layer.bronze.ledger import Entry
from batch_layer.fetching.columns import FIELDS
from batch_layer.fetching.counts import entries_of
from batch_layer.fetching.validation import Validated, Validator
from lake.errors import SourceError
from lake.session import SessionTable
from lake.symbol import canonical

LAST = dt.date(2026, 1, 2)
DAY = dt.date(2012, 5, 18)
GOOD = ("FB", DAY, 42.05, 45.0, 38.0, 38.2318, 573576400.0, 40.1, 7)


def table(*rows: tuple[Any, ...]) -> pa.Table:
    return pl.DataFrame(rows, schema=FIELDS, orient="row").to_arrow()


def judged(sessions: SessionTable, *parts: tuple[str, pa.Table]) -> Validated:
    validator = Validator()
    for source, rows in parts:
        validator.add_rows(source, rows)
    return validator.judge(sessions, LAST)


def reasons(validated: Validated) -> list[str]:
    return validated.rejected["reason"].to_list()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"symbol": None}, "no symbol"),
        ({"symbol": "F&B"}, "not a symbol"),
        ({"session": dt.date(2012, 5, 19)}, "not a session of the exchange"),
        ({"session": dt.date(2026, 1, 5)}, "session not settled yet"),
        ({"session": None}, "not a date"),
        ({"open": None}, "price is not a number"),
        ({"high": float("inf")}, "price is not finite"),
        ({"close": float("nan")}, "price is not finite"),
        ({"low": 0.0}, "price is not positive"),
        ({"low": 43.0}, "low is above open or close"),
        ({"high": 42.0}, "high is below open or close"),
        ({"high": 1e300}, "price is too large"),
        ({"volume": None}, "volume is not a number"),
        ({"volume": -1.0}, "volume is negative"),
        ({"vwap": 0.0}, "vwap is not a positive number"),
        ({"trades": -1}, "trades is not a count"),
    ],
)
def test_values_break_the_rules_that_texts_break(
    sessions: SessionTable, changed: dict[str, Any], reason: str
) -> None:
    row = dict(zip(FIELDS, GOOD, strict=True)) | changed
    other = dict(zip(FIELDS, GOOD, strict=True)) | {"session": dt.date(2012, 5, 21)}
    values = pl.DataFrame([row, other])
    texts = values.cast(pl.String)

    for rows in (values, texts):
        found = judged(sessions, ("vendor", rows.to_arrow()))
        assert ([reason], 1) == (reasons(found), found.good.height)


def test_rejected_values_are_kept_as_text_and_sources_are_counted_each(
    sessions: SessionTable,
) -> None:
    bad = (*GOOD[:3], 1.5, 1.25, *GOOD[5:])
    found = judged(
        sessions,
        ("one", table(GOOD, bad)),
        ("two", table(bad).cast(pa.schema([(name, pa.string()) for name in FIELDS]))),
        ("none", table(GOOD).slice(0, 0)),
    )

    kept = ("high is below open or close", "FB", "2012-05-18", "42.05", "1.5", "1.25", "38.2318")
    assert [("one", *kept), ("two", *kept)] == found.rejected[:, :8].rows()
    assert {"one": 2, "two": 1, "none": 0} == found.rows
    assert [
        ("one", DAY, None, 1),
        ("one", DAY, kept[0], 1),
        ("two", DAY, kept[0], 1),
    ] == found.tally.sort("source", "reason", nulls_last=False).rows()


def test_what_came_of_each_source_is_an_entry_of_the_ledger(sessions: SessionTable) -> None:
    bad, undated = (*GOOD[:3], 1.5, 1.25, *GOOD[5:]), ("FB", None, *GOOD[2:])
    other = ("FB", dt.date(2012, 5, 21), *GOOD[2:])

    found = judged(sessions, ("one", table(GOOD, bad, undated)), ("two", table(other)))

    reasons = {"high is below open or close": 1, "not a date": 1}
    assert {"one": Entry(3, 1, reasons), "two": Entry(1, 1)} == entries_of(found)


def test_rows_of_files_and_in_memory_are_held_to_each_other(
    sessions: SessionTable, csv_file: Callable[..., Path]
) -> None:
    validator = Validator()
    validator.add(csv_file(",".join(FIELDS), ",".join(map(str, GOOD)), "FB,2012-05-22,1,1,1,1,1,1"))
    validator.add_rows("same", table(GOOD))
    validator.add_rows("other", table((*GOOD[:1], dt.date(2012, 5, 21), *GOOD[2:])))

    found = validator.judge(sessions, LAST)

    assert [("same", "duplicate")] == [row[:2] for row in found.rejected.rows()][:1]
    assert "malformed line 3" in reasons(found)[1]
    assert (2, 1) == (found.good.height, found.rows["same"])
    assert ("malformed line", None, 1) == (
        found.tally.filter(pl.col("reason") == "malformed line")
        .select("reason", "session", "row_count")
        .row(0)
    )


def test_instants_floats_and_categories_are_read_as_files_of_them_are(
    sessions: SessionTable,
) -> None:
    row = dict(zip(FIELDS, GOOD, strict=True))
    instant = dt.datetime(2012, 5, 17, 20, 30, tzinfo=dt.timezone(dt.timedelta(hours=-4)))
    rows = pl.DataFrame([row | {"session": instant}]).with_columns(
        pl.col("symbol").cast(pl.Categorical), pl.col("open").cast(pl.Float32)
    )
    odd = pl.DataFrame([row | {"session": "2012-05-21T00:00:00Z", "high": True}])

    found = judged(sessions, ("one", rows.to_arrow()), ("two", odd.to_arrow()))

    assert [("FB", DAY, 42.05)] == found.good.select("symbol", "session", "open").rows()
    assert ["price is not a number"] == reasons(found)


def test_spellings_of_one_symbol_are_one_symbol(sessions: SessionTable) -> None:
    spelt = [(text, *GOOD[1:]) for text in ("BRK/B", "brk-b", "BRK.B")]
    told_else = ("BRK B", dt.date(2012, 5, 21), *GOOD[2:])
    contradicting = ("BRK_B", dt.date(2012, 5, 21), 43.0, *GOOD[3:])

    found = judged(sessions, ("vendor", table(*spelt, told_else, contradicting)))

    assert [("BRK.B", DAY)] == found.good.select("symbol", "session").rows()
    assert ["duplicate"] * 2 + ["conflicting duplicate"] * 2 == reasons(found)
    assert ["brk-b", "BRK.B", "BRK B", "BRK_B"] == found.rejected["symbol"].to_list()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text("ABab/-_. \t1", max_size=6), min_size=1, max_size=40))
def test_the_rules_spell_symbols_as_the_kernel_does(
    sessions: SessionTable, texts: list[str]
) -> None:
    rows = [(text, sessions[1000 + number], *GOOD[2:]) for number, text in enumerate(texts)]

    found = judged(sessions, ("vendor", table(*rows)))

    spelt = {row[1]: canonical(row[0]) for row in rows}
    good = dict(found.good.select("session", "symbol").iter_rows())
    assert {session: spelt[session] for session in good} == good
    nameless = found.rejected.filter(pl.col("reason") == "no symbol")["session"].to_list()
    assert [str(row[1]) for row in rows if not canonical(row[0])] == nameless


def test_rows_without_a_required_column_are_refused() -> None:
    with pytest.raises(SourceError, match="vendor has no column for close"):
        Validator().add_rows("vendor", table(GOOD).drop_columns(["close"]))


def test_dates_none_of_which_can_be_read_are_refused(sessions: SessionTable) -> None:
    with pytest.raises(SourceError, match="No date of vendor can be read as YYYY-MM-DD"):
        judged(sessions, ("vendor", table(("FB", "18.5.2012", *GOOD[2:]))))
