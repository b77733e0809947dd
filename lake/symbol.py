"""The one spelling of a symbol: upper case, and a class of shares behind a dot.

Exchanges and vendors write `BRK/B`, `BRK-B` or `BRK B`; the lake says `BRK.B`.
"""

from __future__ import annotations

import re
from typing import Final

CLASS: Final = r"^([A-Z]+)[/ _-]([A-Z])$"
"""A root and the letter of its class, apart by other than a dot; a pattern for DuckDB as well."""
_SYMBOL: Final = re.compile(r"[A-Z0-9][A-Z0-9.^/=+_-]*")


def is_symbol(text: str) -> bool:
    """Return whether a text can be a symbol of the lake."""
    return _SYMBOL.fullmatch(text) is not None


def canonical(text: str) -> str:
    """Return a symbol as the lake spells it."""
    return re.sub(CLASS, r"\1.\2", text.strip().upper())
