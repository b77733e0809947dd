"""Massive's spelling of symbols, and the lake's.

Massive writes as the consolidated tapes do: a lower-case letter says what kind of security follows
the root, so that TpA (AT&T, preferred A) is not TPA. The lake writes the same in upper case, behind
a dot. Source: the CQS and the CMS columns of https://www.nasdaqtrader.com/Trader.aspx?id=CQSSymbolConvention
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from lake.symbol import canonical

_PLAIN: Final = "^[A-Z0-9]+$"
# Root, preferred (and its class), rights, what a dot introduces, when issued.
_LAKE: Final = re.compile(r"([A-Z0-9]+)\.(?:(PR)([A-Z]?))?(RT)?(WI)?")
_TAPE: Final = re.compile(r"([A-Z0-9]+)(?:(p)([A-Z]?))?(r?)((?:\.[A-Z]+)*)(w?)")


def lake_symbol(text: str) -> str:
    """Return a symbol of Massive's as the lake spells it.

    Preferred p is PR, rights r RT, when issued w WI: BACpL → BAC.PRL, ABCpAw → ABC.PRAWI, ABCr →
    ABC.RT, BRK.B and ABC.WS stay. A spelling of lower-case letters that is none of these comes back
    behind a `?`, which no symbol has: rules reject it, rather than take it for another symbol.
    """
    plain = text.strip()
    if plain == plain.upper():
        return canonical(plain)
    match = _TAPE.fullmatch(plain)
    if match is None:
        return f"?{plain}"
    root, preferred, series, rights, dotted, when_issued = match.groups()
    kinds = [
        "PR" if preferred else "",
        series or "",
        "RT" if rights else "",
        dotted.replace(".", "", 1),
        "WI" if when_issued else "",
    ]
    return f"{root}.{''.join(kinds)}"


def massive_symbol(symbol: str) -> str:
    """Return a symbol of the lake as Massive spells it: BAC.PRL → BACpL, BRK.B stays."""
    match = _LAKE.fullmatch(symbol)
    if match is None:
        return symbol
    root, preferred, series, rights, when_issued = match.groups()
    kinds = ["p" if preferred else "", series or "", "r" if rights else ""]
    return f"{root}{''.join(kinds)}{'w' if when_issued else ''}"


def is_plain(text: str) -> bool:
    """Return whether a symbol of Massive's is a root alone: no class, rights or when-issued."""
    return re.fullmatch(_PLAIN, text.strip()) is not None


def lake_symbols(texts: pl.Series) -> pl.Series:
    """Return symbols of Massive's as the lake spells them; null where there is none."""
    names = texts.unique().drop_nulls()
    # Nearly all are plain letters, which are the lake's already.
    odd = names.filter(~names.str.contains(_PLAIN))
    return texts.replace(odd, pl.Series([lake_symbol(name) for name in odd], dtype=pl.String()))
