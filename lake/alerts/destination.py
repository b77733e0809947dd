"""What may be a destination of alerts: a webhook's name, its URL, and the secret it is signed with.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from lake.addresses import is_allowed, is_public, parse_address
from lake.errors import InvalidDestinationError

if TYPE_CHECKING:
    from lake.addresses import Networks

BUILT_IN: Final = ("log", "sns")
"""Destinations that everybody has, where they are set up."""
_PREFIX: Final = "whsec_"
# Not what tells how one is written, as `whsec_...`; of one, all that may belong to it.
_SECRET: Final = re.compile(rf"{_PREFIX}[\w+/=%-][^\s'\"]*", re.IGNORECASE)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_FEWEST: Final = 24
_MOST: Final = 64
_LONGEST_URL: Final = 2048
_PRINTED: Final = re.compile(r"[!-~]+")
_NUMBER: Final = re.compile(r"(0[xX][0-9a-fA-F]*|\d+)\.?")
_ALLOW_HINT: Final = "name its network in FIBLAKE_WEBHOOK_ALLOW, if it is meant."
_NO_ALLOWANCE: Final = "use https, or name its network in FIBLAKE_WEBHOOK_ALLOW."


@dataclass(frozen=True, slots=True)
class NewDestination:
    """A webhook that may be.

    Attributes:
        name: By which rules name it.
        url: Where it is told.
        secret: That it is signed with: `whsec_`, and 24 to 64 bytes in base64.
    """

    name: str
    url: str
    secret: str = field(repr=False)


def check_destination(name: str, url: str, secret: str, allowed: Networks) -> NewDestination:
    """Return a destination, if it may be one; nothing is looked up, nobody asked.

    Args:
        name: Its name.
        url: Where it is told: https, or http to networks that are allowed.
        secret: What it is signed with.
        allowed: Networks that may be told though they are not public.

    Raises:
        InvalidDestinationError: If one of them cannot be.
    """
    clean = secret.strip()
    _check_name(name)
    _check_url(url, allowed)
    _check_secret(clean)
    return NewDestination(name, url, clean)


def holds_secret(text: str) -> bool:
    """Return whether a text may hold what a webhook is signed with, wherever it was meant to go."""
    return _PREFIX in text.lower()


def without_secrets(text: str) -> str:
    """Return a text that is to be shown, with `whsec_***` for what webhooks are signed with."""
    return _SECRET.sub(f"{_PREFIX}***", text)


def _check_name(name: str) -> None:
    if name.lower() in BUILT_IN:
        fact = f"{name!r} is a destination that is there for everybody, and cannot be another."
        raise InvalidDestinationError(fact, hint="choose another name.")
    if holds_secret(name) or not _NAME.fullmatch(name):
        shown = "What was given" if holds_secret(name) else repr(name)
        fact = (
            f"{shown} is not the name of a destination. Allowed: 1 to 64 letters, digits, _, -"
            " and ., the first a letter or a digit."
        )
        raise InvalidDestinationError(fact)


def _check_url(url: str, allowed: Networks) -> None:
    parts = _parsed(url)
    if parts.username is not None or parts.password is not None:
        fact = "The URL of a destination has a user in it, which is not allowed."
        raise InvalidDestinationError(fact, hint="who tells is known by the signature.")
    if holds_secret(url):  # it would be listed, and its host is told below
        fact = "The URL of a destination has a webhook's secret in it, which is not allowed."
        raise InvalidDestinationError(fact, hint="what it is signed with is given apart.")
    if parts.scheme == "http" and not allowed:
        fact = f"{url!r} is not encrypted. Allowed: https."
        raise InvalidDestinationError(fact, hint=_NO_ALLOWANCE)
    _check_host(parts, allowed)


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or parts.fragment or "\\" in url or not _PRINTED.fullmatch(url):
        # What is none may still hold a password: only where nobody can be is it told.
        is_hidden = "@" in url or holds_secret(url)
        shown = "What was given" if is_hidden else repr(url[:_LONGEST_URL])
        fact = f"{shown} is not the URL of a destination. Allowed: as https://example.com/alerts."
        raise InvalidDestinationError(fact, hint="other characters are written as %20 is.")
    if len(url) > _LONGEST_URL:
        fact = f"A URL of {len(url)} characters is too long. Allowed: {_LONGEST_URL}."
        raise InvalidDestinationError(fact)
    return parts


def _check_host(parts: SplitResult, allowed: Networks) -> None:
    """Refuse a host that is known to be none; where a name leads to is known when it is told."""
    host = (parts.hostname or "").rstrip(".")
    is_this = host == "localhost" or host.endswith(".localhost")
    address = parse_address("127.0.0.1" if is_this else host)
    if address is None:
        # Resolvers take 127.1 and 0x7f000001 for addresses.
        if _NUMBER.fullmatch(host.rpartition(".")[2]):
            fact = f"{host!r} is not a host. Allowed: a name, or an address as 192.0.2.7."
            raise InvalidDestinationError(fact)
        return
    if is_allowed(address, allowed) or (parts.scheme == "https" and is_public(address)):
        return
    if is_public(address):
        fact = f"http to {host} is not encrypted. Allowed: https."
        raise InvalidDestinationError(fact, hint=_NO_ALLOWANCE)
    fact = f"{host} is not an address of the public internet: alerts are not told to it."
    raise InvalidDestinationError(fact, hint=_ALLOW_HINT)


def _check_secret(secret: str) -> None:
    try:
        size = len(base64.b64decode(secret.removeprefix(_PREFIX), validate=True))
    except ValueError:
        size = 0
    if not secret.startswith(_PREFIX) or not _FEWEST <= size <= _MOST:
        # Never what was given: it may be a secret of another kind.
        fact = (
            f"That is not the secret of a webhook. Allowed: {_PREFIX} and {_FEWEST} to"
            f" {_MOST} bytes in base64."
        )
        hint = f'echo "{_PREFIX}$(openssl rand -base64 32)" makes one.'
        raise InvalidDestinationError(fact, hint=hint)
