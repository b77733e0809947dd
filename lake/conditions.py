"""The conditions under which trades print, and what each forbids a trade to move.

A table comes with fiblake, with its date; a lake may hold a newer one, as the vendor told it. A
code that the table does not have forbids nothing.

Source: Massive's /v3/reference/conditions, `update_rules.consolidated`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from lake import keys
from lake.documents import read_document
from lake.errors import DamagedObjectError, ObjectNotFoundError
from lake.event import EVERYTHING, HIGH_LOW, OPEN_CLOSE, VOLUME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lake.store import ObjectStore

CLOSING_PRINT: Final = 8
"""The auction that ends regular hours: it belongs to their last minute, whenever it prints."""
FORM_T: Final = frozenset({12, 13})
"""Said of trades outside regular hours: there it forbids nothing, within them all but volume."""
_BITS: Final = {
    "updates_open_close": OPEN_CLOSE,
    "updates_high_low": HIGH_LOW,
    "updates_volume": VOLUME,
}


@dataclass(frozen=True, slots=True)
class Conditions:
    """A table of conditions.

    Attributes:
        as_of: The date on which it was told.
        moves: By code, what a trade under it may move.
    """

    as_of: str
    moves: Mapping[int, int]

    def allowed(self, codes: Iterable[int], *, regular: bool) -> int:
        """Return what a trade under several conditions may move: what each of them allows.

        Args:
            codes: The vendor's numbers.
            regular: Whether it counts to regular hours.
        """
        allowed = EVERYTHING
        for code in codes:
            if regular or code not in FORM_T:
                allowed &= self.moves.get(code, EVERYTHING)
        return allowed


def load_conditions(store: ObjectStore | None = None) -> Conditions:
    """Return the lake's table of conditions, or that which comes with fiblake where it has none.

    Raises:
        DamagedObjectError: If the lake's cannot be read.
    """
    if store is None:
        return bundled()
    try:
        document, _ = read_document(store, keys.CONDITIONS)
    except ObjectNotFoundError:
        return bundled()
    try:
        return _parsed(document)
    except (KeyError, TypeError):
        fact = f"{keys.CONDITIONS} in {store.location} is damaged: not a table of conditions."
        raise DamagedObjectError(fact, hint="fetch the conditions anew, or delete it.") from None


@cache
def bundled() -> Conditions:
    """Return the table that comes with fiblake."""
    return _parsed(json.loads((files("lake") / "data" / "conditions.json").read_text("utf-8")))


def _parsed(document: Mapping[str, Any]) -> Conditions:
    moves = {
        int(told["id"]): sum(bit for name, bit in _BITS.items() if told[name])
        for told in document["conditions"]
    }
    return Conditions(str(document["as_of"]), moves)
