"""Runs a tutorial as a reader would: its blocks in order, in a fresh folder.

A fenced block with a title that is a file's name is saved as that file. Of a `console` block each
line that begins with `$ ` is run, and what follows it must be in what it prints, `...` standing for
anything. One titled `another terminal` starts what runs until Ctrl-C; it ends when the next one
starts, as there is one port.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
_TERMINAL = "another terminal"
_PORT = "8000"
_ASKING = ("curl ", "python ", "fiblake bars ", "fiblake alerts firings")
_PATIENCE_S = 60


@dataclass(frozen=True)
class Block:
    kind: str
    title: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    return [Block(*found) for found in _BLOCK.findall(page.read_text("utf-8"))]


@dataclass
class Reader:
    """Who follows a tutorial.

    Attributes:
        folder: Where.
        environment: Of what is run.
        port: What stands for 8000, so that tests can be at work beside each other.
        ran: How many commands were run.
    """

    folder: Path
    environment: dict[str, str]
    port: int
    ran: int = 0
    _other: subprocess.Popen[str] | None = field(default=None, repr=False)

    def follow(self, block: Block) -> None:
        if block.title == _TERMINAL:
            self._start(block.text)
        elif block.kind == "console":
            for command, shown in _commands(block.text):
                self._run(command, shown)
        elif block.title:
            text = block.text.replace(f":{_PORT}", f":{self.port}")
            (self.folder / block.title).write_text(text, "utf-8")

    def stop(self) -> None:
        """End what runs in the other terminal, as Ctrl-C does."""
        if self._other:
            self._other.send_signal(signal.SIGINT)
            assert 0 == self._other.wait(_PATIENCE_S)
            self._other = None

    def _run(self, command: str, shown: list[str]) -> None:
        """Run a command; one that only asks, until it prints what is shown."""
        until = time.monotonic() + _PATIENCE_S
        while True:
            done = subprocess.run(
                ["/bin/bash", "-c", command.replace(f":{_PORT}", f":{self.port}")],
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            told = done.stdout + done.stderr
            missing = [line for line in shown if not _has(told, line)]
            if not missing or not command.startswith(_ASKING) or time.monotonic() > until:
                break
            time.sleep(0.5)
        assert (command, 0, []) == (command, done.returncode, missing), told
        self.ran += 1

    def _start(self, text: str) -> None:
        self.stop()
        [(command, [shown])] = _commands(text)
        log = self.folder / f"terminal-{self.ran}.log"
        with log.open("w") as errors:
            self._other = subprocess.Popen(
                ["/bin/bash", "-c", f"exec {command} --port {self.port}"],
                cwd=self.folder,
                env=self.environment,
                stdout=errors,
                stderr=errors,
                text=True,
            )
        until = time.monotonic() + _PATIENCE_S
        while not _has(log.read_text("utf-8"), shown.replace(f":{_PORT}", f":{self.port}")):
            assert self._other.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < until, log.read_text("utf-8")
            time.sleep(0.1)
        self.ran += 1


def _commands(text: str) -> list[tuple[str, list[str]]]:
    """Return the commands of a console, each with the lines that are shown after it."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        elif line.strip():
            found[-1][1].append(line)
    return found


def _has(told: str, line: str) -> bool:
    parts = [re.escape(part.strip()) for part in line.split("...")]
    return re.search(".*".join(parts), told) is not None


def environment_of(folder: Path, root: Path, python: Path) -> dict[str, str]:
    """Return the environment of a clone of the repository in `folder`, set up by `make` before."""
    for name in ("Makefile", "pyproject.toml", "requirements"):
        (folder / name).symlink_to(root / name)
    (folder / ".venv").mkdir()
    (folder / ".venv/bin").symlink_to(python.parent)
    (folder / ".venv/ready").touch()
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(root), "COLUMNS": "200"}
