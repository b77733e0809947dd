"""The alerts of the page in a real browser, over a real server, database and deliverer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from serving_layer.auth import Access
from speed_layer.delivery.delivering import delivering
from tests.access import Guarded, MakeGuarded, serving
from tests.browser import keep_screenshot
from tests.receiving import SECRET, Receiver, always

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
def server(make_guarded: MakeGuarded) -> Iterator[Server]:
    guarded = make_guarded(
        is_open_before_keys=True, webhook_allow="127.0.0.0/8", delivery_attempts=1
    )
    access = guarded.access
    with (
        serving(guarded.app) as host,
        delivering(access.settings, guarded.database, access.clock),
    ):
        yield Server(f"http://{host}/", access)


@pytest.fixture
def forgiving(browser: Browser) -> Iterator[Page]:
    """A page that may log an error: as where the server refuses what it is asked for."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    yield page
    page.close()


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


def test_alt_and_a_press_make_an_alert_that_a_mouse_drags(page: Page, server: Server) -> None:
    open_alerts(page, server)
    expect(page.locator("#alerts-empty")).to_have_text("No alerts of AAPL yet.")

    page.keyboard.down("Alt")
    press_at(page, 150)
    page.keyboard.up("Alt")

    expect(said(page)).to_contain_text("An alert is kept: AAPL above")
    made = server.level()
    expect(row(page)).to_contain_text(f"price above {made:.2f}")
    at = wait_for_line(page)
    _, top = chart_corner(page)
    assert abs(at - (top + 150)) <= 2
    keep_screenshot(page, "page-alerts-light")

    drag(page, at, at + 80)
    expect(said(page)).to_contain_text("The level of AAPL is")
    assert server.level() < made
    assert abs(wait_for_line(page) - (at + 80)) <= 2

    # The button does what Alt does.
    page.get_by_role("button", name="Alert here").click()
    press_at(page, 60)
    expect(page.locator("#alert-list > li")).to_have_count(2)
    expect(page.get_by_role("button", name="Alert here")).to_have_attribute("aria-pressed", "false")
    assert [1, 2] == sorted(alert["revision"] for alert in server.ask("GET")["alerts"])


def drag(page: Page, start: float, end: float, *, is_released: bool = True) -> None:
    left, _ = chart_corner(page)
    page.mouse.move(left + X, start)
    page.mouse.down()
    page.mouse.move(left + X, end, steps=5)
    if is_released:
        page.mouse.up()


def test_a_finger_drags_a_level_and_neither_chart_nor_page_moves(
    browser: Browser, server: Server
) -> None:
    server.make(480.0)
    size = {"width": 360, "height": 700}
    page = browser.new_context(viewport=size, has_touch=True, is_mobile=True).new_page()  # type: ignore[arg-type]
    open_alerts(page, server)
    at = wait_for_line(page)
    touch = page.context.new_cdp_session(page)

    def send(kind: str, *points: float) -> None:
        told = [{"x": 100, "y": y} for y in points]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})

    send("touchStart", at + 8)
    for by in (10, 20, 40):
        send("touchMove", at + 8 + by)
    send("touchEnd")

    expect(said(page)).to_contain_text("The level of AAPL is")
    assert server.level() < 480
    assert 0 == page.evaluate("scrollY")
    page.context.close()


def test_a_level_that_cannot_be_kept_is_restored_and_why_is_told(
    forgiving: Page, server: Server
) -> None:
    page = forgiving
    alert = server.make(500.0)
    open_alerts(page, server)
    at = wait_for_line(page)

    drag(page, at, at + 60, is_released=False)
    expect(row(page)).to_contain_text("not kept yet")
    page.keyboard.press("Escape")
    expect(row(page)).not_to_contain_text("not kept yet")
    page.mouse.up()
    assert abs(wait_for_line(page) - at) <= 1

    drag(page, at, at + 60, is_released=False)
    expect(row(page)).to_contain_text("not kept yet")
    other = {"kind": "price", "relation": "above", "level": 490.0}
    changed = {"symbol": "AAPL", "when": other}

    def change_first(route: Route) -> None:
        # At the last moment: whatever was read before is of the revision before.
        server.ask("PUT", f"/{alert}", json=changed)
        route.continue_()

    page.route(f"**/v1/alerts/{alert}?*", change_first)
    page.mouse.up()

    expect(page.locator("#alerts-problem")).to_contain_text("Somebody else changed it")
    expect(row(page)).to_contain_text("price above 490.00")
    assert 490 == server.level()


