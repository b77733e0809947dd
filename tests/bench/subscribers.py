"""Subscribers to a stream, many in one process: they count what comes, and some take its time.

Most sockets are emptied in turn, a part of them a round, so that many bytes come at once; a few,
the probes, are read as soon as something comes, and parse it. A price is the seconds from an
instant to its putting, by the monotonic clock that processes share: whoever parses it knows how old
it is.

    python -m tests.bench.subscribers '{"port": 8000, "pid": 17, "subscribers": 1000, ...}'
"""

from __future__ import annotations

import base64
import json
import os
import random
import resource
import select
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

_SEED: Final = 7
_TURNS: Final = 20
_WAIT_S: Final = 0.001
_READ: Final = 1 << 18
_SMALL: Final = 1 << 12
_CONNECTED_AT_ONCE: Final = 20
_MOST_WAIT_S: Final = 60.0
_OPEN: Final = b"{"
_TEXT: Final = 0x81
_CLOSE: Final = 0x88
_PING: Final = 0x89
_PONG: Final = 0x8A
_MASKED: Final = 0x80
_SHORT: Final = 126
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Asked:
    """What is measured.

    Attributes:
        port: Of the server, on this machine.
        pid: Of its process.
        symbols: S0000, S0001 ... of the feed.
        subscribers: How many.
        channels: Of each, at random.
        probes: How many of them parse what comes.
        stalled: How many more subscribe to all prices and never read.
        warm_up_s: How long nothing is counted, once all have subscribed.
        seconds: How long it is.
    """

    port: int
    pid: int
    symbols: int
    subscribers: int
    channels: int
    probes: int
    stalled: int
    warm_up_s: float = 0
    seconds: float = 0


