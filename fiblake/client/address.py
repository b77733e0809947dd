"""Where a server is, and whether a key may be sent there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from fiblake.address import is_loopback
from lake.errors import InvalidLocationError, MisuseError

_SOCKETS: Final = {"http": "ws", "https": "wss"}


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a server.

    Attributes:
        url: As `https://bars.example.com`, without a slash at its end.
        is_local: Whether it is on this machine.
    """

    url: str
    is_local: bool

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the address that a URL writes.

        Raises:
            InvalidLocationError: If it writes none, or has a user or a query, where secrets hide.
        """
        try:
            parts = urlsplit(url.strip())
            is_one = parts.scheme in _SOCKETS and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_one = False
        if not is_one:
            # A user or a query may hold a key: they are not repeated.
            shown = "What was given" if {"@", "?"} & set(url) else f"{url!r:.80}"
            fact = f"{shown} is not a server's URL. Allowed: as http://127.0.0.1:8000."
            raise InvalidLocationError(fact)
        if parts.query or parts.fragment or parts.username or parts.password:
            fact = "A server's URL has neither a user nor a query."
            hint = 'give the key as such: Client("https://...", key), or set FIBLAKE_KEY.'
            raise InvalidLocationError(fact, hint=hint)
        return cls(parts.geturl().rstrip("/"), is_loopback(parts.hostname or ""))

    @property
    def socket(self) -> str:
        """The URL of its stream."""
        scheme, _, rest = self.url.partition(":")
        return f"{_SOCKETS[scheme.lower()]}:{rest}/v1/stream"

    def check_may_have_key(self, *, allow_http: bool) -> None:
        """Refuse to send a key where anyone on the way can read it.

        Raises:
            MisuseError: If the server is on another machine, without TLS, and that is not allowed.
        """
        if not (self.is_local or allow_http or self.url.lower().startswith("https:")):
            fact = f"{self.url} has no TLS: anyone on the way could read the key."
            hint = "use https://, or Client(..., allow_http=True) in a network that you trust."
            raise MisuseError(fact, hint=hint)


def check_key(key: str) -> None:
    """Refuse what cannot be a key.

    Raises:
        MisuseError: If it is empty, or has characters that no header can have.
    """
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        fact = "The key is none: it is empty, or has characters that no key has."
        raise MisuseError(fact, hint="copy it as fiblake keys create printed it.")
