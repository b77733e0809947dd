"""The page while its test is the feed: what it puts into a view comes to the page by the stream."""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, ViewportSize, WebSocketRoute, expect

from fiblake import Lake
from lake.settings import Settings
from serving_layer.app import create_app
from speed_layer.views import View, open_view
from tests.access import serving
from tests.browser import keep_screenshot
from tests.live import NO_BARS, NO_PRICES, bar, bars_of, price, prices_of
from tests.parts import RedisServer
from tests.restarting import Served

MONDAY = dt.date(2013, 3, 4)
"""The session after the sample's last."""
OPEN = 1_362_407_400_000_000
"""09:30 in New York on that day, in microseconds."""
MINUTE = 60_000_000
LOST = re.compile("lost|does not answer|connecting")
NO_SOCKETS = """window.WebSocket = class {
  constructor() { setTimeout(() => this.onclose({ code: 1006, reason: '' })); }
  close() {}
}"""
"""As behind a proxy that passes none."""


@pytest.fixture(scope="module")
def shared(redis_server: RedisServer) -> dict[str, str]:
    """The settings of the view."""
    prefix = f"page-{uuid.uuid4().hex}-"
    return {"view": "redis", "redis_url": redis_server.url, "redis_prefix": prefix}


@pytest.fixture(scope="module")
def feed(shared: dict[str, str]) -> Iterator[View]:
    """What the test puts into; each test has bars of its own symbol."""
    view = open_view(Settings.model_validate(shared))
    yield view
    view.close()


