"""Massive's conditions of trades, a page at a time: the table of fiblake, or another one.

Source: https://massive.com/docs/rest/stocks/market-operations/condition-codes, and what the
official client reads.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from batch_layer.local_vendor.messages import Reply
from batch_layer.local_vendor.pages import asked, limit_of, next_url

if TYPE_CHECKING:
    from batch_layer.local_vendor.messages import Request

_RULES: Final = ("updates_high_low", "updates_open_close", "updates_volume")
_LIMIT: Final = 10
_MOST: Final = 1000
_OFFSET: Final = "offset"
_TOLD: Final = {"asset_class": "stocks", "data_type": "trade"}


class TradeConditions:
    """What is sold of conditions.

    Attributes:
        rows: The conditions of trades of stocks, as REST tells them; may be replaced.
    """

    def __init__(self) -> None:
        self.rows = bundled_rows()

    def answer(self, request: Request) -> Reply:
        """Return a page of the conditions of trades of stocks; of all else there are none.

        Raises:
            RefusedError: If a parameter cannot be.
        """
        query = asked(request)
        is_told = all(query.get(name, text) == text for name, text in _TOLD.items())
        rows = self.rows if is_told else []
        limit, offset = limit_of(query, _LIMIT, _MOST), int(query.get(_OFFSET, 0))
        some = rows[offset : offset + limit]
        body: dict[str, Any] = {
            "results": some,
            "status": "OK",
            "count": len(some),
            "request_id": request.request_id,
        }
        if offset + limit < len(rows):
            body["next_url"] = next_url(request, {**query, _OFFSET: str(offset + limit)})
        return Reply(json.dumps(body).encode())


def bundled_rows() -> list[dict[str, Any]]:
    """Return the table that comes with fiblake, as REST tells it."""
    table = json.loads((files("lake") / "data" / "conditions.json").read_text("utf-8"))
    return [
        {
            "id": told["id"],
            "type": "sale_condition",
            "name": told["name"],
            "asset_class": "stocks",
            "data_types": ["trade"],
            "update_rules": {
                place: {rule: told[rule] for rule in _RULES}
                for place in ("consolidated", "market_center")
            },
        }
        for told in table["conditions"]
    ]
