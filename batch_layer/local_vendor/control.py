"""The vendor's own paths, under /control/, for those who test against it; they need no key."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from batch_layer.local_vendor.errors import bad_request, not_found
from batch_layer.local_vendor.messages import Reply

if TYPE_CHECKING:
    from batch_layer.local_vendor.catalogue import Catalogue
    from batch_layer.local_vendor.messages import Request
    from batch_layer.local_vendor.request_log import RequestLog

CONTROL: Final = "/control/"


class Control:
    """The control of a vendor.

    Args:
        log: GET /control/requests lists it, DELETE empties it.
        catalogue: POST /control/published `{"session": "2025-01-03"}` moves its end.
    """

    def __init__(self, log: RequestLog, catalogue: Catalogue) -> None:
        self._log = log
        self._catalogue = catalogue

    def answer(self, request: Request) -> Reply:
        """Do what a request asks for.

        Raises:
            RefusedError: If it cannot be done.
        """
        match request.method, request.path.removeprefix(CONTROL):
            case "GET", "requests":
                return _as_json([asdict(line) for line in self._log.lines()])
            case "DELETE", "requests":
                self._log.forget()
            case "POST", "published":
                self._publish(json_of(request))
            case method, name:
                text = f"{method} {CONTROL}{name} is not a control."
                raise not_found(text)
        return Reply(b"", HTTPStatus.NO_CONTENT)

    def _publish(self, wanted: dict[str, Any]) -> None:
        try:
            self._catalogue.published = dt.date.fromisoformat(wanted["session"])
        except (KeyError, TypeError, ValueError):
            text = f'{wanted} names no session. Allowed: {{"session": "2025-01-03"}}.'
            raise bad_request(text) from None


def json_of(request: Request) -> dict[str, Any]:
    """Return the JSON object in a request's body.

    Raises:
        RefusedError: If there is none.
    """
    try:
        found = json.loads(request.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        text = f"{request.body[:100]!r} is not a JSON object."
        raise bad_request(text)
    return found


def _as_json(value: object) -> Reply:
    return Reply(json.dumps(value).encode())
