"""A server in front of a Kinesis server, of requests in JSON: it lets some of them fail.

proxy.refuse("GetRecords", "ExpiredIteratorException", times=2)
proxy.throttle(lambda record: record["PartitionKey"] == "AAPL", times=3)
...
proxy.requests("PutRecords")
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

Document = dict[str, Any]
_THROTTLED = "ProvisionedThroughputExceededException"


@dataclass(slots=True)
class _Refusal:
    action: str
    code: str
    left: float
    after: int


@dataclass(slots=True)
class _Throttle:
    when: Callable[[Document], bool]
    left: float


class KinesisProxy:
    """The server, in threads of this process; leaving the block ends it.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, upstream: str) -> None:
        proxy = self

        class Handler(_Handler):
            of = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._lock = threading.Lock()
        self._seen: list[tuple[str, Document]] = []
        self._refusals: list[_Refusal] = []
        self._throttles: list[_Throttle] = []
        self.upstream = urlsplit(upstream).netloc
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def refuse(self, action: str, code: str, *, times: float = 1, after: int = 0) -> None:
        """Let the next requests of an action fail, `times` of them, `after` so many that pass."""
        with self._lock:
            self._refusals.append(_Refusal(action, code, times, after))

    def throttle(self, when: Callable[[Document], bool], *, times: float = 1) -> None:
        """Let the next records `when` this is true fail among those of a `PutRecords`."""
        with self._lock:
            self._throttles.append(_Throttle(when, times))

    def heal(self) -> None:
        """Let nothing fail any more."""
        with self._lock:
            self._refusals.clear()
            self._throttles.clear()

    def requests(self, action: str) -> list[Document]:
        """Return the requests of an action so far, those that failed included."""
        with self._lock:
            return [body for name, body in self._seen if name == action]

    def refusal_of(self, action: str, body: Document) -> str | None:
        """Note a request, and return the code with which it fails."""
        with self._lock:
            self._seen.append((action, body))
            for refusal in self._refusals:
                if refusal.action != action or refusal.left <= 0:
                    continue
                if refusal.after > 0:
                    refusal.after -= 1
                    continue
                refusal.left -= 1
                return refusal.code
        return None

    def is_throttled(self, record: Document) -> bool:
        """Return whether a record fails."""
        with self._lock:
            for throttle in self._throttles:
                if throttle.left > 0 and throttle.when(record):
                    throttle.left -= 1
                    return True
        return False


class _Handler(BaseHTTPRequestHandler):
    of: ClassVar[KinesisProxy]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        action = self.headers["X-Amz-Target"].partition(".")[2]
        body = json.loads(content)
        code = self.of.refusal_of(action, body)
        if code:
            self._answer(400, json.dumps({"__type": code, "message": "So says the test."}).encode())
        elif action == "PutRecords":
            self._put(body)
        else:
            self._answer(*self._ask(body))

    def _put(self, body: Document) -> None:
        """Pass on the records that are not throttled, and tell of all."""
        throttled = [self.of.is_throttled(record) for record in body["Records"]]
        passed = [record for record, no in zip(body["Records"], throttled, strict=True) if not no]
        status, answer = 200, b'{"Records": [], "FailedRecordCount": 0}'
        if passed:
            status, answer = self._ask({**body, "Records": passed})
        if status == 200:
            told = iter(json.loads(answer)["Records"])
            failure = {"ErrorCode": _THROTTLED, "ErrorMessage": "Rate exceeded for shard."}
            records = [failure if no else next(told) for no in throttled]
            count = sum(1 for record in records if record.get("ErrorCode"))
            answer = json.dumps({"Records": records, "FailedRecordCount": count}).encode()
        self._answer(status, answer)

    def _ask(self, body: Document) -> tuple[int, bytes]:
        """Return what the server answers; where it is gone, nothing is answered."""
        connection = http.client.HTTPConnection(self.of.upstream, timeout=60)
        names = ("Content-Type", "X-Amz-Target", "X-Amz-Date", "Authorization")
        headers = {name: self.headers[name] for name in names}
        try:
            connection.request("POST", "/", json.dumps(body).encode(), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def _answer(self, status: int, content: bytes) -> None:
        if not status:
            self.close_connection = True
            return
        self.send_response_only(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
