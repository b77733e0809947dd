"""The receiver that the guide shows verifies, drops what it has, and refuses what is not ours."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from database import Database
from database.deliveries import redeliver
from lake.clock import SystemClock
from lake.settings import Settings
from speed_layer.delivery.delivering import delivering
from tests.delivering import now, quick, wait_until
from tests.outbox import ACTOR, ME, add_destination, notify, states
from tests.parts import free_port
from tests.receiving import SECRET

GUIDE = (Path(__file__).parents[2] / "docs/alert-delivery.md").read_text("utf-8")
(CODE,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


class _Shown:
    """The guide's receiver, in a process of its own."""

    def __init__(self, port: int) -> None:
        assert "8765" in CODE
        code = CODE.replace("8765", str(port))
        self.url = f"http://127.0.0.1:{port}/"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={"SECRET": SECRET},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        wait_until(self._is_there)

    def _is_there(self) -> bool:
        try:
            return httpx.get(self.url).status_code == 501
        except httpx.TransportError:
            return False

    def end(self) -> str:
        """End it; return what it printed."""
        self.process.terminate()
        return self.process.communicate()[0]


@pytest.fixture
def shown() -> Iterator[_Shown]:
    receiver = _Shown(free_port())
    yield receiver
    receiver.process.kill()
    receiver.process.wait()


def test_the_receiver_of_the_guide_acts_once_on_what_is_told_twice(
    own_database: Database, shown: _Shown
) -> None:
    add_destination(own_database, shown.url)
    notify(own_database, "al_1.1.1", made=now())
    with delivering(quick(Settings()), own_database, SystemClock()):
        wait_until(lambda: ["delivered"] == states(own_database, "al_1.1.1"))
        with own_database.write() as connection:
            redeliver(connection, ME, "al_1.1.1", None, actor=ACTOR, at=now())
        wait_until(lambda: ["delivered"] == states(own_database, "al_1.1.1"))
    forged = {"webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}

    assert 400 == httpx.post(shown.url, content=b"{}", headers=forged).status_code
    assert 400 == httpx.post(shown.url, content=b"{}").status_code
    assert 1 == shown.end().count("al_1.1.1 ünïcode")
