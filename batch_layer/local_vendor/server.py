"""The HTTP server: threads of this process, HTTP/1.1, connections that are kept open.

The standard library's, since faults need the connection itself: to reset it amid a body.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from batch_layer.local_vendor.messages import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_layer.local_vendor.messages import Reply

_PIECES: Final = 20
_RESET: Final = struct.pack("ii", 1, 0)


class Server(ThreadingHTTPServer):
    """A server whose every request one function answers.

    Args:
        host: The address to listen on.
        port: The port; 0: any free one.
        answer: Returns what answers a request.
        number: Returns the number of a request to this path.

    Raises:
        OSError: If the address or the port cannot be had.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        host: str,
        port: int,
        answer: Callable[[Request], Reply],
        number: Callable[[str], int],
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)
        self.answer = answer
        self.number = number
        self.closing = threading.Event()
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self.server_port}"

    def shutdown(self) -> None:
        """Take no more requests; those that are answered slowly end now."""
        self.closing.set()
        super().shutdown()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type] # as it came


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "fiblake-vendor"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        request = Request(
            number=self.server.number(path),
            method=self.command,
            path=path,
            query_text=query,
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers={name.lower(): text for name, text in self.headers.items()},
            body=body,
        )
        self._send(self.server.answer(request))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        if reply.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.body)))
        for name, text in reply.headers.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(reply)
        self.wfile.flush()

    def _send_body(self, reply: Reply) -> None:
        end = reply.delivery.reset_after
        body = reply.body[:end]
        if reply.delivery.seconds:
            size = max(len(body) // _PIECES, 1)
            pause = reply.delivery.seconds * size / max(len(body), 1)
            for first in range(0, len(body), size):
                self.wfile.write(body[first : first + size])
                self.wfile.flush()
                if self.server.closing.wait(pause):
                    break
        else:
            self.wfile.write(body)
        if end is not None:
            self._reset()

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()
        self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Say nothing: the vendor keeps a log of its own."""
