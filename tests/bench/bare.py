"""The floor of what serves: one route that answers each path with as many bytes as it is told."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response


def bare_app(sizes: dict[str, int]) -> FastAPI:
    """Return the app.

    Args:
        sizes: How many bytes each path is answered with.
    """
    app = FastAPI()
    most = b"x" * max(sizes.values())

    @app.get("/{rest:path}")
    async def answer(rest: str, request: Request) -> Response:
        path = f"/{rest}?{request.url.query}".rstrip("?")
        return Response(most[: sizes[path]], media_type="application/json")

    return app


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as _listener:
        _listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _app = bare_app(json.loads(Path(sys.argv[1]).read_text("utf-8")))
        # What is listened on takes connections already, and those that ask wait for their answers.
        sys.stderr.write(f"serves http://127.0.0.1:{_listener.getsockname()[1]}/\n")
        uvicorn.Server(uvicorn.Config(_app, log_level="warning")).run(sockets=[_listener])
