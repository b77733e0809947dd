"""What the values of settings may be, where a type of Python's says too little."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, SecretStr, ValidationInfo

from lake.addresses import parse_networks
from lake.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from pydantic import ValidationError

_SECRET_BYTES: Final = 32
_USER: Final = re.compile(r"//[^/]*@")
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


def _redis_password(secret: SecretStr, info: ValidationInfo) -> SecretStr:
    url = info.data.get("redis_url")  # none: it is refused itself
    if url is not None and urlsplit(url.get_secret_value()).password is not None:
        msg = "FIBLAKE_REDIS_URL has a password already"
        raise ValueError(msg)
    return secret


def _database_secret(name: str, info: ValidationInfo) -> str:
    if "database_url" in info.data and info.data["database_url"] is None:
        msg = "it needs FIBLAKE_DATABASE_URL, as postgresql://host:5432/fiblake"
        raise ValueError(msg)
    return name


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


def with_password(url: SecretStr, password: SecretStr | None) -> str:
    """Return a URL, with a password in it where there is one."""
    text = url.get_secret_value()
    if password is None:
        return text
    parts = urlsplit(text)
    place = parts.netloc.rpartition("@")[2]
    user = f"{parts.username or ''}:{quote(password.get_secret_value(), safe='')}"
    return parts._replace(netloc=f"{user}@{place}").geturl()


def refused(
    prefix: str, error: ValidationError, *, hidden: AbstractSet[str] = frozenset()
) -> MisuseError:
    """Return what is said of the first setting that cannot be.

    Args:
        prefix: Of the variables of the environment.
        error: What Pydantic says.
        hidden: Settings whose values nobody may read.
    """
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    given = "***" if name in hidden else _USER.sub("//***@", repr(first["input"]))
    return MisuseError(f"{prefix}{name.upper()}={given} cannot be: {first['msg']}.")


Url = Annotated[str, AfterValidator(_url)]
SocketUrl = Annotated[str, AfterValidator(_socket_url)]
Topic = Annotated[str, AfterValidator(_topic)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
RedisPassword = Annotated[SecretStr, AfterValidator(_redis_password)]
DatabaseSecret = Annotated[str, AfterValidator(_database_secret)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
TokenSecret = Annotated[SecretStr, AfterValidator(_token_secret)]
Proxies = Annotated[str, AfterValidator(_proxies)]
Networks = Annotated[str, AfterValidator(_networks)]
