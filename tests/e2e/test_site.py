"""The documentation site: built as `make docs` builds it, read as a file without the internet."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from playwright.sync_api import Page, expect

from fiblake.cli import app
from lake.metrics import CATALOGUE
from lake.settings import Settings
from tests.browser import keep_screenshot

ROOT = Path(__file__).parents[2]
FOREIGN = re.compile(r"""(?:src|href)=["'](https?:)?//[^"']+\.(?:js|css|woff2?)\b""")


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of the repository into a folder; a warning is an error."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert 0 == done.returncode, done.stderr
    return folder


def told(site: Path, name: str) -> str:
    return (site / name).read_text("utf-8")


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))

    assert len(pages) > 40
    assert [] == [path.name for path in pages if FOREIGN.search(path.read_text("utf-8"))]


def test_the_reference_has_every_setting_command_and_metric(site: Path) -> None:
    settings = [f"FIBLAKE_{name.upper()}" for name in Settings.model_fields]
    commands = [f"fiblake {name}" for name in typer.main.get_command(app).commands]  # type: ignore[attr-defined]

    assert [] == [
        name for name in settings if f">{name}<" not in told(site, "reference/settings.html")
    ]
    assert [] == [
        name for name in commands if f"{name}<" not in told(site, "reference/commands.html")
    ]
    assert [] == [
        each.name
        for each in CATALOGUE
        if f">{each.name}<" not in told(site, "reference/metrics.html")
    ]


def test_every_setting_says_what_it_is() -> None:
    fields = Settings.model_fields.items()

    assert [] == [name for name, field in fields if not (field.description or "").strip()]


@pytest.mark.parametrize(
    ("page", "told_there"),
    [
        ("reference/api.html", ["GET /v1/bars/{symbol}", "POST /v1/keys", "BarsAnswer"]),
        ("reference/python.html", ["known_at", "UnknownSymbolError", "reconnect_s"]),
        ("reference/rules.html", ["hysteresis_percent", "cooldown_seconds"]),
        ("reference/columns.html", ["known_from", "Daily history"]),
        ("reference/errors.html", ["too_many_requests", "HTTP"]),
        ("decisions.html", ["pandas_market_calendars"]),
        ("changelog.html", ["Unreleased"]),
    ],
)
def test_what_is_made_from_the_code_is_there(site: Path, page: str, told_there: list[str]) -> None:
    text = told(site, page)

    assert [] == [each for each in told_there if each not in text]
    assert "<!-- generated" not in text


def test_the_search_finds_a_message_in_a_site_that_is_opened_as_a_file(
    site: Path, page: Page
) -> None:
    page.goto((site / "index.html").as_uri())
    page.get_by_label("Search", exact=True).first.fill("no such symbol in the lake")

    expect(page.locator(".md-search-result__item").first).to_contain_text("UnknownSymbolError")


def test_the_merge_is_a_picture_that_follows_the_page_s_scheme(site: Path, page: Page) -> None:
    page.goto((site / "merge.html").as_uri())
    picture = page.get_by_role("img", name="How a bar of five sessions is merged")
    paper = picture.locator(".paper")
    expect(picture).to_be_visible()
    light = paper.evaluate("node => getComputedStyle(node).fill")
    keep_screenshot(page, "merge")

    page.emulate_media(color_scheme="dark")
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "slate")
    dark = paper.evaluate("node => getComputedStyle(node).fill")

    assert ("rgb(245, 246, 250)", "rgb(30, 34, 49)") == (light, dark)


@pytest.mark.parametrize("name", ["index", "merge", "tutorial/laptop", "reference/settings"])
def test_a_phone_need_not_be_pushed_sideways(site: Path, page: Page, name: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto((site / f"{name}.html").as_uri())

    assert 390 == page.evaluate("document.documentElement.scrollWidth")
