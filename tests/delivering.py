"""A deliverer in tests: settings by which it tries again soon, and a wait for what comes of it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable
from typing import Any

from lake.settings import Settings
from tests.receiving import Told

PATIENCE_S = 30


def quick(settings: Settings, **others: Any) -> Settings:
    """Return settings that allow receivers of a test, and try again soon."""
    known = {
        "webhook_allow": "127.0.0.0/8",
        "delivery_retry_seconds": 0.05,
        "delivery_longest_retry_seconds": 0.2,
    }
    return settings.model_copy(update={**known, **others})


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it never was so"
        time.sleep(0.02)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def ids_of(told: Iterable[Told]) -> list[str]:
    return [each.headers["webhook-id"] for each in told]
