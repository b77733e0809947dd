"""Massive's spelling of symbols, made the lake's."""

from __future__ import annotations

import polars as pl
import pytest

from lake.massive_symbols import lake_symbol, lake_symbols

SPELLINGS = {
    "AAPL": "AAPL",
    "BRK.B": "BRK.B",
    "BRK/B": "BRK.B",
    "BACpL": "BAC.PRL",
    "TpA": "T.PRA",
    "TPA": "TPA",
    "ABRp": "ABR.PR",
    "GEw": "GE.WI",
    "ABCr": "ABC.RT",
    "ABCrw": "ABC.RTWI",
    "ABCpw": "ABC.PRWI",
    "ABCpAw": "ABC.PRAWI",
    "ABC.Aw": "ABC.AWI",
    "ABC.WS": "ABC.WS",
    "ABC.WSw": "ABC.WSWI",
    "ABC.WS.A": "ABC.WS.A",
    "ABCpA.CL": "ABC.PRACL",
    " AAPL ": "AAPL",
}


@pytest.mark.parametrize(("given", "expected"), SPELLINGS.items())
def test_a_symbol_is_spelt_as_the_lake_does(given: str, expected: str) -> None:
    assert expected == lake_symbol(given)


def test_no_two_symbols_become_one() -> None:
    distinct = {name for name in SPELLINGS if name not in {"BRK/B", " AAPL "}}

    assert len(distinct) == len({lake_symbol(name) for name in distinct})


@pytest.mark.parametrize("given", ["aapl", "Tpa", "ABCx", "pA", "ABCwp", "A b"])
def test_small_letters_that_say_nothing_make_no_symbol(given: str) -> None:
    assert f"?{given}" == lake_symbol(given)


def test_a_column_is_spelt_as_its_symbols_are() -> None:
    names = [*SPELLINGS, "aapl", None, "BACpL"]
    expected = [None if name is None else lake_symbol(name) for name in names]

    assert expected == lake_symbols(pl.Series(names)).to_list()
