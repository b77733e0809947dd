"""Looks at everything at once, and waits for nothing long."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from fiblake.doctor.finding import Check, Finding, fail
from fiblake.doctor.patient import PATIENCE_S
from lake.errors import FiblakeError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ORDER: Final = {"fail": 0, "warn": 1, "ok": 2}


def examine(checks: Sequence[Check], patience_s: float = PATIENCE_S) -> list[Finding]:
    """Return what checks find, in their order; one that breaks or hangs hides no other.

    Args:
        checks: Each is made in a thread of its own.
        patience_s: How long all of them together may take; what is not done by then has failed.
    """
    looking = [_Looking(check) for check in checks]
    until = time.monotonic() + patience_s
    return [finding for each in looking for finding in each.ended(until, patience_s)]


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings, those that need someone before those that do not."""
    return sorted(findings, key=lambda each: _ORDER[each.status])


class _Looking:
    """A check that is being made."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._found: list[Finding] = []
        # The command ends while it may hang still.
        self._thread = threading.Thread(target=self._look, name=check.name, daemon=True)
        self._thread.start()

    def ended(self, until: float, patience_s: float) -> list[Finding]:
        """Return what was found by then."""
        self._thread.join(max(until - time.monotonic(), 0))
        if not self._thread.is_alive():
            return self._found
        fact = f"What was asked did not answer within {patience_s:g} s."
        late = fail(self._check.name, fact, "see whether it runs, and whether it can be reached.")
        return [*self._found, late]

    def _look(self) -> None:
        try:
            for finding in self._check.look():
                self._found.append(finding)
        except FiblakeError as error:
            fact, _, hint = str(error).partition(" Hint: ")
            self._found.append(fail(self._check.name, fact, hint))
        except Exception as error:  # noqa: BLE001 - one broken part hides no other
            fact = f"It could not be looked at: {type(error).__name__}: {error}."
            hint = "see whether all extras are installed: pip install 'fiblake[all]'."
            self._found.append(fail(self._check.name, fact, hint))