@pytest.fixture(scope="module")
def served(
    sample_lake_folder: Path, shared: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """`fiblake up`, which shares the view."""
    folder = tmp_path_factory.mktemp("up")
    settings = {f"FIBLAKE_{name.upper()}": value for name, value in shared.items()}
    served = Served(sample_lake_folder, folder / "log", FIBLAKE_STATE=str(folder), **settings)
    try:
        served.start()
        yield served
    finally:
        served.kill()


def put_price(feed: View, at: float, version: int, symbol: str = "AAPL") -> None:
    told = price(symbol, version, session=MONDAY, price=at, time=OPEN + version, received=OPEN)
    feed.put(NO_BARS, prices_of(told))


def put_bar(feed: View, symbol: str, index: int, version: int, **others: Any) -> None:
    """Tell of the 5m bar with this index of the session."""
    told = bar(
        symbol,
        version,
        interval="5m",
        session=MONDAY,
        start=OPEN + 5 * index * MINUTE,
        **{"open": 430.0, "high": 436.0, "low": 429.0, "close": 431.0, "vwap": 430.5} | others,
    )
    feed.put(bars_of(told), NO_PRICES)


def is_told(page: Page, **told: object) -> None:
    """Wait until the page tells so: `live_state="final"` is its data-live-state."""
    wanted = "".join(f"[data-{name.replace('_', '-')}='{value}']" for name, value in told.items())
    page.wait_for_selector(f"html{wanted}")


def watch_by_keyboard(page: Page, typed: str, symbol: str) -> None:
    page.keyboard.press("/")
    page.keyboard.type(typed)
    expect(page.get_by_role("option", name=symbol)).to_be_visible()
    page.keyboard.press("Enter")
    is_told(page, symbol=symbol, state="ready")
    page.locator("body").click(position={"x": 2, "y": 2})
    page.keyboard.press("w")


def test_the_watchlist_has_live_prices_and_their_change_since_the_close(
    served: Served, page: Page, feed: View
) -> None:
    page.goto(f"{served.url}#symbol=AAPL&interval=1d&adjustment=split")
    is_told(page, connection="stream", symbol="AAPL", state="ready")
    page.keyboard.press("w")
    watch_by_keyboard(page, "ms", "MSFT")
    apple, microsoft = (page.locator(f"[data-watched='{name}']") for name in ("AAPL", "MSFT"))
    expect(apple).to_contain_text("430.47")
    expect(microsoft).to_contain_text("close 2013-03-01")

    put_price(feed, 431.47, 1)
    expect(apple.locator(".price")).to_have_text("431.47")
    expect(apple.locator(".change")).to_have_text("▲ +1.00 +0.23 %")
    put_price(feed, 428.47, 2)
    expect(apple.locator(".change")).to_have_text("▼ \u22122.00 \u22120.46 %")
    expect(
        apple.get_by_role("button", name="AAPL, 428.47, live, down 2.00, 0.46 %")
    ).to_be_visible()

    page.reload()
    expect(apple.locator(".price")).to_have_text("428.47")
    page.keyboard.press("j")
    is_told(page, symbol="AAPL", state="ready")
    expect(page.locator("#live")).to_contain_text("live 428.47 at 2013-03-04 09:30:00 (massive")
    microsoft.hover()
    page.get_by_role("button", name="Remove MSFT from the watchlist").click()
    expect(microsoft).to_have_count(0)
    assert ["AAPL"] == json.loads(page.evaluate("localStorage.fiblakeWatchlist"))


def test_a_bar_forms_and_closes_and_the_next_one_begins(
    served: Served, page: Page, feed: View
) -> None:
    page.goto(f"{served.url}#symbol=IBM&interval=5m&adjustment=split")
    is_told(page, connection="stream", state="empty")
    state = page.locator("#legend [data-field=state]")

    put_bar(feed, "IBM", 0, 2)
    is_told(page, state="ready", bars=1, live="431", live_state="forming")
    expect(state).to_have_text("forming")
    keep_screenshot(page, "page-forming")
    put_bar(feed, "IBM", 0, 3, close=434.5)
    is_told(page, live="434.5", live_state="forming")
    put_bar(feed, "IBM", 0, 4, close=434.0, state="final")
    is_told(page, live="434", live_state="final", bars=1)
    expect(state).to_have_text("final")
    put_bar(feed, "IBM", 1, 2, open=434.0, close=435.0)
    is_told(page, live="435", live_state="forming", bars=2)

    page.keyboard.press("c")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#bar-told")).to_contain_text("close 434.00")
    expect(state).to_have_text("final")


def test_a_bar_of_sessions_takes_in_the_live_day(served: Served, page: Page, feed: View) -> None:
    page.goto(f"{served.url}#symbol=AAPL&interval=13d&adjustment=all")
    is_told(page, connection="stream", state="ready")
    bars = page.locator("html").get_attribute("data-bars")

    day = {"interval": "1d", "session": MONDAY, "start": OPEN}
    told = {"open": 427.8, "high": 428.2, "low": 419.0, "close": 420.05, "vwap": 422.0}
    feed.put(bars_of(bar("AAPL", 2, **day, **told)), NO_PRICES)

    is_told(page, live="420.05", bars=bars, live_state="forming")
    expect(page.locator("#legend [data-field=span]")).to_have_text("2013-02-19 \u2013 2013-03-04")
    # Within a session, nothing is adjusted for dividends.
    page.get_by_role("button", name="4h", exact=True).click()
    is_told(page, interval="4h", adjustment="split")
    expect(page.get_by_role("button", name="all", exact=True)).to_be_disabled()


def test_a_commit_amid_a_question_leaves_the_page_its_history(served: Served, page: Page) -> None:
    shown: list[str | None] = []
    socket: list[WebSocketRoute] = []

    def listen(route: WebSocketRoute) -> None:
        route.connect_to_server()
        socket.append(route)

    def commit_first(route: Route) -> None:
        if "start=" in route.request.url and not shown:
            shown.append(page.get_attribute("html", "data-bars"))
            told = {"type": "status", "live": "merged", "boundary": "2013-03-03"}
            socket[0].send(json.dumps(told))
            # As long as the page takes to hear of it.
            page.wait_for_timeout(300)
        route.continue_()

    page.route_web_socket("**/v1/stream", listen)
    page.route("**/v1/bars/**", commit_first)
    page.goto(f"{served.url}#symbol=IBM&interval=13d&adjustment=all")
    page.wait_for_selector("html[data-live-version]")
    # Twice as long as until it asks again.
    page.wait_for_timeout(1000)

    assert shown == [page.get_attribute("html", "data-bars")]
    page.unroute_all(behavior="ignoreErrors")


def test_the_page_comes_back_after_its_server_was_killed(
    browser: Browser, served: Served, feed: View
) -> None:
    # The browser itself logs that nothing answers, so this page may log errors.
    page = browser.new_page()
    put_bar(feed, "GOOG", 0, 2)
    page.goto(f"{served.url}#symbol=GOOG&interval=5m&adjustment=split")
    is_told(page, connection="stream", live="431")

    served.kill()
    is_told(page, connection="waiting")
    expect(page.locator("#retry")).to_contain_text("the stream again in")
    expect(page.locator("#connection")).to_contain_text(LOST)
    page.keyboard.press("]")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")
    page.go_back()
    is_told(page, interval="5m", state="error")
    put_bar(feed, "GOOG", 0, 3, close=432.0, state="final")
    put_bar(feed, "GOOG", 1, 2, close=433.0)
    served.start()

    is_told(page, connection="stream", live="433", bars=2)
    put_bar(feed, "GOOG", 1, 3, close=435.5)
    is_told(page, live="435.5")
    page.close()


def test_the_page_begins_once_its_server_answers(browser: Browser, served: Served) -> None:
    # The browser itself logs that nothing answers.
    page = browser.new_page()
    page.route("**/v1/**", lambda route: route.abort())
    page.goto(served.url)
    is_told(page, state="error")
    page.keyboard.press("w")
    assert page.evaluate("localStorage.fiblakeWatchlist") is None
    page.unroute_all(behavior="ignoreErrors")

    is_told(page, state="ready", connection="stream")
    expect(page.get_by_role("button", name="13d", exact=True)).to_be_visible()
    page.close()


def test_the_page_says_that_the_view_is_away_and_when_it_is_back(
    browser: Browser, sample_lake: Lake
) -> None:
    # The browser itself logs that there are no bars meanwhile.
    page = browser.new_page()
    redis = RedisServer()
    redis.start()
    view = open_view(
        Settings.model_validate({"view": "redis", "redis_url": redis.url, "redis_attempts": 1})
    )
    put_bar(view, "AAPL", 0, 2)
    try:
        with serving(create_app(sample_lake.reader, view)) as host:
            page.goto(f"http://{host}/#symbol=AAPL&interval=5m&adjustment=split")
            is_told(page, connection="stream", live="431")
            redis.stop()
            expect(page.locator("#live")).to_contain_text("live prices are away")
            redis.start()
            put_bar(view, "AAPL", 0, 3, close=432.0)
            is_told(page, live="432")
            expect(page.locator("#live")).not_to_contain_text("away")
            page.close()
    finally:
        view.close()
        redis.stop()


def test_where_the_socket_cannot_be_had_the_page_asks_instead(
    browser: Browser, served: Served, feed: View
) -> None:
    page = browser.new_page()
    page.add_init_script(NO_SOCKETS)
    page.add_init_script("localStorage.fiblakeWatchlist = '[\"GOOG\"]'")
    put_bar(feed, "MSFT", 0, 2)
    page.goto(f"{served.url}#symbol=MSFT&interval=5m&adjustment=split")

    is_told(page, connection="polling", live="431")
    expect(page.locator("#connection")).to_have_text(
        "live by asking each second: the stream cannot be had"
    )
    put_bar(feed, "MSFT", 0, 3, close=432.0)
    put_price(feed, 432.0, 1, "GOOG")
    is_told(page, live="432")
    expect(page.locator("[data-watched='GOOG'] .price")).to_have_text("432.00")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone(browser: Browser, served: Served, feed: View, scheme: Any) -> None:
    context = browser.new_context(
        viewport=ViewportSize(width=360, height=740),
        color_scheme=scheme,
        has_touch=True,
        is_mobile=True,
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.add_init_script('localStorage.fiblakeWatchlist = \'["FB","MSFT","IBM"]\'')
    put_bar(feed, "FB", 0, 2)
    put_price(feed, 431.0, 1, "FB")
    page.goto(f"{served.url}#symbol=FB&interval=5m&adjustment=split")
    is_told(page, connection="stream", live="431")
    expect(page.locator("[data-watched='FB'] .price")).to_have_text("431.00")

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, input')].filter((each) => {
          const { width, height } = each.getBoundingClientRect();
          return width && (width < 38 || height < 38);
        }).map((each) => each.outerHTML)"""
    )
    assert [] == small
    page.get_by_role("button", name=re.compile("^IBM")).tap()
    is_told(page, symbol="IBM")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightest = max(int(part) for part in re.findall(r"\d+", background)[:3])
    assert ("dark" if brightest < 80 else "light") == scheme
    page.get_by_role("button", name="13d", exact=True).tap()
    is_told(page, symbol="IBM", interval="13d", state="ready")
    expect(page.locator("#legend [data-field=state]")).to_be_visible()
    keep_screenshot(page, f"page-phone-{scheme}")
    assert [] == faults
    context.close()


def test_help_lists_the_shortcuts_and_focus_is_seen(served: Served, page: Page) -> None:
    page.goto(f"{served.url}#symbol=AAPL&interval=13d&adjustment=split")
    is_told(page, state="ready", connection="stream")
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Shortcuts")
    expect(help_).to_contain_text("next, previous of the watchlist")
    keep_screenshot(page, "page-help")
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()

    page.keyboard.press("]")
    is_told(page, interval="21d", state="ready")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert "solid" == outline
