"""The endpoint for whoever watches a process: its health, and what it measures.

/health/live and /health/ready answer 200 or 503, and JSON; /metrics as Prometheus reads it. It is
for the network of those who run the system, on a port of its own, and asks for no key.
"""

from __future__ import annotations

import json
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import structlog

from lake.errors import MisuseError
from lake.measuring import CONTENT_TYPE

if TYPE_CHECKING:
    from lake.measuring import Measures
    from lake.settings import Settings

_POLL_S: Final = 0.05
_PATIENCE_S: Final = 10.0
_log = structlog.get_logger(__name__)


class Health(Protocol):
    """How a service is; asked from any thread."""

    @property
    def is_live(self) -> bool:
        """Whether it runs."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether it does what it is there for."""
        ...

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        ...


class HealthServer:
    """Answers while it is entered.

    Args:
        health: What it tells.
        host: The address to listen on.
        port: The port; 0: any free one.
        measures: What it measures; None: it has no /metrics.

    Raises:
        OSError: If the address or the port cannot be had.
    """

    def __init__(
        self,
        health: Health,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        measures: Measures | None = None,
    ) -> None:
        self._server = _Server((host, port), _Handler)
        self._server.health, self._server.measures = health, measures
        self.url = f"http://{host}:{self._server.server_port}"

    def __enter__(self) -> Self:
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(_POLL_S,), name="health", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def health_served(
    health: Health, settings: Settings, measures: Measures | None = None
) -> AbstractContextManager[object]:
    """Return what answers while it is entered, where a port is set for it.

    Raises:
        MisuseError: If the address or the port cannot be had.
    """
    host, port = settings.health_host, settings.health_port
    if port is None:
        return nullcontext()
    try:
        return HealthServer(health, host, port, measures=measures)
    except OSError as error:
        fact = f"FIBLAKE_HEALTH_PORT={port} cannot be had on {host}: {error.strerror}."
        raise MisuseError(
            fact, hint="each service on one machine needs a port of its own."
        ) from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    health: Health
    measures: Measures | None

    def handle_error(self, *_: object) -> None:
        """Log in the form of all logs what went wrong here, and nothing of who has gone."""
        if not isinstance(sys.exception(), OSError):
            _log.exception("a question of how it is was not answered")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    # Of who says nothing: a thread waits for each.
    timeout = _PATIENCE_S

    def do_GET(self) -> None:
        health, measures = self.server.health, self.server.measures
        if self.path == "/metrics" and measures is not None:
            self._answer(measures.text(), CONTENT_TYPE)
        elif self.path in {"/health/live", "/health/ready"}:
            is_well = health.is_live if self.path == "/health/live" else health.is_ready
            body = json.dumps(health.document()).encode()
            self._answer(body, "application/json", is_well=is_well)
        else:
            allowed = "/health/live, /health/ready" + (", /metrics" if measures else "")
            self.send_error(HTTPStatus.NOT_FOUND, f"Allowed: {allowed}")

    def _answer(self, body: bytes, form: str, *, is_well: bool = True) -> None:
        self.send_response(HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE)
        self.send_header("Content-Type", form)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the answer says it all."""
