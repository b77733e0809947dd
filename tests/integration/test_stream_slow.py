"""Who is slow, stalled or mad, beside others who are not."""

from __future__ import annotations

import base64
import itertools
import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiblake import Lake
from serving_layer.auth.buckets import Rate
from speed_layer.views import MemoryView
from tests.live import NO_BARS, price, prices_of
from tests.streaming import PATIENCE_S, Client, streaming

SYMBOLS = 500
TOO_SLOW = struct.pack(">H", 4008) + b"Too slow: nothing was taken for 1 s."
MOST = 32 * 2**20
"""More than the system takes in between two of this machine."""


@pytest.fixture
def held() -> MemoryView:
    return MemoryView()


def put(view: MemoryView, version: int) -> None:
    view.put(NO_BARS, prices_of(*[price(f"S{n}", version) for n in range(SYMBOLS)]))


def knows(price: float, client: Client) -> bool:
    return client.price("S7") == price


class Raw:
    """A connection by its bytes, that reads nothing unless it is asked to."""

    def __init__(self, host: str) -> None:
        name, port = host.split(":")
        self.socket = socket.socket()
        # The system must not take in for it what it does not read.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect((name, int(port)))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /v1/stream HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(1)
        assert b" 101 " in answer

    def send(self, payload: bytes, opcode: int = 1) -> None:
        """Send one frame, masked by nothing."""
        size = len(payload)
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        self.socket.sendall(head + bytes(4) + payload)

    def until(self, end: bytes) -> bytes:
        """Return all that comes until something does."""
        got = bytearray()
        while end not in got[-(1 << 21) :]:
            part = self.socket.recv(1 << 20)
            assert part, got[-200:]
            got += part
        return bytes(got)


@contextmanager
def raw(host: str) -> Iterator[Raw]:
    connection = Raw(host)
    try:
        yield connection
    finally:
        connection.socket.close()


def test_a_stalled_client_is_closed_and_the_others_are_told_all(
    lake: Lake, held: MemoryView
) -> None:
    put(held, 1)
    with (
        streaming(lake, held, stalled_s=1.0) as host,
        Client(host) as client,
        raw(host) as stalled,
    ):
        stalled.send(b'{"action":"subscribe","channels":["price:*"]}')
        client.subscribe("price:*", "price:S7")
        version, begun = 1, time.monotonic()
        # Long enough to fill what lies between, and to be stalled for a second then.
        while version < 30 or time.monotonic() < begun + 3:
            version += 1
            put(held, version)
            client.until_known(partial(knows, float(version)))
        told = stalled.until(TOO_SLOW)
        last = f"S{SYMBOLS - 1}"
        client.until_known(lambda it: it.price(last, "price:*") == float(version))

    # What it had not taken was not kept for it, but for some hundred KiB.
    assert len(told) < 4 * 2**20
    kinds = {each["type"] for each in client.frames}
    assert {"welcome", "subscribed", "snapshot", "changes"} == kinds


def test_another_server_s_sockets_do_as_well(lake: Lake, held: MemoryView) -> None:
    put(held, 1)
    options = {"ws": "websockets-sansio"}
    with (
        streaming(lake, held, options=options, stalled_s=1.0) as host,
        Client(host) as client,
        raw(host) as stalled,
    ):
        stalled.send(b'{"action":"subscribe","channels":["price:*"]}')
        client.subscribe("price:*", "price:S7")
        version, begun = 1, time.monotonic()
        while version < 30 or time.monotonic() < begun + 2:
            version += 1
            put(held, version)
            client.until_known(partial(knows, float(version)))
        told = stalled.until(TOO_SLOW)
        client.until_known(partial(knows, float(version)))
        client.send_raw(b"\x00")
        assert 1003 == client.ended()[0]

    assert len(told) < 4 * 2**20


def test_frames_are_compressed_where_the_server_is_told_to(lake: Lake, held: MemoryView) -> None:
    put(held, 1)
    with (
        streaming(lake, held, options={"ws_per_message_deflate": True}) as host,
        Client(host, compression="deflate") as client,
    ):
        client.subscribe("price:*", "price:S7")
        put(held, 2)
        client.until_known(partial(knows, 2.0))


