"""`fiblake up`: it serves until it is interrupted, or says why it cannot."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import FIBLAKE


def up(lake: Path, port: int) -> subprocess.Popen[str]:
    """Start `fiblake up`."""
    command = [str(FIBLAKE), "up", "--port", str(port), "--lake", str(lake)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture
def server(sample_lake_folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`fiblake up` on a free port."""
    with up(sample_lake_folder, 0) as process:
        yield process
        process.kill()


@pytest.fixture
def refused(sample_lake_folder: Path) -> tuple[int, int, str, str]:
    """`fiblake up` on a port that is taken: the port, the exit code, what it said."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        with up(sample_lake_folder, port) as process:
            out, err = process.communicate()
            return port, process.returncode, out, err


def test_up_serves_until_it_is_interrupted(server: subprocess.Popen[str]) -> None:
    assert server.stderr is not None
    said = server.stderr.readline()
    url = re.fullmatch(r"fiblake serves (http://127\.0\.0\.1:\d+/) until Ctrl-C\n", said)

    assert url is not None
    with urllib.request.urlopen(f"{url[1]}v1/bars/IBM?start=2013-03-01") as answer:
        assert [202.91] == [bar["close"] for bar in json.load(answer)["bars"]]
    server.send_signal(signal.SIGINT)
    assert ("", "", 0) == (*server.communicate(), server.returncode)


def test_up_fails_in_one_line_if_the_port_is_taken(refused: tuple[int, int, str, str]) -> None:
    port, code, out, err = refused

    assert (2, "", 1) == (code, out, err.count("\n"))
    assert err.startswith(f"error: Cannot listen on 127.0.0.1, port {port}: Address already in use")
    assert err.endswith(f" Hint: try --port {port + 1}, or --port 0 for any.\n")


def test_up_says_it_in_the_users_words(refused: tuple[int, int, str, str]) -> None:
    assert "while attempting to bind" not in refused[3]
