"""`fiblake up` in a process of its own, on a port that it keeps when it is started again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.feeding import eventually
from tests.parts import free_port

FIBLAKE: Final = str(Path(sys.executable).with_name("fiblake"))


class Served:
    """A lake that is served until it is killed.

    Args:
        lake: The lake's folder.
        log: Where its standard error goes.
        environment: Its settings.
    """

    def __init__(self, lake: Path, log: Path, **environment: str) -> None:
        self._lake, self._log, self._environment = lake, log, environment
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}/"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [FIBLAKE, "up", "--port", str(self._port), "--lake", str(self._lake)]
        with self._log.open("w") as errors:
            self._process = subprocess.Popen(
                command, stderr=errors, env=os.environ | self._environment
            )
        assert eventually(lambda: self.url in self._log.read_text()), self._log.read_text()

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
