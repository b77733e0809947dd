"""The page's panel of alerts: a server beside it, and what a user does and sees there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page

from serving_layer.auth import Access
from speed_layer.delivery.delivering import delivering
from tests.access import MakeGuarded, serving

VIEW = "#symbol=AAPL&interval=1d&adjustment=split"
READY = "html[data-state='ready'][data-alerts='ready']"
X = 200
"""Where on the chart there are no labels, px from its left."""
WHOLE = {
    "symbol": "AAPL",
    "name": "breakout",
    "when": {
        "kind": "close",
        "interval": "13d",
        "relation": "above",
        "than": {"range": 13},
        "state": "forming",
        "hours": "regular",
        "hysteresis_percent": 1.5,
    },
    "repeat": True,
    "cooldown_seconds": 3600,
    "active": {"days": ["mon", "fri"], "start": "09:30:15", "end": "23:59:59.999999"},
    "expires": "2030-01-02T03:04:05Z",
    "deliver": ["log"],
    "note": "look at it",
}


class Server:
    """A server with alerts, asked beside the page."""

    def __init__(self, url: str, access: Access) -> None:
        self.url = url
        self.access = access

    def ask(self, method: str, path: str = "", **others: Any) -> Any:
        """Return the answer to a request that must not fail."""
        answer = httpx.request(method, f"{self.url}v1/alerts{path}", timeout=30, **others)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def make(self, level: float = 500.0, symbol: str = "AAPL", **others: Any) -> str:
        """Return a new alert."""
        when = {"kind": "price", "relation": "above", "level": level}
        rule = {"symbol": symbol, "when": when, **others}
        return str(self.ask("POST", json=rule)["alert"])

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules of all alerts, in any order."""
        return [alert["rule"] for alert in self.ask("GET")["alerts"]]

    def level(self) -> float:
        """Return the level of the only alert."""
        (rule,) = self.rules()
        return float(rule["when"]["level"])


@pytest.fixture
def alert_server(make_guarded: MakeGuarded) -> Iterator[Server]:
    guarded = make_guarded(
        is_open_before_keys=True, webhook_allow="127.0.0.0/8", delivery_attempts=1
    )
    access = guarded.access
    with (
        serving(guarded.app) as host,
        delivering(access.settings, guarded.database, access.clock),
    ):
        yield Server(f"http://{host}/", access)


def open_alerts(page: Page, server: Server) -> None:
    page.goto(server.url + VIEW)
    page.wait_for_selector("html[data-state='ready']")
    page.keyboard.press("l")
    page.wait_for_selector(READY)


def row(page: Page, index: int = 0) -> Locator:
    return page.locator("#alert-list > li").nth(index)


def said(page: Page) -> Locator:
    return page.locator("#alerts-said")


def lines(page: Page) -> list[float]:
    """Return how high lines in the colour of levels are drawn across the chart: y on the page."""
    script = """() => [...document.querySelectorAll('#chart canvas')].flatMap((canvas) => {
      const { width, height } = canvas;
      if (width < 250 || !height) return [];
      const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
      const top = canvas.getBoundingClientRect().top;
      const found = [];
      for (let y = 0; y < height; y += 1) {
        let count = 0;
        for (let x = 0; x < width; x += 1) {
          const [r, g, b, a] = data.slice(4 * (y * width + x), 4 * (y * width + x) + 4);
          if (a > 200 && r < 60 && g > 70 && g < 120 && b > 170) count += 1;
        }
        if (count > width / 2) found.push(top + y);
      }
      return found;
    })"""
    found: list[float] = page.evaluate(script)
    return found


def wait_for_line(page: Page) -> float:
    for _ in range(300):
        if found := lines(page):
            return found[0]
        page.wait_for_timeout(100)
    pytest.fail("no level is drawn")


def chart_corner(page: Page) -> tuple[float, float]:
    box = page.locator("#chart").bounding_box()
    assert box is not None
    return box["x"], box["y"]


def press_at(page: Page, down_px: float) -> None:
    """Press at the chart, so far below its top."""
    left, top = chart_corner(page)
    page.mouse.click(left + X, top + down_px)


def drag(page: Page, start: float, end: float, *, is_released: bool = True) -> None:
    left, _ = chart_corner(page)
    page.mouse.move(left + X, start)
    page.mouse.down()
    page.mouse.move(left + X, end, steps=5)
    if is_released:
        page.mouse.up()


def fill(form: Locator, name: str, value: object) -> None:
    control = form.locator(f"[name={name}]")
    if control.evaluate("control => control.tagName") == "SELECT":
        control.select_option(str(value))
    else:
        control.fill(str(value))
