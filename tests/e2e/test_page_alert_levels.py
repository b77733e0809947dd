"""Levels of alerts on the page's chart: made by a press, moved by mouse, finger and keys."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, Route, expect

from tests.alert_page import (
    Server,
    chart_corner,
    drag,
    open_alerts,
    press_at,
    row,
    said,
    wait_for_line,
)
from tests.browser import keep_screenshot


def test_alt_and_a_press_make_an_alert_that_a_mouse_drags(page: Page, alert_server: Server) -> None:
    open_alerts(page, alert_server)
    expect(page.locator("#alerts-empty")).to_have_text("No alerts of AAPL yet.")

    page.keyboard.down("Alt")
    press_at(page, 150)
    page.keyboard.up("Alt")

    expect(said(page)).to_contain_text("An alert is kept: AAPL above")
    made = alert_server.level()
    expect(row(page)).to_contain_text(f"price above {made:.2f}")
    at = wait_for_line(page)
    _, top = chart_corner(page)
    assert abs(at - (top + 150)) <= 2
    keep_screenshot(page, "page-alerts-light")

    drag(page, at, at + 80)
    expect(said(page)).to_contain_text("The level of AAPL is")
    assert alert_server.level() < made
    assert abs(wait_for_line(page) - (at + 80)) <= 2

    # The button does what Alt does.
    page.get_by_role("button", name="Alert here").click()
    press_at(page, 60)
    expect(page.locator("#alert-list > li")).to_have_count(2)
    expect(page.get_by_role("button", name="Alert here")).to_have_attribute("aria-pressed", "false")
    assert [1, 2] == sorted(alert["revision"] for alert in alert_server.ask("GET")["alerts"])


def test_a_finger_drags_a_level_and_neither_chart_nor_page_moves(
    browser: Browser, alert_server: Server
) -> None:
    alert_server.make(480.0)
    size = {"width": 360, "height": 700}
    page = browser.new_context(viewport=size, has_touch=True, is_mobile=True).new_page()  # type: ignore[arg-type]
    open_alerts(page, alert_server)
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
    assert alert_server.level() < 480
    assert 0 == page.evaluate("scrollY")
    page.context.close()


def test_a_level_that_cannot_be_kept_is_restored_and_why_is_told(
    forgiving: Page, alert_server: Server
) -> None:
    page = forgiving
    alert = alert_server.make(500.0)
    open_alerts(page, alert_server)
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
        alert_server.ask("PUT", f"/{alert}", json=changed)
        route.continue_()

    page.route(f"**/v1/alerts/{alert}?*", change_first)
    page.mouse.up()

    expect(page.locator("#alerts-problem")).to_contain_text("Somebody else changed it")
    expect(row(page)).to_contain_text("price above 490.00")
    assert 490 == alert_server.level()


def test_the_keyboard_moves_a_level_by_ticks(page: Page, alert_server: Server) -> None:
    alert_server.make(500.0, name="mine")
    open_alerts(page, alert_server)
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
    assert 500.01 == alert_server.level()
