"""Which listing a symbol names on a date.

FB      |== L1 (Facebook) ===========|
META    |~ META<2022-06-09 ~~~~~~~~~~|== L1 ==============>
CC      |== L2 ==|~~ gap ~~|== L3 =======================>
AAPL    the symbol itself: there are no reference data
       1962     2010     2012     2022-06-09
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from lake.listings import Listings, Named
from lake.session import EPOCH

RENAMED = dt.date(2022, 6, 9)
TODAY = dt.date(2026, 1, 5)
DAY = dt.timedelta(days=1)


def listings(*rows: tuple[str, str, dt.date, dt.date | None]) -> Listings:
    kinds = {"listing": pl.String(), "symbol": pl.String(), "first": pl.Date(), "last": pl.Date()}
    return Listings(pl.DataFrame(list(rows), kinds, orient="row"))


@pytest.fixture
def known() -> Listings:
    return listings(
        ("L1", "FB", EPOCH, RENAMED - DAY),
        ("L1", "META", RENAMED, None),
        ("L2", "CC", EPOCH, dt.date(2010, 5, 3)),
        ("L3", "CC", dt.date(2012, 2, 1), None),
    )


@pytest.mark.parametrize(
    ("symbol", "day", "expected"),
    [
        ("FB", dt.date(2012, 5, 18), "L1"),
        ("FB", RENAMED - DAY, "L1"),
        ("FB", RENAMED, "FB>2022-06-08"),
        ("META", dt.date(2021, 7, 1), "META<2022-06-09"),
        ("META", RENAMED, "L1"),
        ("META", TODAY, "L1"),
        ("CC", EPOCH, "L2"),
        ("CC", dt.date(2010, 5, 3), "L2"),
        ("CC", dt.date(2010, 5, 4), "CC>2010-05-03"),
        ("CC", dt.date(2012, 1, 31), "CC>2010-05-03"),
        ("CC", dt.date(2012, 2, 1), "L3"),
        ("CC", dt.date(1950, 3, 1), "L2"),
        ("CC", TODAY, "L3"),
        ("FB", dt.date(1950, 3, 1), "L1"),
        ("META", dt.date(1950, 3, 1), "META<2022-06-09"),
        ("L1", TODAY, "L1~"),
        ("AAPL", TODAY, "AAPL"),
    ],
)
def test_a_symbol_names_a_listing_on_a_date(
    known: Listings, symbol: str, day: dt.date, expected: str
) -> None:
    symbols = pa.array(["ZZZ", symbol]).dictionary_encode()

    found = known.of(symbols, np.array([day, day], "datetime64[D]"))

    assert ["ZZZ", expected] == found.to_pylist()


def test_without_reference_data_each_symbol_is_its_own_listing() -> None:
    symbols = pa.array(["B", "A", "B"]).dictionary_encode()

    found = listings().of(symbols, np.array([TODAY] * 3, "datetime64[D]"))

    assert ["B", "A", "B"] == found.to_pylist()


def test_the_last_date_there_is_is_no_end() -> None:
    known = listings(("L1", "FB", EPOCH, dt.date.max))

    assert [("FB", EPOCH, "L1"), ("L1", EPOCH, "L1~")] == known.steps.rows()
    assert (Named("AAPL", dt.date.min, dt.date.max),) == known.symbols_of("AAPL")


def test_a_symbol_that_is_the_id_of_a_listing_is_none_of_its_bars() -> None:
    known = listings(("META", "FB", EPOCH, RENAMED - DAY))
    symbols = pa.array(["FB", "META"]).dictionary_encode()

    found = known.of(symbols, np.array([EPOCH, EPOCH], "datetime64[D]"))

    assert ["META", "META~"] == found.to_pylist()
    assert "META" == known.named("META", TODAY)
    assert (Named("META", EPOCH, dt.date.max),) == known.symbols_of("META~")


def test_a_name_is_a_symbol_first_and_an_id_else() -> None:
    known = listings(
        ("AA", "AA", EPOCH, dt.date(2005, 3, 1)), ("L2", "AA", dt.date(2010, 3, 1), None)
    )

    assert "L2" == known.named("AA", TODAY)
    assert "AA" == known.named("AA", dt.date(2004, 3, 1))


@pytest.mark.parametrize(
    ("name", "as_of", "expected"),
    [
        ("META", TODAY, "L1"),
        ("META", dt.date(2012, 5, 18), "L1"),
        ("fb", dt.date(2012, 5, 18), "L1"),
        ("FB", TODAY, "L1"),
        ("CC", dt.date(2010, 1, 4), "L2"),
        ("CC", dt.date(2011, 1, 4), "L2"),
        ("CC", TODAY, "L3"),
        ("L2", TODAY, "L2"),
        ("brk-b", TODAY, "BRK.B"),
    ],
)
def test_a_name_means_a_listing_as_of_a_date(
    known: Listings, name: str, as_of: dt.date, expected: str
) -> None:
    assert expected == known.named(name, as_of)


def test_a_listing_had_its_symbols_in_order(known: Listings) -> None:
    assert (
        Named("FB", EPOCH, RENAMED - DAY),
        Named("META", RENAMED, dt.date.max),
    ) == known.symbols_of("L1")
    assert (Named("CC", dt.date(2010, 5, 4), dt.date(2012, 1, 31)),) == known.symbols_of(
        "CC>2010-05-03"
    )
    assert (Named("AAPL", dt.date.min, dt.date.max),) == known.symbols_of("AAPL")


def test_an_action_told_by_a_later_symbol_is_of_the_listing_that_has_it_next(
    known: Listings,
) -> None:
    days = [dt.date(2015, 3, 2), dt.date(2015, 3, 2), dt.date(2011, 3, 2), dt.date(2023, 1, 3)]
    actions = pl.DataFrame({"symbol": ["META", "FB", "CC", "AAPL"], "effective": days})

    mapped = known.of_actions(actions, "effective")

    # The same action by both symbols is one; nobody held CC in 2011.
    assert [("L1", days[0]), ("CC>2010-05-03", days[2]), ("AAPL", days[3])] == mapped.select(
        "listing", "effective"
    ).rows()


def test_an_action_told_by_the_symbol_of_its_day_counts_before_one_told_by_a_later() -> None:
    known = listings(("L1", "ZFB", EPOCH, RENAMED - DAY), ("L1", "META", RENAMED, None))
    day = dt.date(2015, 3, 2)
    actions = pl.DataFrame({"symbol": ["META", "ZFB"], "effective": [day, day], "split_to": [9, 2]})

    mapped = known.of_actions(actions, "effective")

    assert [("L1", 2)] == mapped.select("listing", "split_to").rows()


def test_what_symbols_name_in_a_year_begins_with_it(known: Listings) -> None:
    symbols = ["AAPL", "CC", "META"]

    assert [
        ("CC", dt.date(2012, 1, 1), "CC>2010-05-03"),
        ("CC", dt.date(2012, 2, 1), "L3"),
        ("META", dt.date(2012, 1, 1), "META<2022-06-09"),
    ] == known.within(2012, symbols).rows()
    assert ["L3", "L1"] == known.within(2023, symbols)["listing"].to_list()
    assert listings().within(2012, symbols).is_empty()
