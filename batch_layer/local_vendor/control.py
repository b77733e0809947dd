"""The vendor's own paths, under /control/, for those who test against it; they need no key."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from batch_layer.local_vendor.errors import bad_request, not_found
from batch_layer.local_vendor.faults import Fault
from batch_layer.local_vendor.messages import Reply
from batch_layer.local_vendor.restatement import Restatement

if TYPE_CHECKING:
    from batch_layer.local_vendor.catalogue import Catalogue
    from batch_layer.local_vendor.faults import Faults
    from batch_layer.local_vendor.messages import Request
    from batch_layer.local_vendor.request_log import RequestLog

CONTROL: Final = "/control/"


class Control:
    """The control of a vendor.

    Args:
        log: GET /control/requests lists it, DELETE empties it.
        catalogue: POST /control/published `{"session": "2025-01-03"}` moves its end; POST
            /control/restated `{"session": "2025-01-03", "withdrawn": ["AAPL"]}` changes it.
        faults: POST /control/faults `{"kind": "throttled", "times": 3}` adds one, or a list of
            them; GET lists those still to come, DELETE clears them.
    """

    def __init__(self, log: RequestLog, catalogue: Catalogue, faults: Faults) -> None:
        self._log = log
        self._catalogue = catalogue
        self._faults = faults

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
            case "POST", "restated":
                self._restate(json_of(request))
            case "GET", "faults":
                return _as_json([_of_fault(*each) for each in self._faults.left()])
            case "POST", "faults":
                self._fail(request)
            case "DELETE", "faults":
                self._faults.clear()
            case method, name:
                text = f"{method} {CONTROL}{name} is not a control."
                raise not_found(text)
        return Reply(b"", HTTPStatus.NO_CONTENT)

    def _publish(self, wanted: dict[str, Any]) -> None:
        self._catalogue.published = _session(wanted)

    def _restate(self, wanted: dict[str, Any]) -> None:
        session = _session(wanted)
        told = {name: value for name, value in wanted.items() if name != "session"}
        try:
            self._catalogue.restate(session, Restatement(**told) if told else None)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise bad_request(str(error)) from None

    def _fail(self, request: Request) -> None:
        found = _parsed(request)
        wanted = found if isinstance(found, list) else [found]
        try:
            faults = [_fault(each) for each in wanted]
        except (TypeError, ValueError) as error:
            raise bad_request(str(error)) from None
        for fault in faults:
            self._faults.add(fault)


def _fault(wanted: Any) -> Fault:  # noqa: ANN401 - JSON is of any kind
    if not isinstance(wanted, dict):
        fact = f"{wanted!r} is not a fault, as a JSON object."
        raise TypeError(fact)
    session = wanted.get("session")
    return Fault(**{**wanted, "session": session and dt.date.fromisoformat(session)})


def _of_fault(fault: Fault, times: float) -> dict[str, Any]:
    session = fault.session and fault.session.isoformat()
    return {**asdict(fault), "session": session, "times": None if times == math.inf else times}


def _session(wanted: dict[str, Any]) -> dt.date:
    try:
        return dt.date.fromisoformat(wanted["session"])
    except (KeyError, TypeError, ValueError):
        text = f'{wanted} names no session. Allowed: {{"session": "2025-01-03"}}.'
        raise bad_request(text) from None


def json_of(request: Request) -> dict[str, Any]:
    """Return the JSON object in a request's body.

    Raises:
        RefusedError: If there is none.
    """
    found = _parsed(request)
    if not isinstance(found, dict):
        text = f"{request.body[:100]!r} is not a JSON object."
        raise bad_request(text)
    return found


def _parsed(request: Request) -> Any:  # noqa: ANN401 - likewise
    try:
        return json.loads(request.body)
    except ValueError:
        text = f"{request.body[:100]!r} is not JSON."
        raise bad_request(text) from None


def _as_json(value: object) -> Reply:
    return Reply(json.dumps(value).encode())