class Subscriber:
    """A connection that counts frames and braces, of which each price has two and each frame one.

    Args:
        port: Of the server.
        receive_bytes: Of the socket's buffer; None: as the system has it.
    """

    def __init__(self, port: int, *, receive_bytes: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(_MOST_WAIT_S)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes = self.frames = self.braces = 0
        self.is_open = True
        self._skip = 0
        self._rest = b""
        self._shake_hands(port)

    @property
    def updates(self) -> int:
        """How many prices came."""
        return (self.braces - self.frames) // 2

    def say(self, what: dict[str, Any]) -> None:
        """Send a frame."""
        self._send(_TEXT, json.dumps(what).encode())

    def read(self) -> None:
        """Take what came."""
        try:
            data = self.socket.recv(_READ)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self.is_open = False
            return
        self.take(data)

    def is_ended(self) -> bool:
        """Return whether the server has ended the connection, once what it sent before is read."""
        while self.is_open:
            before = self.bytes
            self.read()
            if self.bytes == before:
                break
        return not self.is_open

    def take(self, data: bytes) -> None:
        """Count what came."""
        self.bytes += len(data)
        self.braces += data.count(_OPEN)
        if self._rest:
            data, self._rest = self._rest + data, b""
        at, end = self._skip, len(data)
        while at < end:
            size, length = _header(data, at)
            is_told = data[at] == _TEXT
            # What others say is short, and looked at as a whole.
            if not size or (not is_told and at + size + length > end):
                self._rest = data[at:]
                at = end
                break
            if is_told:
                self.frames += 1
            else:
                self._heed(data[at], data[at + size : at + size + length])
            at += size + length
        self._skip = at - end

    def _heed(self, kind: int, payload: bytes) -> None:
        if kind == _CLOSE:
            self.is_open = False
        elif kind == _PING:
            self._send(_PONG, payload)

    def _send(self, kind: int, payload: bytes) -> None:
        """Send a frame, masked by zeros."""
        length = len(payload)
        if length < _SHORT:
            head = bytes([kind, _MASKED | length])
        else:
            head = bytes([kind, _MASKED | _SHORT]) + length.to_bytes(2, "big")
        self.socket.settimeout(_MOST_WAIT_S)
        self.socket.sendall(head + bytes(4) + payload)
        self.socket.settimeout(0)

    def _shake_hands(self, port: int) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /v1/stream HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            got = self.socket.recv(_READ)
            if not got:
                break
            answer += got
        head, _, rest = answer.partition(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0]:
            msg = f"the server answered {answer[:200]!r}"
            raise ConnectionError(msg)
        self.socket.settimeout(0)
        if rest:
            self.take(rest)


class Probe(Subscriber):
    """A connection that parses what comes, and takes its time.

    Args:
        port: Of the server.
        zero: The instant, by the monotonic clock, from which prices count.
    """

    def __init__(self, port: int, zero: float) -> None:
        self.ages: list[float] = []
        self._zero = zero
        self._whole = bytearray()
        super().__init__(port)

    def take(self, data: bytes) -> None:
        """Parse the frames that are whole."""
        self.bytes += len(data)
        self.braces += data.count(_OPEN)
        whole = self._whole
        whole += data
        at = 0
        while True:
            size, length = _header(whole, at)
            end = at + size + length
            if not size or end > len(whole):
                break
            payload = bytes(whole[at + size : end])
            if whole[at] == _TEXT:
                self.frames += 1
                self._parse(payload)
            else:
                self._heed(whole[at], payload)
            at = end
        del whole[:at]

    def _parse(self, payload: bytes) -> None:
        told = orjson.loads(payload)
        if told["type"] == "changes":
            age = time.monotonic() - self._zero
            self.ages += [age - each["price"]["price"] for each in told["events"]]


def _header(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return the length of a frame's header, and of its payload; 0 and 0 if it is not there yet."""
    left = len(data) - at
    if left < 2:
        return 0, 0
    length = data[at + 1]
    if length < _SHORT:
        return 2, length
    size = 4 if length == _SHORT else 10
    if left < size:
        return 0, 0
    return size, int.from_bytes(data[at + 2 : at + size], "big")


@dataclass
class Crowd:
    """All subscribers, and how they are read."""

    asked: Asked
    zero: float
    probes: list[Probe] = field(default_factory=list)
    others: list[Subscriber] = field(default_factory=list)
    stalled: list[Subscriber] = field(default_factory=list)
    _poll: select.epoll = field(default_factory=select.epoll)
    _by_socket: dict[int, Probe] = field(default_factory=dict)
    _turn: int = 0

    def connect(self) -> None:
        """Connect and subscribe all."""
        asked = self.asked
        chance = random.Random(_SEED)  # noqa: S311 - which symbols is no secret
        names = [f"price:S{number:04}" for number in range(asked.symbols)]
        for number in range(asked.subscribers):
            channels = chance.sample(names, asked.channels)
            if number % max(1, asked.subscribers // max(1, asked.probes)) == 0:
                subscriber: Subscriber = self._probe()
            else:
                subscriber = Subscriber(asked.port)
                self.others.append(subscriber)
            subscriber.say({"action": "subscribe", "channels": channels})
            if number % _CONNECTED_AT_ONCE == 0:
                self.read_all()
        for _ in range(asked.stalled):
            self.stall()

    def stall(self) -> None:
        """Subscribe to all prices, and never read them."""
        stalled = Subscriber(self.asked.port, receive_bytes=_SMALL)
        stalled.say({"action": "subscribe", "channels": ["price:*"]})
        self.stalled.append(stalled)

    def read_for(self, seconds: float) -> None:
        """Read, in turns, for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for number, _ in self._poll.poll(_WAIT_S):
                self._by_socket[number].read()
            for subscriber in self.others[self._turn :: _TURNS]:
                subscriber.read()
            self._turn = (self._turn + 1) % _TURNS

    def read_all(self) -> None:
        """Read each once."""
        for subscriber in (*self.probes, *self.others):
            subscriber.read()

    def close(self) -> None:
        """Let all go."""
        self._poll.close()
        for subscriber in (*self.all, *self.stalled):
            subscriber.socket.close()

    @property
    def all(self) -> Sequence[Subscriber]:
        """Those that read."""
        return [*self.probes, *self.others]

    def _probe(self) -> Probe:
        probe = Probe(self.asked.port, self.zero)
        self.probes.append(probe)
        self._by_socket[probe.socket.fileno()] = probe
        self._poll.register(probe.socket, select.EPOLLIN)
        return probe


def measured(asked: Asked, zero: float) -> dict[str, float]:
    """Subscribe, and return what came."""
    with closing(Crowd(asked, zero)) as crowd:
        return _measured(crowd)


def _measured(crowd: Crowd) -> dict[str, float]:
    asked = crowd.asked
    crowd.connect()
    crowd.read_for(asked.warm_up_s)
    for probe in crowd.probes:
        probe.ages.clear()
    before, server, own = _totals(crowd), cpu_s(asked.pid), _own_cpu_s()
    begun = time.monotonic()
    crowd.read_for(asked.seconds)
    took = time.monotonic() - begun
    after, rss = _totals(crowd), rss_mib(asked.pid)
    ages = np.concatenate([np.array(each.ages) for each in crowd.probes]) * 1000
    p50, p99 = np.percentile(ages, [50, 99])
    told = {name: (after[name] - before[name]) / took for name in before}
    return {
        **told,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "max_ms": float(ages.max()),
        "timed": len(ages),
        "disconnected": sum(not each.is_open for each in crowd.all),
        "server_cpu": (cpu_s(asked.pid) - server) / took,
        "server_mib": rss,
        "own_cpu": (_own_cpu_s() - own) / took,
    }


def _totals(crowd: Crowd) -> dict[str, int]:
    return {
        "updates": sum(each.updates for each in crowd.all),
        "frames": sum(each.frames for each in crowd.all),
        "bytes": sum(each.bytes for each in crowd.all),
    }


def family(pid: int) -> list[int]:
    """Return a process and all that it started."""
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text("utf-8").split():
                found += family(int(child))
    return found


def cpu_s(pid: int) -> float:
    """Return how many seconds of processors a process and its children took."""
    fields = (
        Path(f"/proc/{each}/stat").read_text("utf-8").rpartition(")")[2].split()
        for each in family(pid)
    )
    return sum(int(each[11]) + int(each[12]) for each in fields) / _TICKS


def rss_mib(pid: int) -> float:
    """Return how much memory they have resident."""
    pages = (int(Path(f"/proc/{each}/statm").read_text("utf-8").split()[1]) for each in family(pid))
    return sum(pages) * _PAGE / 2**20


def _own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    _given = json.loads(sys.argv[1])
    _zero = _given.pop("zero")
    print(json.dumps(measured(Asked(**_given), _zero)))  # noqa: T201 - to who started it
