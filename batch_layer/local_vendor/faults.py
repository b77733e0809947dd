"""Faults on command: which requests fail, how, and how often.

before an answer is made      throttled, error, html, unauthorized, not_in_plan, not_ended
of an answer that was made    slow, reset, truncated, cut, wrong_count, repeated_page
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, TypedDict, get_args

if TYPE_CHECKING:
    import datetime as dt

    from batch_layer.local_vendor.messages import Request

FaultKind = Literal[
    "throttled",  # 429 with Retry-After; of flat files, 503 SlowDown
    "error",  # `status`: 500, 502, 503 ...
    "html",  # 200, and a page of HTML
    "unauthorized",  # 401: the key is unknown
    "not_in_plan",  # 403: the plan does not include it
    "not_ended",  # 403: today's data before the end of day; of flat files, 404
    "slow",  # the body takes `seconds`
    "reset",  # the connection is reset after `after` bytes of the body
    "truncated",  # gzip that ends after `after` bytes, as if that were all
    "cut",  # likewise JSON or CSV, without gzip
    "wrong_count",  # a count that disagrees with the rows
    "repeated_page",  # next_url asks for the same page again
]


class How(TypedDict, total=False):
    """What may be told of a fault, besides its kind; see `Fault`."""

    path: str
    session: dt.date | None
    times: int | None
    retry_after: int | None
    as_date: bool
    status: int
    seconds: float
    after: int | None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to go wrong.

    Attributes:
        kind: How.
        path: A regular expression searched for in the path and query; empty: any.
        session: Only requests whose path or query names this date; None: any.
        times: Of how many requests; None: of all until faults are cleared.
        retry_after: Seconds that `throttled` and `error` tell to wait; None: nothing is told.
        as_date: Whether they tell it as an HTTP date.
        status: Of `error`.
        seconds: Of `slow`.
        after: Bytes of `reset`, `truncated` and `cut`; None: half of the body.

    Raises:
        ValueError: If one of them cannot be.
    """

    kind: FaultKind
    path: str = ""
    session: dt.date | None = None
    times: int | None = 1
    retry_after: int | None = None
    as_date: bool = False
    status: int = 503
    seconds: float = 1
    after: int | None = None

    def __post_init__(self) -> None:
        """Check what was asked for."""
        if self.kind not in get_args(FaultKind):
            fact = f"{self.kind!r} is not a fault. Allowed: {', '.join(get_args(FaultKind))}."
            raise ValueError(fact)
        if self.times is not None and self.times < 1:
            fact = f"{self.times} times cannot be. Allowed: 1 and more, or none for always."
            raise ValueError(fact)
        HTTPStatus(self.status)
        try:
            re.compile(self.path)
        except re.error as error:
            fact = f"{self.path!r} is not a regular expression: {error}."
            raise ValueError(fact) from None

    def strikes(self, request: Request) -> bool:
        """Return whether it is of this request."""
        text = f"{request.path}?{request.query_text}"
        if self.session is not None and self.session.isoformat() not in text:
            return False
        return re.search(self.path, text) is not None


class Faults:
    """The faults that are still to come, in the order in which they were told of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: list[tuple[Fault, float]] = []

    def add(self, fault: Fault) -> None:
        """Let the next requests of a fault fail."""
        times = float("inf") if fault.times is None else fault.times
        with self._lock:
            self._left.append((fault, times))

    def clear(self) -> None:
        """Let no request fail any more."""
        with self._lock:
            self._left.clear()

    def take(self, request: Request) -> Fault | None:
        """Return the first fault that is of a request, once less from now on."""
        with self._lock:
            for place, (fault, times) in enumerate(self._left):
                if fault.strikes(request):
                    self._left[place] = (fault, times - 1)
                    if times <= 1:
                        del self._left[place]
                    return fault
        return None

    def left(self) -> list[tuple[Fault, float]]:
        """Return the faults still to come, and of how many requests each is."""
        with self._lock:
            return list(self._left)
