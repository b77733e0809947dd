"""Errors as RFC 9457 problem details; of a dialect's paths, in the shape of that dialect."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

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
    from collections.abc import Callable, Mapping

    from fastapi import FastAPI, Request
    from starlette.responses import Response
    from starlette.types import Scope

_log = structlog.get_logger(__name__)
MEDIA_TYPE: Final = "application/problem+json"
Documented = dict[int | str, dict[str, Any]]
Shape: TypeAlias = "Callable[[HTTPStatus, str], Response]"
"""Makes the answer to an error of its status, and of what is wrong and what to do about it."""


def documented(*statuses: int) -> Documented:
    """Return what a route says of the statuses of problems that it may answer with."""
    told = {"description": "A problem, RFC 9457", "content": {MEDIA_TYPE: {}}}
    return dict.fromkeys(statuses, told)


PROBLEMS: Final = documented(400, 404, 422, 503)
"""What routes say of the errors that they may answer with."""
CONFLICTS: Final[dict[int | str, dict[str, Any]]] = {409: PROBLEMS[400]}
"""What those say beside, whose answer may not be what it was."""
_TITLES: Final = {HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Entity"}
"""Where versions of Python have other phrases."""
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


def problem(status: int, title: str, detail: str, hint: str = "") -> JSONResponse:
    """Return a problem: its kind, what is wrong here, and what to do about it."""
    body = {"type": "about:blank", "title": title, "status": int(status), "detail": detail}
    if hint:
        body["hint"] = hint
    return JSONResponse(body, status_code=int(status), media_type=MEDIA_TYPE)


def refusal(scope: Scope, status: int, detail: str, hint: str = "") -> Response:
    """Return an error in the shape of whoever has the path that was asked for."""
    shapes: Mapping[str, Shape] = scope["app"].state.shapes
    told = HTTPStatus(status)
    shape = next((shapes[begin] for begin in shapes if scope["path"].startswith(begin)), None)
    if shape is None:
        return problem(told, _TITLES.get(told, told.phrase), detail, hint)
    whole = f"{detail.removesuffix('.')}."
    return shape(told, f"{whole} Hint: {hint}" if hint else whole)


def answer_with_problems(app: FastAPI, shapes: Mapping[str, Shape] | None = None) -> None:
    """Make every error of `app` a problem; of paths that begin as told, one of another shape."""
    app.state.shapes = shapes or {}
    app.add_exception_handler(FiblakeError, _of_fiblake)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_defect)


def faults_of(error: RequestValidationError) -> str:
    """Return what is wrong with the parameters of a request, in one line."""
    return "; ".join(map(_fault, error.errors()))


def _fault(told: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in told["loc"][1:])
    # What is wrong with a query as a whole says itself which part of it that is.
    if not where:
        return str(told["msg"]).removeprefix("Value error, ")
    given = "" if told["type"] == "missing" else f"={told.get('input')!r}"
    return f"{where}{given}: {told['msg']}"


def _of_fiblake(request: Request, error: Exception) -> Response:
    assert isinstance(error, FiblakeError)  # noqa: S101 - registered for it; tells mypy so
    found = (status for kind, status in _STATUS if isinstance(error, kind))
    status = next(found, HTTPStatus.INTERNAL_SERVER_ERROR)
    answer = refusal(request.scope, status, error.fact, error.hint)
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyRequestsError):
        answer.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    return answer


def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - likewise
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return refusal(request.scope, status, faults_of(error), "see /docs.")


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - likewise
    answer = refusal(request.scope, error.status_code, str(error.detail), "see /docs.")
    answer.headers.update(error.headers or {})
    return answer


def _of_defect(request: Request, error: Exception) -> Response:
    _log.error("request failed", path=request.url.path, exc_info=error)
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return refusal(request.scope, status, "The server failed; its log says why.")
