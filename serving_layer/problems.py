"""Errors as RFC 9457 problem details; of a dialect's paths, in the shape of that dialect."""

from __future__ import annotations

import math
import reprlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lake.alerts.destination import holds_secret, without_secrets
from lake.errors import (
    AccessError,
    AlertChangedError,
    DatabaseError,
    DatasetChangedError,
    FiblakeError,
    ForbiddenError,
    GivenUpError,
    MisuseError,
    NotAcceptableError,
    NotFoundError,
    StoreError,
    TooManyRequestsError,
    ViewError,
    code_of,
)
from serving_layer.requests import current_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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


def one_of(values: Iterable[object]) -> dict[str, Any]:
    """Return what OpenAPI tells of a text that must be one of some; our own error says which."""
    return {"enum": [str(each) for each in values]}


PROBLEMS: Final = documented(400, 404, 422, 503)
"""What routes say of the errors that they may answer with."""
CONFLICTS: Final[dict[int | str, dict[str, Any]]] = {409: PROBLEMS[400]}
"""What those say beside, where something may not be what it was."""
_TITLES: Final = {HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Entity"}
"""Where versions of Python have other phrases."""
_STATUS: Final = (
    (NotAcceptableError, HTTPStatus.NOT_ACCEPTABLE),
    (MisuseError, HTTPStatus.BAD_REQUEST),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (DatasetChangedError, HTTPStatus.CONFLICT),
    (AlertChangedError, HTTPStatus.CONFLICT),
    (ForbiddenError, HTTPStatus.FORBIDDEN),
    (TooManyRequestsError, HTTPStatus.TOO_MANY_REQUESTS),
    (AccessError, HTTPStatus.UNAUTHORIZED),
    (GivenUpError, HTTPStatus.SERVICE_UNAVAILABLE),
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
_WITHOUT_VALUE: Final = ("missing", "unexpected_keyword_argument")
_values: Final = reprlib.Repr()
_values.maxstring = _values.maxother = _LONGEST_VALUE


def problem(status: int, title: str, detail: str, hint: str = "", code: str = "") -> JSONResponse:
    """Return a problem: its kind, what is wrong here, and what to do about it.

    `code` names the error for programs, as `unknown_symbol`: see `lake.errors.code_of`; `trace`
    is that of the request, by which the log can be searched.
    """
    body = {"type": "about:blank", "title": title, "status": int(status), "detail": detail}
    if hint:
        body["hint"] = hint
    if code:
        body["code"] = code
    if trace := current_trace():
        body["trace"] = trace
    return JSONResponse(body, status_code=int(status), media_type=MEDIA_TYPE)


def refusal(scope: Scope, status: int, detail: str, hint: str = "", code: str = "") -> Response:
    """Return an error in the shape of whoever has the path that was asked for; see `problem`."""
    shapes: Mapping[str, Shape] = scope["app"].state.shapes
    told, detail = HTTPStatus(status), without_secrets(detail)
    shape = next((shapes[begin] for begin in shapes if scope["path"].startswith(begin)), None)
    if shape is None:
        return problem(told, _TITLES.get(told, told.phrase), detail, hint, code)
    whole = f"{detail.removesuffix('.')}."
    return shape(told, f"{whole} Hint: {hint}" if hint else whole)


def answer_with_problems(app: FastAPI, shapes: Mapping[str, Shape] | None = None) -> None:
    """Make every error of `app` a problem; of paths that begin as told, one of another shape.

    No handler waits for a thread, as other functions would.
    """
    app.state.shapes = shapes or {}
    app.add_exception_handler(FiblakeError, _of_fiblake)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_defect)


def status_of(error: FiblakeError) -> HTTPStatus:
    """Return the HTTP status that an error is answered with."""
    found = (status for kind, status in _STATUS if isinstance(error, kind))
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)


async def _of_fiblake(request: Request, error: Exception) -> Response:
    assert isinstance(error, FiblakeError)  # noqa: S101 - registered for it; tells mypy so
    status = status_of(error)
    part = next((part for kind, part in _PARTS if isinstance(error, kind)), None)
    if part is not None:
        _log.warning("a part failed", part=part, path=request.url.path, error=str(error))
    fact = error.fact if part is None else f"{part} failed; the server's log says why."
    answer = refusal(request.scope, status, fact, error.hint, code_of(error))
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyRequestsError):
        answer.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    return answer


async def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - likewise
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return refusal(request.scope, status, faults_of(error), "see /docs.")


def faults_of(error: RequestValidationError) -> str:
    """Return what is wrong with the parameters of a request, in one line: however much it is."""
    found = error.errors()
    faults = [_fault(each) for each in found[:_MOST_FAULTS]]
    if len(found) > _MOST_FAULTS:
        faults.append(f"and {len(found) - _MOST_FAULTS:,} more")
    return "; ".join(faults)


def _fault(fault: Mapping[str, Any]) -> str:
    """Return where a fault is, the value and what is wrong with it: however large that is."""
    where = ".".join(str(part) for part in fault["loc"][1:])
    # What is wrong with a query as a whole says itself which part of it that is. And a field that
    # is none may be a secret, by a name that is misspelt.
    is_told = fault.get("type") not in _WITHOUT_VALUE and "secret" not in fault["loc"]
    # Looked for in all of it: what is left of a long value may be the rest of a secret.
    is_told = is_told and not holds_secret(str(fault.get("input")))
    given = f"={_values.repr(fault.get('input'))}" if is_told else ""
    told = (
        f"{where}{given}: {fault['msg']}"
        if where
        else str(fault["msg"]).removeprefix("Value error, ")
    )
    return told if len(told) <= _LONGEST_FAULT else f"{told[:_LONGEST_FAULT]}..."


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - likewise
    answer = refusal(request.scope, error.status_code, str(error.detail), "see /docs.")
    answer.headers.update(error.headers or {})
    return answer


async def _of_defect(request: Request, error: Exception) -> Response:
    _log.error("request failed", path=request.url.path, exc_info=error)
    return defect(request.scope)


def defect(scope: Scope) -> Response:
    """Return what is answered where an error is one that nobody foresaw."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return refusal(scope, status, "The server failed; its log says why.")
