"""The README's promises: its session runs, and the commands and variables it names exist."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fiblake.cli import app
from lake.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_sessions_print_what_the_readme_shows(sample_lake_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(sample_lake_folder)
    sessions = "\n".join(re.findall(r"```pycon\n(.*?)```", README, re.DOTALL))
    examples = doctest.DocTestParser().get_doctest(sessions, {}, "README.md", "README.md", 0)

    results = doctest.DocTestRunner().run(examples)

    assert (0, 9) == (results.failed, results.attempted)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`fiblake (\w+)", README))))
def test_each_command_it_names_exists(command: str) -> None:
    assert 0 == CliRunner().invoke(app, [command, "--help"]).exit_code


def test_each_setting_is_named_and_each_name_is_a_setting() -> None:
    spelt = set(re.findall(r"`(?:FIBLAKE)?(_[A-Z0-9_]+)`", README))
    fields = {f"_{name.upper()}" for name in Settings.model_fields}

    assert fields == spelt


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make (\w+)`", README))))
def test_each_make_target_it_names_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_each_file_it_links_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]

    assert [] == [link for link in links if not (ROOT / link).exists()]
