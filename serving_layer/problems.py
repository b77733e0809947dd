"""Errors as RFC 9457 problem details."""

from __future__ import annotations

import math
import reprlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lake.errors import (
    AccessError,
    DatabaseError,
    DatasetChangedError,
    FiblakeError,
    ForbiddenError,
    MisuseError,
    NotAcceptableError,
    NotFoundError,
    StoreError,
    TooManyRequestsError,
    ViewError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fastapi import FastAPI, Request
    from starlette.responses import Response

_log = structlog.get_logger(__name__)
MEDIA_TYPE: Final = "application/problem+json"
Documented = dict[int | str, dict[str, Any]]


def documented(*statuses: int) -> Documented:
    """Return what a route says of the statuses of problems that it may answer with."""
    told = {"description": "A problem, RFC 9457", "content": {MEDIA_TYPE: {}}}
    return dict.fromkeys(statuses, told)


def one_of(values: Iterable[object]) -> dict[str, Any]:
    """Return what OpenAPI tells of a text that must be one of some; our own error says which."""
    return {"enum": [str(each) for each in values]}


PROBLEMS: Final = documented(400, 404, 422, 503)
"""What routes say of the errors that they may answer with."""
CONFLICTS: Final[dict[int | str, dict[str, Any]]] = {409: PROBLEMS[400]}
"""What those say beside, whose answer may not be what it was."""
_STATUS: Final = (
    (NotAcceptableError, HTTPStatus.NOT_ACCEPTABLE),
    (MisuseError, HTTPStatus.BAD_REQUEST),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (DatasetChangedError, HTTPStatus.CONFLICT),
    (ForbiddenError, HTTPStatus.FORBIDDEN),
    (TooManyRequestsError, HTTPStatus.TOO_MANY_REQUESTS),
    (AccessError, HTTPStatus.UNAUTHORIZED),
    (DatabaseError, HTTPStatus.SERVICE_UNAVAILABLE),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ViewError, HTTPStatus.SERVICE_UNAVAILABLE),
)
_PARTS: Final = (
    (DatabaseError, "The database of keys"),
    (StoreError, "The store of the lake"),
    (ViewError, "The realtime view"),
)
"""What nobody but who runs the server needs to know more of: its error says where it is."""
_MOST_FAULTS: Final = 20
_LONGEST_VALUE: Final = 80
_LONGEST_FAULT: Final = 400
_values: Final = reprlib.Repr()
_values.maxstring = _values.maxother = _LONGEST_VALUE


def problem(status: int, title: str, detail: str, hint: str = "") -> JSONResponse:
    """Return a problem: its kind, what is wrong here, and what to do about it."""
    body = {"type": "about:blank", "title": title, "status": int(status), "detail": detail}
    if hint:
        body["hint"] = hint
    return JSONResponse(body, status_code=int(status), media_type=MEDIA_TYPE)


def answer_with_problems(app: FastAPI) -> None:
    """Make every error of `app` a problem; none waits for a thread, as other functions would."""
    app.add_exception_handler(FiblakeError, _of_fiblake)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_defect)


async def _of_fiblake(request: Request, error: Exception) -> Response:
    assert isinstance(error, FiblakeError)  # noqa: S101 - registered for it; tells mypy so
    found = (status for kind, status in _STATUS if isinstance(error, kind))
    status = next(found, HTTPStatus.INTERNAL_SERVER_ERROR)
    part = next((part for kind, part in _PARTS if isinstance(error, kind)), None)
    if part is not None:
        _log.warning("a part failed", part=part, path=request.url.path, error=str(error))
    fact = error.fact if part is None else f"{part} failed; the server's log says why."
    answer = problem(status, status.phrase, fact, error.hint)
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyRequestsError):
        answer.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    return answer


async def _of_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - likewise
    found = error.errors()
    faults = [_fault(each) for each in found[:_MOST_FAULTS]]
    if len(found) > _MOST_FAULTS:
        faults.append(f"and {len(found) - _MOST_FAULTS:,} more")
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return problem(status, "Unprocessable Entity", "; ".join(faults), "see /docs.")


def _fault(fault: Mapping[str, Any]) -> str:
    """Return where a fault is, the value and what is wrong with it: however large that is."""
    where = ".".join(str(part) for part in fault["loc"][1:])
    told = f"{where}={_values.repr(fault.get('input'))}: {fault['msg']}"
    return told if len(told) <= _LONGEST_FAULT else f"{told[:_LONGEST_FAULT]}..."


async def _of_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - likewise
    status = HTTPStatus(error.status_code)
    answer = problem(status, status.phrase, str(error.detail), "see /docs.")
    answer.headers.update(error.headers or {})
    return answer


async def _of_defect(request: Request, error: Exception) -> Response:
    _log.error("request failed", path=request.url.path, exc_info=error)
    return defect()


def defect() -> JSONResponse:
    """Return the problem that an error is which nobody foresaw."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return problem(status, status.phrase, "The server failed; its log says why.")