def test_the_keyboard_moves_a_level_by_ticks(page: Page, server: Server) -> None:
    server.make(500.0, name="mine")
    open_alerts(page, server)
    slider = page.get_by_role("slider", name="Level of mine")
    slider.focus()

    for key in ("ArrowUp", "ArrowUp", "PageDown", "ArrowDown"):
        page.keyboard.press(key)
    expect(slider).to_have_attribute("aria-valuetext", "499.91, not kept yet")
    page.keyboard.press("Escape")
    expect(slider).to_have_attribute("aria-valuetext", "500.00")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")

    expect(said(page)).to_have_text("The level of mine is 500.01.")
    expect(page.get_by_role("slider", name="Level of mine")).to_be_focused()
    assert 500.01 == server.level()


KINDS: tuple[tuple[dict[str, Any], str, float], ...] = (
    ({"kind": "price", "relation": "crosses_up", "level": 512.5, "hysteresis_percent": 2}, "", 0),
    ({"kind": "move", "direction": "down", "percent": 3, "window": "15m"}, "", 0),
    ({"kind": "close", "interval": "13d", "relation": "below", "state": "forming"}, "range", 13),
    ({"kind": "close", "interval": "5m", "relation": "crosses", "hours": "extended"}, "level", 40),
    ({"kind": "close", "interval": "1d", "relation": "above"}, "average", 20),
    ({"kind": "volume", "interval": "1d", "times": 2.5, "average": 20}, "", 0),
)
"""What is filled in, and what a close is compared with."""


def test_the_form_makes_rules_of_every_kind(page: Page, server: Server) -> None:
    open_alerts(page, server)
    form = page.locator("#alert-form")

    for fields, than, value in KINDS:
        page.keyboard.press("n")
        expect(form).to_be_visible()
        for name, given in fields.items():
            fill(form, name, given)
        if than:
            fill(form, "than", than)
            fill(form, than, value)
        form.get_by_role("button", name="Save").click()
        expect(said(page)).to_have_text("The alert is kept.")
        page.locator("#chart").focus()

    made = [rule["when"] for rule in server.rules()]
    for fields, than, value in KINDS:
        told = fields | ({"than": {than: value}} if than else {})
        assert 1 == sum({**when, **told} == when for when in made)
    assert len(KINDS) == len(made)


def fill(form: Locator, name: str, value: object) -> None:
    control = form.locator(f"[name={name}]")
    if control.evaluate("control => control.tagName") == "SELECT":
        control.select_option(str(value))
    else:
        control.fill(str(value))


def test_the_form_gives_back_what_it_does_not_change(page: Page, server: Server) -> None:
    alert = server.ask("POST", json=WHOLE)
    open_alerts(page, server)
    expect(row(page)).to_contain_text("each time, at most every 1 h · Mon Fri 09:30\u201324:00")

    page.get_by_role("button", name="Edit breakout").click()
    expect(page.locator("#alert-form [name=range]")).to_have_value("13")
    keep_screenshot(page, "page-alerts-form")
    page.get_by_role("button", name="Save").click()

    expect(said(page)).to_have_text("The alert is changed.")
    now = server.ask("GET", f"/{alert['alert']}")
    assert (WHOLE, 2) == (now["rule"], now["revision"])


def test_conditions_of_others_are_written_as_json_and_their_levels_drawn(
    page: Page, server: Server
) -> None:
    server.make(500.0)
    open_alerts(page, server)
    page.get_by_role("button", name="Edit").click()
    form = page.locator("#alert-form")
    fill(form, "kind", "any")
    text = form.locator("textarea")
    told = text.input_value()

    text.fill(told[:-3])
    form.get_by_role("button", name="Save").click()
    expect(page.locator("#alert-form-problem")).to_contain_text("this is not JSON")
    expect(text).to_be_focused()
    other = '{"kind": "close", "interval": "1d", "relation": "below", "than": {"level": 450}}'
    text.fill(
        '{"kind": "any", "of": [{"kind": "price", "relation": "above", "level": 500},'
        f' {{"kind": "all", "of": [{other}]}}]}}'
    )
    form.get_by_role("button", name="Save").click()

    expect(row(page)).to_contain_text("price above 500.00 or 1d bar closes below 450.00")
    expect(page.get_by_role("slider")).to_have_count(2)
    wait_for_line(page)
    high, low = sorted(lines(page))
    drag(page, low, (high + low) / 2)
    expect(said(page)).to_contain_text("The level of AAPL is")
    (rule,) = server.rules()
    first, (second,) = rule["when"]["of"][0], rule["when"]["of"][1]["of"]
    assert (500, True) == (first["level"], 460 < second["than"]["level"] < 490)


