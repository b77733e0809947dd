"""The whole system in one process, on one machine."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import uvicorn

from fiblake.address import cannot_listen, in_url
from serving_layer.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fiblake.lake import Lake


def serve(lake: Lake, *, host: str, port: int, on_start: Callable[[str], None]) -> None:
    """Serve a lake over HTTP until it is interrupted.

    Args:
        lake: What to serve.
        host: The address to listen on.
        port: The port; 0: any free one.
        on_start: Called with the page's URL once the port is taken.

    Raises:
        MisuseError: If the address or the port cannot be had.
    """
    app = create_app(lake.reader)
    with _listen(host, port) as listener:
        on_start(f"http://{in_url(host)}:{listener.getsockname()[1]}/")
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        with _kept_warm(lake), suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


@contextmanager
def _kept_warm(lake: Lake) -> Iterator[None]:
    """Keep local copies of silver, beside what is served."""
    stop = threading.Event()
    keeper = threading.Thread(target=lake.reader.keep_warm, args=(stop,), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise cannot_listen(host, port, error) from None
