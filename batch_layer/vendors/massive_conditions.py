"""What Massive's pages of trade conditions say, and whether they can be a table.

Of the rules of a condition those of the consolidated tapes count alone. A condition without them
forbids nothing, and is left out. A table in which one row makes no sense is none: by half a table,
trades would move what they may not.

Source: https://massive.com/docs/rest/stocks/market-operations/condition-codes
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from batch_layer.vendors.massive_answers import results_of
from lake.errors import VendorAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Condition = dict[str, Any]
RULES: Final = ("updates_high_low", "updates_open_close", "updates_volume")


def conditions_of(bodies: Iterable[bytes]) -> list[Condition]:
    """Return the conditions that pages tell, in order of `id`: each with `name` and `RULES`.

    Raises:
        VendorAnswerError: If they can be no table, or one of impossible bars.
    """
    told: dict[int, Condition] = {}
    for body in bodies:
        for row in results_of(body):
            code, rules = _code(row), _rules(row)
            if rules:
                condition = {"id": code, "name": str(row.get("name") or ""), **rules}
                before = told.setdefault(code, condition)
                if any(before[name] != rules[name] for name in RULES):
                    why = f"code {code} has two sets of rules"
                    raise _no_table(why)
    if not told:
        why = "no condition has rules"
        raise _no_table(why)
    return [told[code] for code in sorted(told)]


def _code(row: Mapping[str, Any]) -> int:
    code = row.get("id")
    if isinstance(code, bool) or not isinstance(code, int):
        why = f"{code!r} is no code"
        raise _no_table(why)
    return code


def _rules(row: Mapping[str, Any]) -> dict[str, bool]:
    """Return the rules of a condition; none where it has none."""
    code, rules = row["id"], _mapping(row, _mapping(row, row, "update_rules"), "consolidated")
    if not rules:
        return {}
    found = {name: rules.get(name) for name in RULES}
    for name, value in found.items():
        if not isinstance(value, bool):
            why = f"{name} of code {code} is {value!r}, neither true nor false"
            raise _no_table(why)
    if found["updates_open_close"] and not found["updates_high_low"]:
        fact = (
            f"Massive's table of conditions lets code {code} move open and close, but not high and "
            "low: bars could close outside their range."
        )
        raise VendorAnswerError(fact)
    return {name: value is True for name, value in found.items()}


def _mapping(row: Mapping[str, Any], holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = holder.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        why = f"{name} of code {row['id']} is {value!r}, not rules"
        raise _no_table(why)
    return value


def _no_table(why: str) -> VendorAnswerError:
    return VendorAnswerError(f"Massive's answer is no table of conditions: {why}.")