def test_what_the_server_refuses_is_told_at_the_form(forgiving: Page, server: Server) -> None:
    page = forgiving
    open_alerts(page, server)
    page.get_by_role("button", name="New alert").click()
    form = page.locator("#alert-form")
    fill(form, "symbol", "NOPE")
    form.get_by_role("button", name="Save").click()
    expect(page.locator("#alert-form-problem")).to_contain_text("NOPE: no such symbol")

    fill(form, "symbol", "AAPL")
    fill(form, "kind", "close")
    fill(form, "than", "range")
    fill(form, "range", "13")
    fill(form, "relation", "crosses")
    form.get_by_role("button", name="Save").click()

    expect(page.locator("#alert-form-problem")).to_contain_text("of a range there is no crosses")
    assert [] == server.rules()
    # Bounds are those of the schema, and hold before anything is asked.
    fill(form, "range", "251")
    expect(form.locator("[name=range]")).to_have_attribute("max", "250")
    assert not form.evaluate("form => form.checkValidity()")


def test_a_test_is_followed_until_it_is_dead_and_delivered_again(
    forgiving: Page, server: Server, receive: Any
) -> None:
    page = forgiving
    hook: Receiver = receive(always("500 Internal Server Error"))
    open_alerts(page, server)
    page.get_by_role("button", name="Destinations").click()
    page.get_by_label("New destination").get_by_label("Name").fill("hook")
    page.get_by_label("URL").fill(hook.url)
    page.get_by_label("Secret").fill("whsec_short")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("#destination-problem")).to_contain_text("whsec_")
    page.get_by_label("Secret").fill(SECRET)
    page.get_by_role("button", name="Add").click()
    expect(page.locator("#destination-list")).to_contain_text(hook.url)
    expect(page.get_by_label("Secret")).to_have_value("")
    assert SECRET not in page.content()

    server.make(500.0, name="mine", deliver=["log", "hook"])
    page.locator("[data-tab=list]").click()
    page.get_by_role("button", name="Send a test of mine").click()
    expect(said(page)).to_contain_text("hook dead after 1 attempt: ")
    expect(said(page)).to_contain_text("log delivered")

    hook.answers = always()
    page.get_by_role("button", name="Firings").click()
    expect(page.locator("#firing-list")).to_contain_text("hook dead")
    keep_screenshot(page, "page-alerts-firings")
    page.get_by_role("button", name="Deliver again").click()
    expect(page.locator("#firing-list")).to_contain_text("hook delivered")
    assert 2 == len(hook.wait(2))

    page.get_by_role("button", name="Destinations").click()
    page.get_by_role("button", name="Remove hook").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("#alerts-problem")).to_contain_text("hook")
    expect(page.locator("#destination-list")).to_contain_text(hook.url)


def test_alerts_are_muted_and_deleted_once_that_is_confirmed(page: Page, server: Server) -> None:
    server.make(500.0, name="mine")
    open_alerts(page, server)

    page.get_by_role("button", name="Mute mine").click()
    page.get_by_role("button", name="until unmuted").click()
    expect(row(page).locator(".state")).to_have_text("muted")
    page.get_by_role("button", name="Unmute mine").click()
    expect(row(page).locator(".state")).to_have_text("waiting")

    page.get_by_role("button", name="Delete mine").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Delete mine")).to_be_focused()
    page.get_by_role("button", name="Delete mine").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(said(page)).to_have_text("mine is deleted.")
    expect(page.locator("#alert-list > li")).to_have_count(0)
    assert [] == server.rules()
    assert [] == lines(page)


def test_what_others_make_appears_and_all_symbols_are_listed(page: Page, server: Server) -> None:
    open_alerts(page, server)
    server.make(500.0)
    server.make(30.0, symbol="MSFT")

    expect(page.locator("#alert-list > li")).to_have_count(1)
    page.get_by_role("group", name="Alerts of").get_by_role("button", name="all").click()
    expect(page.locator("#alert-list > li")).to_have_count(2)
    page.get_by_role("button", name="Chart of MSFT").click()
    page.wait_for_selector("html[data-state='ready'][data-symbol='MSFT']")
    expect(page.get_by_role("button", name="Chart of AAPL")).to_be_visible()

    page.reload()
    page.wait_for_selector(READY)
    expect(page.locator("#alert-list > li")).to_have_count(1)


