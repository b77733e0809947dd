"""The Dockerfiles, as tests read them: what an image runs, and in which environment."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.parts import missing

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "containers"
_SUFFIX: Final = ".Dockerfile"
_STAGE: Final = re.compile(r"(?P<base>\S+)(?: AS (?P<name>\w+))?")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, in one line, without the comments in it."""

    name: str
    value: str

    @property
    def words(self) -> list[str]:
        """What the exec form or the shell form says, word by word."""
        if self.value.startswith("["):
            told: list[str] = json.loads(self.value)
            return told
        return shlex.split(self.value)


@dataclass(frozen=True, slots=True)
class Stage:
    """What is between one FROM and the next."""

    base: str
    name: str | None
    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> list[Instruction]:
        """Return all instructions of a name."""
        return [each for each in self.instructions if each.name == name]

    def last(self, name: str) -> Instruction | None:
        """Return the one of a name that counts."""
        return next(reversed(self.all(name)), None)

    def command(self) -> list[str]:
        """Return what a container runs: the entry point, and the command behind it."""
        told = (self.last("ENTRYPOINT"), self.last("CMD"))
        return [word for each in told if each for word in each.words]

    def environment(self) -> dict[str, str]:
        """Return the variables that the image sets."""
        words = [word for each in self.all("ENV") for word in each.words]
        return dict(word.split("=", 1) for word in words)

    def health_check(self) -> list[str] | None:
        """Return the command of the health check; None: it has none."""
        told = self.last("HEALTHCHECK")
        if told is None or told.value == "NONE":
            return None
        command: list[str] = json.loads(told.value.partition("CMD ")[2])
        return command


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A Dockerfile of ours.

    Attributes:
        path: Where it is.
        stages: In order; the last one is the image.
    """

    path: Path
    stages: tuple[Stage, ...]

    @property
    def image(self) -> Stage:
        return self.stages[-1]

    def copied(self) -> list[str]:
        """Return what is copied from the context, as paths in the root folder."""
        copies = [each for stage in self.stages for each in stage.all("COPY")]
        own = [each.words for each in copies if "--from=" not in each.value]
        return [source for words in own for source in words[:-1]]


def read(path: Path) -> Dockerfile:
    """Return what a Dockerfile says."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    told = [line.split(" ", 1) for line in joined.splitlines() if line]
    stages: list[Stage] = []
    for name, value in told:
        if name == "FROM":
            match = _STAGE.fullmatch(value)
            assert match, value
            stages.append(Stage(match["base"], match["name"], ()))
        else:
            one = stages.pop()
            more = (*one.instructions, Instruction(name, value.strip()))
            stages.append(Stage(one.base, one.name, more))
    return Dockerfile(path, tuple(stages))


DOCKERFILES: Final = {
    path.name.removesuffix(_SUFFIX): read(path) for path in sorted(FOLDER.glob(f"*{_SUFFIX}"))
}


def tool(name: str, package: str) -> str:
    """Return the path of a program that a package of the tests' environment has."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        missing(name, f"pip install {package}")
    return found
