"""A filter of detect-secrets: where its guesses are no finding.

Most of its detectors know a secret by its form, as an AWS key or a private key: they look at every
file. Three guess, by a name as `password` or by how random a text is. Tests and compose.yaml have
passwords of servers that they start themselves, and lock files have hashes: guesses count elsewhere
alone. What is left there and is none has `pragma: allowlist secret` on its line, and a reason.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.high_entropy_strings import HighEntropyStringsPlugin
from detect_secrets.plugins.keyword import KeywordDetector

if TYPE_CHECKING:
    from detect_secrets.plugins.base import BasePlugin

_GUESSING: Final = (BasicAuthDetector, HighEntropyStringsPlugin, KeywordDetector)
_UNGUESSED: Final = ("tests/", "notebooks/", "compose.yaml")
_FORM: Final = re.compile(r"^password$|user:password@|^whsec_\.\.\.$")
"""What documents write in a secret's place."""


def is_no_finding(filename: str, secret: str, plugin: BasePlugin) -> bool:
    """Return whether what a detector found in a file is a guess where none counts."""
    is_form = _FORM.search(secret) is not None
    unguessed = filename.startswith(_UNGUESSED) or filename.endswith("package-lock.json")
    return (is_form or unguessed) and isinstance(plugin, _GUESSING)
