"""A real browser for tests of the page. Screenshots are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.parts import chromium

ARTEFACTS = Path(__file__).parents[1] / "artefacts"
# How long a busy machine may take.
expect.set_options(timeout=30_000)
# Without a network, a browser that looks for updates is only noise.
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that must not log an error or ask another host."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda asked: faults.append(asked.url) if is_foreign(asked.url) else None)
    yield page
    context.close()
    assert [] == faults


@pytest.fixture
def forgiving(browser: Browser) -> Iterator[Page]:
    """A page that may log an error: as where the server refuses what it is asked for."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    yield page
    page.close()


def is_foreign(url: str) -> bool:
    return re.match(r"(https?://127\.0\.0\.1[:/]|file:|data:|blob:)", url) is None


def keep_screenshot(page: Page, name: str) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png")
