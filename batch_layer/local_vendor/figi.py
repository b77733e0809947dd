"""Ids made of a name: the same name has the same id on every machine.

Source: https://www.openfigi.com/about/figi, the form of a FIGI and its check digit.
"""

from __future__ import annotations

import hashlib
from typing import Final

# No secret but an alphabet, that without vowels:
# pragma: allowlist nextline secret
_LETTERS: Final = "0123456789BCDFGHJKLMNPQRSTVWXYZ"
_FREE: Final = 8
_CIK_DIGITS: Final = 10


def figi(name: str) -> str:
    """Return a FIGI."""
    number = _number(name)
    text = "BBG"
    for _ in range(_FREE):
        number, letter = divmod(number, len(_LETTERS))
        text += _LETTERS[letter]
    return text + str(_check_digit(text))


def cik(name: str) -> str:
    """Return a CIK: ten digits, as the SEC numbers companies."""
    return f"{_number(name) % 10**7:0{_CIK_DIGITS}d}"


def hex_id(*parts: object) -> str:
    """Return 64 hexadecimal digits."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])


def _check_digit(text: str) -> int:
    """Return the check digit of a FIGI's first eleven characters: every second one counts twice."""
    values = [int(letter, 36) * (1 + place % 2) for place, letter in enumerate(text)]
    return -sum(digit for value in values for digit in map(int, str(value))) % 10
