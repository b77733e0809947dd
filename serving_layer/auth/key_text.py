"""What a key looks like: `fib_PUBLIC_SECRET`, of which the public part and a digest are kept.

A plain SHA-256 is enough of a secret of 192 random bits: there is nothing to guess from.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

_BRAND: Final = "fib"
_PUBLIC_BYTES: Final = 5
_SECRET_BYTES: Final = 24
_PUBLIC: Final = re.compile(rf"[0-9a-f]{{{2 * _PUBLIC_BYTES}}}")
_KEY: Final = re.compile(rf"{_BRAND}_({_PUBLIC.pattern})_[0-9a-f]{{{2 * _SECRET_BYTES}}}")


def new_key() -> tuple[str, str]:
    """Return a new key, and its public part."""
    public = secrets.token_hex(_PUBLIC_BYTES)
    return f"{_BRAND}_{public}_{secrets.token_hex(_SECRET_BYTES)}", public


def public_part(text: str) -> str | None:
    """Return the public part of what may be a key; None: it is none."""
    found = _KEY.fullmatch(text)
    return found[1] if found else None


def is_public_part(text: str) -> bool:
    """Return whether a text has the form of a key's public part."""
    return _PUBLIC.fullmatch(text) is not None


def digest_of(key: str) -> str:
    """Return what is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def matches(key: str, digest: str) -> bool:
    """Return whether a digest is a key's, in a time that does not tell how much of it is."""
    return hmac.compare_digest(digest_of(key), digest)
