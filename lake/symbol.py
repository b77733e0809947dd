"""The one spelling of a symbol: upper case, and a class of shares behind a dot.

Exchanges and vendors write `BRK/B`, `BRK-B` or `BRK B`; the lake says `BRK.B`.
"""

from __future__ import annotations

import re
from typing import Final

CLASS: Final = r"^([A-Z]+)[/ _-]([A-Z])$"
"""A root and the letter of its class, apart by other than a dot; a pattern for DuckDB as well."""


def canonical(text: str) -> str:
    """Return a symbol as the lake spells it."""
    return re.sub(CLASS, r"\1.\2", text.strip().upper())
