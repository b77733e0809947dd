"""Receivers of webhooks: real servers of HTTP and HTTPS that answer as a test wants."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the test's own
"""Of 24 bytes: the example of the specification."""
_PATIENCE_S = 30


@dataclass(frozen=True)
class Told:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Told], Iterable[bytes]]


def answer(status: str = "204 No Content", *headers: str, body: bytes = b"") -> bytes:
    """Return an answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def always(status: str = "204 No Content", *headers: str, body: bytes = b"") -> Answer:
    """Return what answers each request alike."""
    return lambda _: [answer(status, *headers, body=body)]


@dataclass
class Receiver:
    """A server on this machine, with a thread a connection.

    Attributes:
        answers: What it answers.
        told: The requests that came, in order.
        most_at_once: How many were there together at most.
    """

    answers: Answer = field(default_factory=always)
    tls: ssl.SSLContext | None = None
    told: list[Told] = field(default_factory=list)
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._now = 0
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def wait(self, count: int) -> list[Told]:
        """Return the requests once there are so many."""
        deadline = time.monotonic() + _PATIENCE_S
        while len(self.told) < count:
            assert time.monotonic() < deadline, f"{len(self.told)} of {count} came"
            time.sleep(0.01)
        return self.told

    def close(self) -> None:
        self._is_over.set()
        with suppress(OSError):  # wakes whoever accepts
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the test's end."""
        self._is_over.wait(seconds)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(_PATIENCE_S)
            if self.tls is None:
                self._answer(connection)
            else:
                with self.tls.wrap_socket(connection, server_side=True) as wrapped:
                    self._answer(wrapped)

    def _answer(self, connection: socket.socket) -> None:
        told = _read(connection)
        if told is None:
            return
        with self._lock:
            self.told.append(told)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            for part in self.answers(told):
                connection.sendall(part)
        finally:
            with self._lock:
                self._now -= 1


def _read(connection: socket.socket) -> Told | None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Told(first.split()[1], headers, body)


Start = Callable[..., Receiver]


@pytest.fixture
def receive() -> Iterator[Start]:
    """Start receivers, which end with the test."""
    receivers: list[Receiver] = []

    def start(answers: Answer | None = None, tls: ssl.SSLContext | None = None) -> Receiver:
        receivers.append(Receiver(answers or always(), tls))
        return receivers[-1]

    yield start
    for each in receivers:
        each.close()


@dataclass(frozen=True)
class Authority:
    """An authority of a test's own: who trusts it, and a server that it vouches for."""

    trusting: ssl.SSLContext
    serving: ssl.SSLContext


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Vouches for `hooks.example.com`, and for 192.0.2.1."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's")])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [
        x509.DNSName("hooks.example.com"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = _written(folder / "both.pem", certificate, key)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(path)
    return Authority(ssl.create_default_context(cafile=str(path)), serving)


def _written(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Path:
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(encoding) + private)
    return path
