"""The page while a day is told again: bars form over those of the lake."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from fiblake import Lake
from tests.browser import keep_screenshot

FIBLAKE = str(Path(sys.executable).with_name("fiblake"))


@pytest.fixture(scope="module")
def url(sample_lake_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A lake that is served while its last day is told again, 240 times as fast."""
    options = ["--port", "0", "--lake", str(sample_lake_folder), "--feed", "replay:sample@240x"]
    environment = os.environ | {"FIBLAKE_STATE": str(tmp_path_factory.mktemp("state"))}
    command = [FIBLAKE, "up", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stderr is not None
        said = server.stderr.readline()
        found = re.search(r"http://\S+", said)
        assert found is not None, said
        yield found[0]
        server.terminate()


def told(page: Page, name: str) -> float:
    return float(page.locator("html").get_attribute(f"data-{name}") or 0)


def wait_until_higher(page: Page, name: str, than: float) -> None:
    page.wait_for_function(
        "([name, than]) => Number(document.documentElement.dataset[name]) > than", arg=[name, than]
    )


def test_bars_of_minutes_form_and_close(page: Page, url: str) -> None:
    page.goto(f"{url}#symbol=AAPL&interval=5m&adjustment=split")
    page.wait_for_selector("html[data-live-version]")
    expect(page.locator("#legend [data-field=state]")).to_contain_text("forming")
    bars, version = told(page, "bars"), told(page, "live-version")

    wait_until_higher(page, "bars", bars + 1)

    expect(page.locator("#live")).to_contain_text("2013-03-01")
    keep_screenshot(page, "page-live-5m")
    assert version > 0


def test_the_day_s_bar_changes_with_each_trade(page: Page, url: str, sample_lake: Lake) -> None:
    page.goto(f"{url}#symbol=IBM&interval=1d&adjustment=split")
    page.wait_for_selector("html[data-live-version]")
    version = told(page, "live-version")

    wait_until_higher(page, "liveVersion", version)

    # The day that is told again is the last that the lake has: its bar is there once.
    assert sample_lake.bars("IBM", "1d").height == told(page, "bars")
    keep_screenshot(page, "page-live-1d")


def test_a_bar_of_sessions_forms_with_the_day(page: Page, url: str, sample_lake: Lake) -> None:
    page.goto(f"{url}#symbol=AAPL&interval=13d&adjustment=split")
    page.wait_for_selector("html[data-live-version]")
    version = told(page, "live-version")

    wait_until_higher(page, "liveVersion", version)

    expect(page.locator("#legend [data-field=state]")).to_contain_text("forming")
    # The day counts once: the lake is taken as it was on its eve.
    assert sample_lake.bars("AAPL", "13d").height == told(page, "bars")
    keep_screenshot(page, "page-live-13d")


def test_an_alert_fires_and_the_page_tells_of_it(page: Page, url: str) -> None:
    page.goto(f"{url}#symbol=IBM&interval=1d&adjustment=split")
    page.wait_for_selector("html[data-live-version]")
    page.keyboard.press("n")
    form = page.locator("#alert-form")
    form.get_by_label("Name", exact=True).fill("any price")
    form.get_by_label("Level", exact=True).fill("1")
    form.get_by_role("button", name="Save").click()

    expect(page.locator("#alert-list")).to_contain_text("fired once, last 2013-03-01")
    expect(page.locator("#alert-list .state")).to_have_text("done")
    page.get_by_role("button", name="Firings").click()
    expect(page.locator("#firing-list")).to_contain_text("above 1.00")
    expect(page.locator("#firing-list")).to_contain_text("log delivered")
    keep_screenshot(page, "page-live-alerts")
