"""How a vendor is asked over HTTP: paced, with time limits, again while faults pass.

It stands in for the connection pool of the vendor's own client, which would lose status and
headers, wait for ever, and hide from our pace how long the vendor asked to be left alone. Each
answer other than 200 is one of our errors.
"""

from __future__ import annotations

import random
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import certifi
import structlog
import urllib3

from batch_layer.vendors.http_faults import (
    LONGEST_RETRY_AFTER_S,
    Passing,
    is_page,
    nobody,
    origin,
    refusal,
    stranger,
    without_keys,
)
from lake.clock import SystemClock
from lake.errors import VendorUnreachableError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from batch_layer.vendors.pace import Pace
    from lake.clock import Clock

_log = structlog.get_logger(__name__)
_CONNECT_S: Final = 10.0
_READ_S: Final = 60.0
# Of a whole answer, however steadily it trickles.
_ANSWER_S: Final = 600.0
_PIECE_BYTES: Final = 1 << 18
FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
# While nobody has ever answered: then it is the address or the network, which do not pass.
_FIRST_ATTEMPTS: Final = 3
_OK: Final = 200
_NOT_SENT: Final = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
_FAULTS: Final = (urllib3.exceptions.HTTPError, OSError)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer with status 200, as the official client takes it.

    Attributes:
        status: 200.
        headers: Its headers.
        data: Its body, unpacked; keys in URLs are masked.
        url: What was asked for, keys masked.
        at: When it had come, UTC.
    """

    status: int
    headers: Mapping[str, str]
    data: bytes
    url: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Transport:
    """Asks one vendor, for any number of threads.

    Attributes:
        vendor: Its name, for messages.
        pace: How fast it may be asked.
        attempts: How often it is asked for one thing.
        key_hint: What to do where it refuses the key.
        clock: Tells the present.
        first_pause_s: Up to how long the first pause between attempts is; the next, up to twice it.
        jitter: Returns a number in [0, 1).
    """

    vendor: str
    pace: Pace
    attempts: int
    key_hint: str = ""
    clock: Clock = field(default_factory=SystemClock)
    first_pause_s: float = FIRST_PAUSE_S
    jitter: Callable[[], float] = random.random
    _pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(
            maxsize=64, ca_certs=certifi.where(), retries=False
        ),
        repr=False,
    )
    _answered: threading.Event = field(default_factory=threading.Event, repr=False)

    def request(
        self,
        method: str,
        url: str,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Return the answer to a request, asked again while faults pass.

        Raises:
            VendorKeyError: If the vendor refuses the key.
            VendorRefusedError: If its plan does not include what was asked for.
            VendorUnreachableError: If nobody answered at any attempt, or someone else did.
            VendorUnavailableError: If the vendor failed, or asked to slow down, each time.
            VendorNotFoundError: If it knows nothing of what was asked for.
            VendorAnswerError: If it does not understand the request.
            StoppedError: If the pace was stopped.
        """
        tried = 0
        while True:
            self.pace.wait()
            try:
                return self._asked(method, url, fields, headers)
            except Passing as fault:
                tried += 1
                if tried >= self._most(fault) or fault.after_s > LONGEST_RETRY_AFTER_S:
                    raise fault.error(tried) from None
                _log.info("asked again", vendor=self.vendor, why=fault.why, tried=tried)
                self._rest(fault, tried)

    def _most(self, fault: Passing) -> int:
        is_start = isinstance(fault.last, VendorUnreachableError) and not self._answered.is_set()
        return min(self.attempts, _FIRST_ATTEMPTS) if is_start else self.attempts

    def _rest(self, fault: Passing, tried: int) -> None:
        limit_s: float = min(self.first_pause_s * 2 ** (tried - 1), _LONGEST_PAUSE_S)
        # Half of it at least: were pauses to shrink to nothing, attempts would be used up at once.
        pause_s = fault.after_s + limit_s * (1 + self.jitter()) / 2
        if fault.for_all:
            self.pace.pause(pause_s)
        else:
            self.pace.sleep(pause_s)

    def _asked(
        self,
        method: str,
        url: str,
        fields: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> Reply:
        try:
            answer = self._pool.request(
                method,
                url,
                fields=fields,
                headers=headers,
                timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S),
                redirect=False,
                preload_content=False,
            )
            body = _body(answer)
        except urllib3.exceptions.LocationValueError as error:
            raise nobody(self.vendor, url, error) from None
        except _FAULTS as error:
            if isinstance(error, _NOT_SENT):
                self.pace.give_back()
            raise Passing(nobody(self.vendor, url, error), why=type(error).__name__) from None
        now = self.clock.now()
        if answer.status != _OK:
            raise refusal(
                self.vendor,
                url,
                answer.status,
                answer.headers,
                body,
                now=now,
                key_hint=self.key_hint,
            )
        if is_page(body):
            raise Passing(stranger(self.vendor, url), why="a web page")
        self._answered.set()
        asked = without_keys((answer.geturl() or url).encode()).decode()
        absolute = asked if "://" in asked else f"{origin(url)}{asked}"
        return Reply(answer.status, answer.headers, without_keys(body), absolute, now)


def _body(answer: urllib3.BaseHTTPResponse) -> bytes:
    """Return the whole body of an answer, if it comes in time."""
    until = time.monotonic() + _ANSWER_S
    pieces = []
    with closing(answer):
        while piece := answer.read1(_PIECE_BYTES, decode_content=True):
            pieces.append(piece)
            if time.monotonic() > until:
                raise urllib3.exceptions.TimeoutError
        # Back to the pool, before it is closed.
        answer.release_conn()
    return b"".join(pieces)
