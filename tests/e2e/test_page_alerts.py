"""The alerts of the page in a real browser, over a real server, database and deliverer."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.access import Guarded, serving
from tests.alert_page import READY, VIEW, WHOLE, Server, lines, open_alerts, row, said
from tests.browser import keep_screenshot
from tests.receiving import SECRET, Receiver, always


def test_a_test_is_followed_until_it_is_dead_and_delivered_again(
    forgiving: Page, alert_server: Server, receive: Any
) -> None:
    page = forgiving
    hook: Receiver = receive(always("500 Internal Server Error"))
    open_alerts(page, alert_server)
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

    alert_server.make(500.0, name="mine", deliver=["log", "hook"])
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


def test_alerts_are_muted_and_deleted_once_that_is_confirmed(
    page: Page, alert_server: Server
) -> None:
    alert_server.make(500.0, name="mine")
    open_alerts(page, alert_server)

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
    assert [] == alert_server.rules()
    assert [] == lines(page)


def test_what_others_make_appears_and_all_symbols_are_listed(
    page: Page, alert_server: Server
) -> None:
    open_alerts(page, alert_server)
    alert_server.make(500.0)
    alert_server.make(30.0, symbol="MSFT")

    expect(page.locator("#alert-list > li")).to_have_count(1)
    page.get_by_role("group", name="Alerts of").get_by_role("button", name="all").click()
    expect(page.locator("#alert-list > li")).to_have_count(2)
    page.get_by_role("button", name="Chart of MSFT").click()
    page.wait_for_selector("html[data-state='ready'][data-symbol='MSFT']")
    expect(page.get_by_role("button", name="Chart of AAPL")).to_be_visible()

    page.reload()
    page.wait_for_selector(READY)
    expect(page.locator("#alert-list > li")).to_have_count(1)


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
    browser: Browser, alert_server: Server, scheme: Any
) -> None:
    alert_server.ask("POST", json=WHOLE)
    alert_server.make(500.0)
    size = {"width": 360, "height": 740}
    page = browser.new_context(viewport=size, color_scheme=scheme).new_page()  # type: ignore[arg-type]
    open_alerts(page, alert_server)

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
