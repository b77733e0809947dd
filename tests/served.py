"""`fiblake up` in a process of its own, with the environment that a test chooses."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.command_line import FIBLAKE

_URL = re.compile(r"http://\S+/")


@contextmanager
def served(lake: Path | str, log: Path, *options: str, **environment: str) -> Iterator[str]:
    """Yield the URL of a server, without its last slash; in the end it stops as Ctrl-C stops it.

    Args:
        lake: What it serves.
        log: Where its standard error goes.
        options: More of the command.
        environment: Settings of it, beside those of the test.
    """
    command = [str(FIBLAKE), "up", "--port", "0", "--lake", str(lake), *options]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stderr=errors, env=os.environ | environment) as process,
    ):
        try:
            while (found := _URL.search(log.read_text("utf-8"))) is None:
                assert process.poll() is None, log.read_text("utf-8")
                time.sleep(0.02)
            yield found[0].rstrip("/")
        finally:
            process.send_signal(signal.SIGINT)
    assert 0 == process.returncode, log.read_text("utf-8")
