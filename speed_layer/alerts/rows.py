"""The rows that flows keep beside the evaluator's, in the same table and the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FLOW: Final = "flow "
"""Before a symbol: since when it is followed, and what of it is not complete."""
CLOSED: Final = "closed "
"""Before a symbol and an interval: which of its bars of sessions was told last."""


def own_rows(rows: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the flows' rows, and all others, which are the evaluator's."""
    own = {key: state for key, state in rows.items() if key.startswith((FLOW, CLOSED))}
    return own, {key: state for key, state in rows.items() if key not in own}