def test_who_lags_is_told_the_latest_state_alone(lake: Lake, held: MemoryView) -> None:
    put(held, 1)
    with streaming(lake, held) as host, Client(host) as client, raw(host) as slow:
        slow.send(b'{"action":"subscribe","channels":["price:*"]}')
        client.subscribe("price:S7")
        for version in range(2, 101):
            put(held, version)
            client.until_known(partial(knows, float(version)))
        # Now it reads, and what it is told ends with what is.
        got = slow.until(f'"symbol":"S{SYMBOLS - 1}","price":100.0'.encode())
        slow.send(b'{"action":"ping","id":"here"}')
        got += slow.until(b'"id":"here"')

    every = 100 * SYMBOLS
    assert got.count(b'"price":{"symbol"') < every / 4
    for number in range(0, SYMBOLS, 97):
        of_one = f'"symbol":"S{number}","price":'.encode()
        assert b"100.0" == got[got.rindex(of_one) + len(of_one) :][:5]
    assert b'"type":"gap"' not in got


def test_who_does_not_read_its_answers_is_not_read_either(lake: Lake, held: MemoryView) -> None:
    any_pace = Rate(1e9, 10**9)
    with (
        streaming(lake, held, actions=any_pace) as host,
        Client(host) as client,
        raw(host) as flood,
    ):
        ping = b'{"action":"ping","id":"' + b"x" * 190 + b'"}'
        flood.socket.settimeout(0.5)
        sent = 0
        with suppress(TimeoutError, ConnectionError):
            while sent < MOST:
                flood.send(ping)
                sent += len(ping)
        client.subscribe("price:S7")
        put(held, 1)
        client.until_known(lambda it: it.price("S7") == 1.0)

    assert sent < MOST


def written(frame: dict[str, Any]) -> bytes:
    return json.dumps({name: each for name, each in frame.items() if each is not None}).encode()


frames = st.one_of(
    st.tuples(st.just(2), st.binary(max_size=200)),
    st.tuples(st.just(1), st.binary(max_size=200)),
    st.tuples(st.integers(0, 15), st.binary(max_size=130)),
    st.tuples(st.just(1), st.text(max_size=100).map(str.encode)),
    st.tuples(
        st.just(1),
        st.fixed_dictionaries(
            {
                "action": st.sampled_from(["subscribe", "unsubscribe", "auth", "ping", "", None]),
                "channels": st.one_of(
                    st.none(),
                    st.lists(
                        st.one_of(
                            st.text(max_size=20),
                            st.integers(),
                            st.sampled_from(["*", "price:S1", "bars:13d:S1", "bars:1m:*"]),
                        ),
                        max_size=5,
                    ),
                ),
                "key": st.one_of(st.none(), st.text(max_size=20), st.integers()),
                "id": st.one_of(st.none(), st.integers(), st.text(max_size=20), st.floats()),
                "resume_from": st.one_of(
                    st.none(),
                    st.dictionaries(
                        st.sampled_from(["stream", "*", "price:S1", "x"]),
                        st.one_of(st.integers(), st.text(max_size=10)),
                    ),
                ),
            }
        ).map(written),
    ),
    st.just((1, b"[" * 100_00)),
    st.just((1, b'{"action":"ping","id":' + b"9" * 400 + b"}")),
)


@pytest.fixture(scope="module")
def told_on(blank_lake: Path) -> Iterator[tuple[str, MemoryView, Client]]:
    """A server, and who listens to it all the while."""
    view = MemoryView()
    with streaming(Lake(blank_lake), view) as host, Client(host) as client:
        client.subscribe("price:S1")
        yield host, view, client


versions = itertools.count(1)


@settings(max_examples=150)
@given(sent=st.lists(frames, max_size=8))
def test_no_frame_ends_the_server_or_another_connection(
    told_on: tuple[str, MemoryView, Client], sent: list[tuple[int, bytes]]
) -> None:
    host, view, client = told_on
    with raw(host) as mad:
        with suppress(ConnectionError):
            for opcode, payload in sent:
                mad.send(payload, opcode)
        version = next(versions)
        view.put(NO_BARS, prices_of(price("S1", version)))
        client.until_known(lambda it: it.price("S1") == float(version))
    assert {"welcome", "subscribed", "snapshot", "changes", "heartbeat"} >= {
        each["type"] for each in client.frames
    }
