"""Errors as RFC 9457 problem details."""

from __future__ import annotations

import math
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
    code_of,
)

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from starlette.responses import Response

_log = structlog.get_logger(__name__)
MEDIA_TYPE: Final = "application/problem+json"
Documented = dict[int | str, dict[str, Any]]


def documented(*statuses: int) -> Documented:
    """Return what a route says of the statuses of problems that it may answer with."""
    told = {"description": "A problem, RFC 9457", "content": {MEDIA_TYPE: {}}}
    return dict.fromkeys(statuses, told)


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


def problem(status: int, title: str, detail: str, hint: str = "", code: str = "") -> JSONResponse:
    """Return a problem: its kind, what is wrong here, and what to do about it.

    `code` names the error for programs, as `unknown_symbol`: see `lake.errors.code_of`.
    """
    body = {"type": "about:blank", "title": title, "status": int(status), "detail": detail}
    if hint:
        body["hint"] = hint
    if code:
        body["code"] = code
    return JSONResponse(body, status_code=int(status), media_type=MEDIA_TYPE)


def answer_with_problems(app: FastAPI) -> None:
    """Make every error of `app` a problem."""
    app.add_exception_handler(FiblakeError, _of_fiblake)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_defect)


def _of_fiblake(_: Request, error: Exception) -> Response:
    assert isinstance(error, FiblakeError)  # noqa: S101 - registered for it; tells mypy so
    found = (status for kind, status in _STATUS if isinstance(error, kind))
    status = next(found, HTTPStatus.INTERNAL_SERVER_ERROR)
    answer = problem(status, status.phrase, error.fact, error.hint, code_of(error))
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyRequestsError):
        answer.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    return answer


def _of_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - likewise
    faults = [
        f"{'.'.join(str(part) for part in fault['loc'][1:])}={fault.get('input')!r}: {fault['msg']}"
        for fault in error.errors()
    ]
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return problem(status, "Unprocessable Entity", "; ".join(faults), "see /docs.")


def _of_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - likewise
    status = HTTPStatus(error.status_code)
    answer = problem(status, status.phrase, str(error.detail), "see /docs.")
    answer.headers.update(error.headers or {})
    return answer


def _of_defect(request: Request, error: Exception) -> Response:
    _log.error("request failed", path=request.url.path, exc_info=error)
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return problem(status, status.phrase, "The server failed; its log says why.")
