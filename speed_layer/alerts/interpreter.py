"""How the interpreter is set where alerts are evaluated: nothing of it is to stop them for long.

Now and then the garbage collector looks at all objects there are, and nothing else runs meanwhile:
of 100,000 alerts that takes a second. What survives such a look is frozen: rules and their bars
come and go seldom, and one that goes is freed all the same, as it is in no cycle.
"""

from __future__ import annotations

import gc
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALL: Final = 2
"""The generation of the oldest: with it, all are looked at."""
_LONG_S: Final = 0.01
_THRESHOLDS: Final = (700, 10, 1_000)
"""Looks at what is young are short, and those at all a hundred times rarer than they were."""
_SWITCH_S: Final = 0.001
"""For how long a thread that keeps what was evaluated may hold up the others."""


@contextmanager
def set_for_evaluation() -> Iterator[None]:
    """Set it so, in the whole process; it is as it was afterwards, but what is frozen stays so."""
    begun_at = 0.0

    def note(phase: str, told: dict[str, Any]) -> None:
        nonlocal begun_at
        if told["generation"] == _ALL:
            if phase == "start":
                begun_at = time.monotonic()
            elif time.monotonic() - begun_at > _LONG_S:
                gc.freeze()

    thresholds, switch_s = gc.get_threshold(), sys.getswitchinterval()
    gc.callbacks.append(note)
    gc.set_threshold(*_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(switch_s)
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(note)
