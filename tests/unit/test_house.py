"""The shape of the house: what may import what, and what is public."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fiblake
import lake
from lake import errors, schemas
from lake.bar import Bar

TESTS = Path(__file__).parent.parent
CORE = ("bar", "interval", "session", "keys", "errors", "clock", "event")
ROOT = Path(lake.__file__).parent.parent


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("module", CORE)
def test_the_core_of_the_kernel_needs_the_standard_library_alone(module: str) -> None:
    allowed = {f"lake.{name}" for name in CORE}
    foreign = {
        name
        for name in imported(ROOT / "lake" / f"{module}.py")
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not any(name == core or name.startswith(f"{core}.") for core in allowed)
    }

    assert set() == foreign - {"lake"}


def test_what_is_public_is_what_the_front_door_names() -> None:
    assert ["Bars", "Client", "Lake"] == sorted(fiblake.__all__)
    assert all(hasattr(fiblake, name) for name in fiblake.__all__)


def test_the_tree_of_errors_is_drawn_in_full() -> None:
    drawn = errors.__doc__ or ""
    named = [name for name in vars(errors) if name.endswith("Error")]

    assert [] == [name for name in named if name not in drawn]


def test_a_bar_has_the_fields_of_silver() -> None:
    assert schemas.BARS.names == list(Bar.__dataclass_fields__)


def test_no_module_is_larger_than_can_be_held_in_the_head() -> None:
    layers = ("batch_layer", "speed_layer", "serving_layer")
    packages = ("lake", "database", *layers, "fiblake", "infra", "tests")
    made = {"node_modules", "cdk.out"}  # what is put into folders, and no part of them
    files = [
        path
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if not made & set(path.parts)
    ]
    long_files = {str(path) for path in files if len(path.read_text("utf-8").splitlines()) > 400}
    long_functions = {
        f"{path}:{node.name}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > 50
    }

    assert set() == long_files | long_functions


@pytest.mark.parametrize("layer", ["batch_layer", "speed_layer"])
def test_the_vendor_s_own_client_is_named_in_one_place(layer: str) -> None:
    files = (ROOT / layer).rglob("*.py")
    named = {path.name for path in files if {"polygon", "massive"} & _roots(path)}

    assert {"massive_client.py"} == named


def _roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


def fixtures(path: Path) -> list[str]:
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    return [
        each.name
        for each in functions
        if any("pytest.fixture" in ast.unparse(decorator) for decorator in each.decorator_list)
    ]


def test_no_shared_fixture_hides_another() -> None:
    conftest = (TESTS / "conftest.py").read_text("utf-8")
    modules = re.findall(r'"tests\.(\w+)"', conftest)
    names = [name for module in ["conftest", *modules] for name in fixtures(TESTS / f"{module}.py")]

    assert len(modules) > 5
    assert sorted(set(names)) == sorted(names)


def test_a_start_of_the_command_does_not_wait_for_pandas() -> None:
    """Arrow imports it, where it is there, for the first array that is made."""
    code = "import sys, fiblake.cli; sys.exit('pandas' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
