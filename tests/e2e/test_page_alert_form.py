"""The page's form of an alert: it makes, changes and tries rules of every kind."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.alert_page import WHOLE, Server, drag, fill, lines, open_alerts, row, said, wait_for_line
from tests.browser import keep_screenshot

KINDS: tuple[tuple[dict[str, Any], str, float], ...] = (
    ({"kind": "price", "relation": "crosses_up", "level": 512.5, "hysteresis_percent": 2}, "", 0),
    ({"kind": "move", "direction": "down", "percent": 3, "window": "15m"}, "", 0),
    ({"kind": "close", "interval": "13d", "relation": "below", "state": "forming"}, "range", 13),
    ({"kind": "close", "interval": "5m", "relation": "crosses", "hours": "extended"}, "level", 40),
    ({"kind": "close", "interval": "1d", "relation": "above"}, "average", 20),
    ({"kind": "volume", "interval": "1d", "times": 2.5, "average": 20}, "", 0),
)
"""What is filled in, and what a close is compared with."""


def test_the_form_makes_rules_of_every_kind(page: Page, alert_server: Server) -> None:
    open_alerts(page, alert_server)
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

    made = [rule["when"] for rule in alert_server.rules()]
    for fields, than, value in KINDS:
        told = fields | ({"than": {than: value}} if than else {})
        assert 1 == sum({**when, **told} == when for when in made)
    assert len(KINDS) == len(made)


def test_the_form_gives_back_what_it_does_not_change(page: Page, alert_server: Server) -> None:
    alert = alert_server.ask("POST", json=WHOLE)
    open_alerts(page, alert_server)
    expect(row(page)).to_contain_text("each time, at most every 1 h · Mon Fri 09:30\u201324:00")

    page.get_by_role("button", name="Edit breakout").click()
    expect(page.locator("#alert-form [name=range]")).to_have_value("13")
    keep_screenshot(page, "page-alerts-form")
    page.get_by_role("button", name="Save").click()

    expect(said(page)).to_have_text("The alert is changed.")
    now = alert_server.ask("GET", f"/{alert['alert']}")
    assert (WHOLE, 2) == (now["rule"], now["revision"])


def test_conditions_of_others_are_written_as_json_and_their_levels_drawn(
    page: Page, alert_server: Server
) -> None:
    alert_server.make(500.0)
    open_alerts(page, alert_server)
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
    (rule,) = alert_server.rules()
    first, (second,) = rule["when"]["of"][0], rule["when"]["of"][1]["of"]
    assert (500, True) == (first["level"], 460 < second["than"]["level"] < 490)


def test_what_the_server_refuses_is_told_at_the_form(forgiving: Page, alert_server: Server) -> None:
    page = forgiving
    open_alerts(page, alert_server)
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
    assert [] == alert_server.rules()
    # Bounds are those of the schema, and hold before anything is asked.
    fill(form, "range", "251")
    expect(form.locator("[name=range]")).to_have_attribute("max", "250")
    assert not form.evaluate("form => form.checkValidity()")


def test_a_dry_run_tells_and_marks_when_a_rule_would_have_fired(
    page: Page, alert_server: Server
) -> None:
    alert_server.ask("POST", json=WHOLE | {"active": None})
    open_alerts(page, alert_server)
    page.get_by_role("button", name="13d", exact=True).click()
    page.wait_for_selector("html[data-state='ready'][data-interval='13d']")
    page.get_by_role("button", name="Edit breakout").click()
    before = page.locator("#chart").screenshot()
    expect(page.get_by_label("From", exact=True)).to_have_value("")
    page.get_by_label("From", exact=True).fill("2005-01-03")
    page.get_by_label("To", exact=True).fill("2012-06-29")
    page.get_by_role("button", name="Dry run").click()

    answer = alert_server.ask(
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
    page: Page, alert_server: Server
) -> None:
    open_alerts(page, alert_server)
    page.get_by_role("button", name="New alert").click()
    form = page.locator("#alert-form")
    fill(form, "expires", "2001-02-03T04:05")
    page.get_by_role("button", name="Dry run").click()

    result = page.locator(".dry-run")
    expect(result).to_contain_text("sessions from 2000-03-01 to 2013-03-01")
    expect(result).to_contain_text("It expired 2001-02-02 23:05:00 exchange time")


def test_times_of_a_day_are_typed_at_a_clock(page: Page, alert_server: Server) -> None:
    open_alerts(page, alert_server)
    page.get_by_role("button", name="New alert").click()
    form = page.locator("#alert-form")
    page.get_by_label("Only at certain times").check()
    expect(form.locator("[name=end]")).to_have_value("")
    fill(form, "start", "09:45")
    expect(form.locator("[name=start]")).to_have_attribute("type", "time")
    form.get_by_role("button", name="Save").click()

    expect(said(page)).to_have_text("The alert is kept.")
    (rule,) = alert_server.rules()
    active = rule["active"]
    assert ("09:45:00", "23:59:59.999999") == (active["start"], active["end"])
