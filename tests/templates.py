"""The synthesised templates, made once for all tests and kept for as long as their sources are."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.parts import missing

ROOT = Path(__file__).parents[1]
SIZES = ("dev", "prod")
_KEPT = ROOT / ".pytest_cache/templates"
_SOURCES = (
    "infra/**/*.py",
    "infra/cdk*.json",
    "lake/**/*.py",
    "containers/*",
    "requirements/dev.txt",
)
_SCRIPT = (
    "import sys, pathlib; from infra.app import synthesise; "
    "synthesise(sys.argv[1], pathlib.Path(sys.argv[2]))"
)

Template = dict[str, Any]


@cache
def assembly(size: str) -> Path:
    """Return the folder of a size's templates and of what CDK tells of them."""
    if shutil.which("node") is None:
        missing("Node.js", "apt-get install nodejs")
    kept = _KEPT / _digest()
    kept.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{_KEPT}.lock"):
        for other in set(_KEPT.iterdir()) - {kept}:
            shutil.rmtree(other)
        if not (kept / size).is_dir():
            _synthesise(size, kept)
    return kept / size


@cache
def templates(size: str) -> dict[str, Template]:
    """Return a size's templates, by stack: `network`, `storage` ..."""
    found = sorted(assembly(size).glob("*.template.json"))
    return {
        path.name.removeprefix(f"fiblake-{size}-").removesuffix(".template.json"): json.loads(
            path.read_text("utf-8")
        )
        for path in found
    }


def resources(template: Template, kind: str) -> dict[str, Any]:
    """Return the properties of a template's resources of a type, by their logical ids."""
    return {
        name: each.get("Properties", {})
        for name, each in template["Resources"].items()
        if each["Type"] == kind
    }


def statements(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each statement of each policy of a template, and the logical id of what has it."""
    for name, resource in template["Resources"].items():
        for statement in _statements(resource.get("Properties", {})):
            yield name, statement


def several(value: Any) -> list[Any]:
    """Return what a template gives alone or in a list, in a list."""
    return value if isinstance(value, list) else [value]


def _statements(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "Effect" in value and ("Action" in value or "NotAction" in value):
            yield value
        for each in value.values():
            yield from _statements(each)
    if isinstance(value, list):
        for each in value:
            yield from _statements(each)


def _synthesise(size: str, kept: Path) -> None:
    made = kept.parent / f".{size}-{os.getpid()}"
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, size, str(made)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(made, ignore_errors=True)
        pytest.fail(f"{size} cannot be synthesised: {done.stdout}\n{done.stderr}", pytrace=False)
    kept.mkdir(exist_ok=True)
    made.rename(kept / size)


def _digest() -> str:
    files = sorted({path for pattern in _SOURCES for path in ROOT.glob(pattern) if path.is_file()})
    told = hashlib.sha256()
    for path in files:
        if "node_modules" not in path.parts and "cdk.out" not in path.parts:
            told.update(f"{path.relative_to(ROOT)}\n".encode())
            told.update(path.read_bytes())
    return told.hexdigest()[:16]
