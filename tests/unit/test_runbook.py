"""The runbook: a page for each alarm, whose commands, settings and log lines exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fiblake.cli import app
from infra.alarms import ALARMS, TOGETHER, Alarm, Together
from infra.runbook import FIRST_SECTION, head, index
from lake.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "runbook"
EACH = (*ALARMS, *TOGETHER)
PAGES = {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.md")}
SECTIONS = [
    "## What it means",
    "## How to see it",
    "## What to do",
    "## How to know it is over",
]
LATER = {"../backup.md"}
PACKAGES = ("lake", "batch_layer", "speed_layer", "serving_layer", "fiblake", "database")


def test_each_alarm_has_its_page_and_each_page_its_alarm() -> None:
    assert {each.slug for each in EACH} | {"index"} == set(PAGES)
    assert index() == PAGES["index"]


@pytest.mark.parametrize("alarm", EACH, ids=lambda alarm: alarm.slug)
def test_a_page_says_what_the_table_says_and_then_what_to_do(alarm: Alarm | Together) -> None:
    page = PAGES[alarm.slug]
    sections = re.split(r"^(?=## )", page, flags=re.MULTILINE)[1:]

    assert page.startswith(head(alarm) + FIRST_SECTION)
    assert SECTIONS == [section.partition("\n")[0] for section in sections]
    assert all(section.partition("\n")[2].strip() for section in sections)


def test_what_rings_together_links_to_each_of_it() -> None:
    for together in TOGETHER:
        linked = set(re.findall(r"\]\(([\w-]+)\.md\)", PAGES[together.slug]))
        assert set(together.of) <= linked


@pytest.mark.parametrize("slug", sorted(PAGES))
def test_what_a_page_links_exists(slug: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", PAGES[slug])

    assert [] == [link for link in links if not (FOLDER / link).exists() and link not in LATER]


@pytest.mark.parametrize(
    "command",
    sorted(
        {found for page in PAGES.values() for found in re.findall(r"`fiblake ([a-z][^`]*)`", page)}
    ),
)
def test_each_command_that_pages_name_exists(command: str) -> None:
    words = re.match(r"[a-z]+(?: (?:[a-z]+-[a-z]+|[a-z]+)\b(?!://))*", command)
    assert words
    result = CliRunner().invoke(app, [*words.group().split(), "--help"])

    assert 0 == result.exit_code, result.output
    assert [] == [each for each in re.findall(r"--[a-z-]+", command) if each not in result.output]


def test_each_setting_that_pages_name_exists() -> None:
    named = {
        found for page in PAGES.values() for found in re.findall(r"FIBLAKE_([A-Z0-9_]+)", page)
    }

    assert set() == named - {name.upper() for name in Settings.model_fields}


def test_each_line_of_a_log_that_pages_quote_is_logged() -> None:
    code = "\n".join(
        path.read_text("utf-8") for package in PACKAGES for path in (ROOT / package).rglob("*.py")
    )
    missing = [
        (slug, quoted)
        for slug, page in PAGES.items()
        for line in re.findall(r"^\* `aws logs tail .*(?:\n  .*)*", page, re.MULTILINE)
        for quoted in re.findall(r"`([^`]+ [^`]+)`", line.replace("\n  ", " "))
        if not quoted.startswith(("aws ", "docker "))
        if quoted.partition(" part=")[0] not in code
    ]

    assert [] == missing
