"""The chart page in a real browser, served and as a file of its own. Screenshots are kept."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from fiblake import Lake
from fiblake.demo import run_demo
from fiblake.output import Output
from serving_layer.page import self_contained_page
from tests.browser import keep_screenshot

FIBLAKE = str(Path(sys.executable).with_name("fiblake"))


@pytest.fixture(scope="module")
def url(sample_lake_folder: Path) -> Iterator[str]:
    command = [FIBLAKE, "up", "--port", "0", "--lake", str(sample_lake_folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        said = server.stderr.readline()
        found = re.search(r"http://\S+", said)
        assert found is not None, said
        yield found[0]
        server.terminate()


def shown(page: Page, *, interval: str, symbol: str = "AAPL", adjustment: str = "split") -> int:
    """Wait until a view is drawn and return how many bars it has."""
    view = f"[data-symbol='{symbol}'][data-interval='{interval}'][data-adjustment='{adjustment}']"
    page.wait_for_selector(f"html[data-state='ready']{view}")
    return int(page.locator("html").get_attribute("data-bars") or 0)


def coloured_pixels(page: Page) -> int:
    """Count pixels on the chart that are neither grey nor white: those of drawn bars."""
    script = """() => [...document.querySelectorAll('#chart canvas')].reduce((sum, canvas) => {
      if (!canvas.width || !canvas.height) return sum;
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      for (let i = 0; i < data.length; i += 4) {
        const [r, g, b, a] = data.slice(i, i + 4);
        if (a > 100 && Math.max(r, g, b) - Math.min(r, g, b) > 60) sum += 1;
      }
      return sum;
    }, 0)"""
    return int(page.evaluate(script))


def picture(page: Page) -> bytes:
    """What is drawn, once the chart is at rest."""
    last = b""
    while (now := page.locator("#chart").screenshot()) != last:
        last = now
    return last


def test_the_page_draws_bars_and_switches_intervals(
    page: Page, url: str, sample_lake: Lake
) -> None:
    page.goto(url)
    assert sample_lake.bars("AAPL", "13d").height == shown(page, interval="13d")
    assert coloured_pixels(page) > 2000
    keep_screenshot(page, "page-light")
    pictures = {picture(page)}

    for interval in ("1d", "3d", "5d", "8d", "21d", "34d"):
        page.get_by_role("button", name=interval, exact=True).click()
        assert sample_lake.bars("AAPL", interval).height == shown(page, interval=interval)
        assert coloured_pixels(page) > 500
        pictures.add(picture(page))
        last = sample_lake.bars("AAPL", interval).row(-1, named=True)
        expect(page.locator("#legend [data-field=span]")).to_contain_text(str(last["start"]))
        expect(page.locator("#legend [data-field=volume]")).to_have_text(f"{last['volume']:,.0f}")
    assert 7 == len(pictures)


def test_the_forming_bar_is_shown_as_such_with_the_boundary(page: Page, url: str) -> None:
    page.goto(url)
    shown(page, interval="13d")

    expect(page.locator("#legend [data-field=state]")).to_contain_text("forming")
    expect(page.locator("#extent")).to_contain_text("2013-03-01")


def first_open(page: Page) -> float:
    """What the legend tells of the first bar that there is, gone to with the keyboard."""
    page.keyboard.press("c")
    page.keyboard.press("Home")
    return float(page.locator("#legend [data-field=open]").inner_text())


def test_raw_prices_show_before_the_splits_what_was_paid(
    page: Page, url: str, sample_lake: Lake
) -> None:
    page.goto(f"{url}#symbol=AAPL&interval=1d&adjustment=split")
    shown(page, interval="1d")
    adjusted = first_open(page)
    drawn = picture(page)
    page.get_by_role("button", name="raw", exact=True).click()
    shown(page, interval="1d", adjustment="raw")
    paid = first_open(page)

    assert drawn != picture(page)
    raw = sample_lake.bars("AAPL", "1d", adjustment="raw")["open"][0]
    assert (round(raw, 2), round(raw / 4, 2)) == (paid, adjusted)
    keep_screenshot(page, "page-raw")

    page.keyboard.press("a")
    shown(page, interval="1d", adjustment="all")
    everything = sample_lake.bars("AAPL", "1d", adjustment="all")["open"][0]
    assert round(everything, 2) == first_open(page)
    page.go_back()
    shown(page, interval="1d", adjustment="raw")


def test_a_symbol_is_found_by_typing_and_the_view_can_be_shared(page: Page, url: str) -> None:
    page.goto(url)
    shown(page, interval="13d")
    page.get_by_role("combobox").fill("ms")
    page.get_by_role("option", name="MSFT").click()
    shown(page, symbol="MSFT", interval="13d")

    page.reload()

    assert shown(page, symbol="MSFT", interval="13d") > 0


def test_dark_is_dark_and_is_remembered(page: Page, url: str) -> None:
    page.goto(url)
    shown(page, interval="13d")
    page.get_by_role("button", name="Dark theme").click()
    page.reload()
    shown(page, interval="13d")

    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red, green, blue = (int(part) for part in re.findall(r"\d+", background)[:3])
    assert max(red, green, blue) < 80
    keep_screenshot(page, "page-dark")


def test_an_unknown_symbol_is_said_to_be_unknown(browser: Browser, url: str) -> None:
    # The browser itself logs a 404, so this page may log errors.
    page = browser.new_page()
    page.goto(f"{url}#symbol=NOPE&interval=13d&adjustment=split")
    page.wait_for_selector("html[data-state='error']")

    expect(page.get_by_role("alert")).to_contain_text("NOPE: no such symbol in the lake")
    page.close()


def test_the_page_as_one_file_needs_no_server(
    page: Page, sample_lake: Lake, tmp_path: Path
) -> None:
    path = tmp_path / "chart.html"
    path.write_text(self_contained_page(sample_lake.reader), "utf-8")

    page.goto(path.as_uri())
    assert sample_lake.bars("AAPL", "13d").height == shown(page, interval="13d")
    page.get_by_role("button", name="34d", exact=True).click()
    assert sample_lake.bars("AAPL", "34d").height == shown(page, interval="34d")
    page.get_by_role("button", name="raw", exact=True).click()
    shown(page, interval="34d", adjustment="raw")
    assert coloured_pixels(page) > 500
    page.keyboard.press("w")
    expect(page.locator("[data-watched='AAPL'] .price")).to_have_text("430.47")
    page.keyboard.press("l")
    expect(page.locator("#alerts, #alerts-button")).to_have_count(2)
    expect(page.locator(":is(#alerts, #alerts-button):visible")).to_have_count(0)


def test_the_demo_makes_its_page_anew_only_if_the_lake_has_changed(
    own_sample_lake: Lake, tmp_path: Path
) -> None:
    path = tmp_path / "demo.html"
    run_demo(own_sample_lake, path, Output())
    made = path.stat().st_mtime_ns

    run_demo(own_sample_lake, path, Output())
    assert made == path.stat().st_mtime_ns

    own_sample_lake.resample(["34d"], force=True)
    run_demo(own_sample_lake, path, Output())
    assert made < path.stat().st_mtime_ns
