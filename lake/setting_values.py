"""What the values of settings may be, where a type of Python's says too little."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from lake.addresses import parse_networks

_SECRET_BYTES: Final = 32
_TOPIC: Final = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}")


def _url(text: str) -> str:
    parts = urlsplit(text)
    # A user in it would be a secret, in every request that is noted.
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
        msg = "not a URL, as https://api.massive.com"
        raise ValueError(msg)
    return text.rstrip("/")


def _socket_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname or parts.query or parts.username:
        msg = "not a URL of a socket, as wss://socket.massive.com"
        raise ValueError(msg)
    return text.rstrip("/")


def _redis_url(secret: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(secret.get_secret_value())
        is_one = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # what it says may be a part of the password
        is_one = False
    if not is_one:
        msg = "not a URL, as redis://127.0.0.1:6379/0; with TLS rediss://user:password@host:port/0"
        raise ValueError(msg)
    return secret


def lower(text: object) -> object:
    """Return a text in small letters, and all else as it is."""
    return text.lower() if isinstance(text, str) else text


def _database_url(secret: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(secret.get_secret_value())
        is_one = parts.scheme in {"postgresql", "postgres"} and parts.port != 0
        is_one = is_one and bool(parts.hostname) and len(parts.path) > 1
    except ValueError:  # what it says may be a part of the password
        is_one = False
    if not is_one:
        msg = "not a URL of PostgreSQL, as postgresql://user:password@host:5432/fiblake"
        raise ValueError(msg)
    return secret


def _token_secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < _SECRET_BYTES:
        msg = f"a secret of tokens has at least {_SECRET_BYTES} bytes, as openssl rand -hex 32 has"
        raise ValueError(msg)
    return secret


def _proxies(text: str) -> str:
    named = [each.strip() for each in text.split(",") if each.strip()]
    try:
        for each in named:
            # What is none would be taken for a name, and trust nobody.
            if each != "*":
                ipaddress.ip_network(each)
    except ValueError:
        msg = f"{each!r} is neither an address nor a network, as 10.0.0.5 or 10.0.0.0/8; *: all"
        raise ValueError(msg) from None
    return ",".join(named)


def _networks(text: str) -> str:
    try:
        parse_networks(text)
    except ValueError:
        msg = "not networks, as 10.0.0.0/8,192.168.1.5"
        raise ValueError(msg) from None
    return text


def _topic(text: str) -> str:
    if not _TOPIC.fullmatch(text):
        msg = "not the ARN of a topic, as arn:aws:sns:us-east-1:123456789012:fiblake-alerts"
        raise ValueError(msg)
    return text


Url = Annotated[str, AfterValidator(_url)]
SocketUrl = Annotated[str, AfterValidator(_socket_url)]
Topic = Annotated[str, AfterValidator(_topic)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
TokenSecret = Annotated[SecretStr, AfterValidator(_token_secret)]
Proxies = Annotated[str, AfterValidator(_proxies)]
Networks = Annotated[str, AfterValidator(_networks)]
