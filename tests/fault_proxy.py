"""A server in front of AWS's or one like it: it counts the requests, and lets some of them fail.

boto3, DuckDB ──► FaultProxy ──► moto
                      │
                      └ answers an error itself, or cuts an answer short

proxy.fail(SLOW_DOWN, times=3, when=lambda request: request.kind == "PUT")
...
proxy.counts["LIST"]
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Final, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

Kind = Literal["LIST", "GET", "HEAD", "PUT", "START", "PART", "COMPLETE", "ABORT", "OTHER"]
_HOP_BY_HOP: Final = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a test tells it from others.

    Attributes:
        kind: What is asked: `START`, `PART`, `COMPLETE` and `ABORT` are of an upload in parts.
        key: The object's key, with the lake's prefix; a listing's prefix.
        by: Who asks: DuckDB, or boto3.
        key_id: The id of the access key that signed it.
        conditional: Whether it has an If-Match or If-None-Match.
        operation: Of DynamoDB, as `PutItem`.
    """

    kind: Kind
    key: str
    by: Literal["duckdb", "boto3"]
    key_id: str
    conditional: bool
    operation: str


def by_boto3(request: Request) -> bool:
    """Return whether boto3 asks."""
    return request.by == "boto3"


def by_duckdb(request: Request) -> bool:
    """Return whether DuckDB asks."""
    return request.by == "duckdb"


@dataclass(frozen=True, slots=True)
class Answer:
    """An error, answered in place of the S3 server."""

    status: HTTPStatus
    code: str

    def body(self) -> bytes:
        """Return it as S3 writes it."""
        text = f"<Error><Code>{self.code}</Code><Message>So says the test.</Message></Error>"
        return f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """An answer in place of DynamoDB's."""

    status: HTTPStatus
    told: Mapping[str, object]

    @classmethod
    def error(cls, status: HTTPStatus, code: str) -> Self:
        """Return an error as DynamoDB tells it."""
        return cls(status, {"__type": f"com.amazonaws.dynamodb#{code}", "message": "So be it."})

    def body(self) -> bytes:
        """Return it as DynamoDB writes it."""
        return json.dumps(self.told).encode()


@dataclass(frozen=True, slots=True)
class Cut:
    """The request is done, but the connection ends after so many bytes of the answer's body.

    After -1 bytes, not even a status is answered.
    """

    after: int


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Something else happens first; then the request is done."""

    event: Callable[[], object]


Fault = Answer | JsonAnswer | Cut | Meanwhile

SLOW_DOWN: Final = Answer(HTTPStatus.SERVICE_UNAVAILABLE, "SlowDown")
EXPIRED: Final = Answer(HTTPStatus.BAD_REQUEST, "ExpiredToken")
DENIED: Final = Answer(HTTPStatus.FORBIDDEN, "AccessDenied")
INVALID: Final = Answer(HTTPStatus.FORBIDDEN, "InvalidAccessKeyId")


@dataclass(slots=True)
class _Fault:
    how: Fault
    when: Callable[[Request], bool]
    left: float


class FaultProxy:
    """The server, in threads of this process; leaving the block ends it.

    Attributes:
        url: Where it listens.
        seen: The requests so far, those that failed included.
    """

    def __init__(self, upstream: str) -> None:
        proxy = self

        class Handler(_Handler):
            of = proxy

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._lock = threading.Lock()
        self._faults: list[_Fault] = []
        self.upstream = urlsplit(upstream).netloc
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.seen: list[Request] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def counts(self) -> Counter[Kind]:
        """How many requests there were of each kind."""
        return Counter(request.kind for request in self.seen)

    def forget(self) -> None:
        """Begin to count anew."""
        self.seen.clear()

    def fail(
        self,
        how: Fault,
        *,
        times: float = 1,
        when: Callable[[Request], bool] = lambda _: True,
    ) -> None:
        """Let the next requests `when` this is true fail, `times` of them (`inf`: all)."""
        with self._lock:
            self._faults.append(_Fault(how, when, times))

    @property
    def pending(self) -> float:
        """How many requests are still to fail."""
        return sum(fault.left for fault in self._faults)

    def heal(self) -> None:
        """Let no request fail any more."""
        with self._lock:
            self._faults.clear()

    def fault_of(self, request: Request) -> Fault | None:
        """Note a request, and return how it fails."""
        with self._lock:
            self.seen.append(request)
            for fault in self._faults:
                if fault.left > 0 and fault.when(request):
                    fault.left -= 1
                    return fault.how
        return None


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that was killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    of: ClassVar[FaultProxy]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.of.fault_of(_request(self.command, self.path, self.headers))
        if isinstance(fault, Answer | JsonAnswer):
            self._answer(fault.status, {"Content-Type": "application/xml"}, fault.body())
            return
        if isinstance(fault, Meanwhile):
            fault.event()
        connection = http.client.HTTPConnection(self.of.upstream, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name != "Expect"}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content, cut = answer.read(), fault.after if isinstance(fault, Cut) else None
        connection.close()
        length = answer.headers.get("Content-Length") if self.command == "HEAD" else None
        self._answer(HTTPStatus(answer.status), answer.headers, content, length=length, cut=cut)

    def _answer(
        self,
        status: HTTPStatus,
        headers: Mapping[str, str] | Message,
        content: bytes,
        *,
        length: str | None = None,
        cut: int | None = None,
    ) -> None:
        self.close_connection = cut is not None
        if cut == -1:
            return
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:cut])

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _request(method: str, path: str, headers: Message) -> Request:
    url = urlsplit(path)
    query = parse_qs(url.query, keep_blank_values=True)
    kind = _kind(method, query)
    _, _, key = unquote(url.path).removeprefix("/").partition("/")
    signed = (headers.get("Authorization") or "").partition("Credential=")[2]
    return Request(
        kind=kind,
        key=query.get("prefix", [""])[0] if kind == "LIST" else key,
        by="duckdb" if "duckdb" in (headers.get("User-Agent") or "").lower() else "boto3",
        key_id=signed.partition("/")[0],
        conditional="If-Match" in headers or "If-None-Match" in headers,
        operation=(headers.get("X-Amz-Target") or "").partition(".")[2],
    )


def _kind(method: str, query: Mapping[str, list[str]]) -> Kind:
    kinds: dict[tuple[str, str], Kind] = {
        ("GET", "list-type"): "LIST",
        ("PUT", "partNumber"): "PART",
        ("POST", "uploads"): "START",
        ("POST", "uploadId"): "COMPLETE",
        ("DELETE", "uploadId"): "ABORT",
    }
    plain: dict[str, Kind] = {"GET": "GET", "HEAD": "HEAD", "PUT": "PUT"}
    found = (kind for (verb, name), kind in kinds.items() if verb == method and name in query)
    return next(found, "OTHER" if "uploads" in query else plain.get(method, "OTHER"))
