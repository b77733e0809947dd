"""Rules as commands take them: from a file, or from standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lake.alerts.rule import parse_rule

if TYPE_CHECKING:
    from lake.alerts.rule import Rule

_STDIN: Final = "-"


def read_rule(file: str) -> Rule:
    """Return the rule of a file of JSON, or of standard input where that is named `-`.

    Raises:
        InvalidRuleError: If it holds none.
        OSError: If it cannot be read.
    """
    return parse_rule(sys.stdin.buffer.read() if file == _STDIN else Path(file).read_bytes())
