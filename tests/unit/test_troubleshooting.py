"""The page of troubleshooting names every error, and quotes messages that the code has."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from lake import errors

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
PACKAGES = ("lake", "database", "batch_layer", "speed_layer", "serving_layer", "fiblake")
QUOTED = re.findall(r"^\| `([^`]+)`.*\|$", PAGE, re.MULTILINE)


def form_of(node: ast.AST) -> str | None:
    """Return a text of the code with `…` for what is put into it; None: it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        told = "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
        return re.sub("…+", "…", told)
    return None


@cache
def forms() -> frozenset[str]:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    return frozenset(form for node in nodes if (form := form_of(node)) is not None)


def test_every_error_of_the_tree_has_a_section() -> None:
    named = {name for name in vars(errors) if name.endswith("Error")} - {"FiblakeError"}
    sections = re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)

    assert set() == named - set(sections)
    assert len(set(sections)) == len(sections)


def test_every_message_it_quotes_is_one_of_the_code() -> None:
    assert len(QUOTED) > 100
    assert [] == [message for message in QUOTED if message not in forms()]


@pytest.mark.parametrize(
    "section", re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:], ids=lambda text: text.split()[0]
)
def test_every_section_says_what_to_do(section: str) -> None:
    rows = re.findall(r"^\| `.*\|$", section, re.MULTILINE)

    assert rows or len(section.splitlines()[2]) > 40
