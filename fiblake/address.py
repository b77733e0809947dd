"""Addresses that fiblake listens on: who reaches them, and why one cannot be had."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from lake.errors import MisuseError


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def in_url(host: str) -> str:
    """Return an address as it is written in a URL."""
    return f"[{host}]" if ":" in host else host


def cannot_listen(host: str, port: int, error: OSError) -> MisuseError:
    """Return the error that says why an address or a port cannot be had."""
    # Python's own text repeats the address.
    why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    fact = f"Cannot listen on {host}, port {port}: {why}."
    taken = error.errno == errno.EADDRINUSE
    other = f"try --port {port + 1}, or --port 0 for any."
    return MisuseError(fact, hint=other if taken else "check --host and --port.")


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address.

    Raises:
        MisuseError: If the address or the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise cannot_listen(host, port, error) from None
    # Its connections inherit it: else a body waits some 40 ms for its head to be acknowledged.
    # asyncio sets it on sockets that tell that they speak TCP; this one does not tell.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