def test_a_dry_run_tells_and_marks_when_a_rule_would_have_fired(page: Page, server: Server) -> None:
    server.ask("POST", json=WHOLE | {"active": None})
    open_alerts(page, server)
    page.get_by_role("button", name="13d", exact=True).click()
    page.wait_for_selector("html[data-state='ready'][data-interval='13d']")
    page.get_by_role("button", name="Edit breakout").click()
    before = page.locator("#chart").screenshot()
    expect(page.get_by_label("From", exact=True)).to_have_value("")
    page.get_by_label("From", exact=True).fill("2005-01-03")
    page.get_by_label("To", exact=True).fill("2012-06-29")
    page.get_by_role("button", name="Dry run").click()

    answer = server.ask(
        "POST", "/dry-run?start=2005-01-03&end=2012-06-29", json=WHOLE | {"active": None}
    )
    assert answer["fired"] > 1
    result = page.locator(".dry-run")
    expect(result).to_contain_text(f"It would have fired {answer['fired']} times: AAPL")
    cells = [result.locator("tbody tr").nth(index) for index in range(5)]
    for cell, outcome in zip(cells, answer["outcomes"], strict=True):
        sign = "\u2212" if outcome["mean_percent"] < 0 else "+"
        mean = f"{sign}{abs(outcome['mean_percent']):.2f}%"
        expect(cell).to_contain_text(f"{outcome['sessions']}{outcome['count']}{mean}")
    assert before != page.locator("#chart").screenshot()
    keep_screenshot(page, "page-alerts-dry-run")

    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#alert-list > li")).to_have_count(1)


def test_a_dry_run_is_of_all_there_is_and_tells_of_a_rule_that_is_over(
    page: Page, server: Server
) -> None:
    open_alerts(page, server)
    page.get_by_role("button", name="New alert").click()
    form = page.locator("#alert-form")
    fill(form, "expires", "2001-02-03T04:05")
    page.get_by_role("button", name="Dry run").click()

    result = page.locator(".dry-run")
    expect(result).to_contain_text("sessions from 2000-03-01 to 2013-03-01")
    expect(result).to_contain_text("It expired 2001-02-02 23:05:00 exchange time")


def test_times_of_a_day_are_typed_at_a_clock(page: Page, server: Server) -> None:
    open_alerts(page, server)
    page.get_by_role("button", name="New alert").click()
    form = page.locator("#alert-form")
    page.get_by_label("Only at certain times").check()
    expect(form.locator("[name=end]")).to_have_value("")
    fill(form, "start", "09:45")
    expect(form.locator("[name=start]")).to_have_attribute("type", "time")
    form.get_by_role("button", name="Save").click()

    expect(said(page)).to_have_text("The alert is kept.")
    (rule,) = server.rules()
    active = rule["active"]
    assert ("09:45:00", "23:59:59.999999") == (active["start"], active["end"])


def test_without_the_scope_the_panel_says_so(forgiving: Page, guarded: Guarded) -> None:
    page = forgiving
    with serving(guarded.app) as host:
        page.goto(f"http://{host}/{VIEW}")
        page.get_by_label("This server asks for a key").fill(guarded.key("read").secret)
        page.get_by_role("button", name="Use this key").click()
        page.wait_for_selector("html[data-state='ready']")
        page.get_by_role("button", name="Alerts", exact=True).click()

        page.wait_for_selector("html[data-alerts='refused']")
        expect(page.locator("#alerts-problem")).to_contain_text("Alerts need a key with the scope")
        expect(page.locator("#alerts-body")).to_be_hidden()
        page.goto("about:blank")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_every_control_has_a_name(
    browser: Browser, server: Server, scheme: Any
) -> None:
    server.ask("POST", json=WHOLE)
    server.make(500.0)
    size = {"width": 360, "height": 740}
    page = browser.new_context(viewport=size, color_scheme=scheme).new_page()  # type: ignore[arg-type]
    open_alerts(page, server)

    for part in ("list", "firings", "destinations", "form"):
        if part == "form":
            page.locator("[data-tab=list]").click()
            page.get_by_role("button", name="Edit breakout").click()
            expect(page.locator("#alert-form")).to_be_visible()
        else:
            page.locator(f"[data-tab={part}]").click()
        page.locator("#alerts").scroll_into_view_if_needed()
        keep_screenshot(page, f"page-alerts-{part}-360-{scheme}")
        assert 360 == page.evaluate("document.documentElement.scrollWidth")
        assert [] == nameless(page)
    page.context.close()


def nameless(page: Page) -> list[str]:
    """Return the controls of the panel that are told to nobody who cannot see."""
    script = """() => {
      const nameOf = (each) => each.ariaLabel || (each.labels?.[0] ?? each).textContent.trim();
      return [...document.querySelectorAll('#alerts :is(button, input, select, textarea)')]
        .filter((each) => !nameOf(each)).map((each) => each.outerHTML);
    }"""
    found: list[str] = page.evaluate(script)
    return found
