"""A made-up day of trades, and alerts that fire many times on it."""

from __future__ import annotations

from typing import Final

from tests.days import made_day
from tests.evaluated_alerts import many_rules

DAY: Final = made_day(6, 600)
SYMBOLS: Final = tuple(DAY.bars["symbol"])
RULES: Final = many_rules(DAY.bars, SYMBOLS[:4])
