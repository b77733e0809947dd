"""What listens on an address."""

from __future__ import annotations

import socket

import pytest

from fiblake.address import listen
from lake.errors import MisuseError


def test_what_is_answered_is_sent_at_once() -> None:
    with (
        listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        assert 0 != connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_is_taken_is_told() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MisuseError, match=f"Cannot listen on 127.0.0.1, port {port}"):
            listen("127.0.0.1", port)
