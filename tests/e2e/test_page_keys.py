"""The chart page where keys are asked for, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from fiblake import Lake
from serving_layer.app import create_app
from tests.access import Guarded, serving
from tests.browser import keep_screenshot
from tests.live import NO_BARS, OpenView, price, prices_of

READY = "html[data-state='ready'][data-symbol='AAPL']"


@pytest.fixture
def url(guarded: Guarded) -> Iterator[str]:
    with serving(guarded.app) as host:
        yield f"http://{host}/"


@pytest.fixture
def faults() -> list[str]:
    """What the browser complains of, but that it was refused."""
    return []


@pytest.fixture
def asked(browser: Browser, url: str, faults: list[str]) -> Iterator[Page]:
    """The page, which asks for a key."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(url)
    yield page
    page.context.close()


def show(page: Page, key: str) -> None:
    page.get_by_label("This server asks for a key").fill(key)
    page.get_by_role("button", name="Use this key").click()


def test_the_page_asks_for_a_key_and_keeps_a_token_of_it_for_this_tab(
    guarded: Guarded, asked: Page, faults: list[str]
) -> None:
    key = guarded.key("read").secret
    expect(asked.get_by_label("This server asks for a key")).to_be_focused()
    keep_screenshot(asked, "page-key")

    show(asked, "wrong")
    expect(asked.locator("#key-problem")).to_have_text("The key is not one of this server's.")
    show(asked, key)

    asked.wait_for_selector(READY)
    expect(asked.locator("#key")).to_be_hidden()
    asked.reload()
    asked.wait_for_selector(READY)
    kept = asked.evaluate("JSON.stringify([{ ...sessionStorage }, { ...localStorage }])")
    assert key not in kept
    assert "fiblakeToken" in kept
    assert [] == [fault for fault in faults if not re.search(r"status of 401", fault)]


def test_the_page_renews_its_token_by_itself(guarded: Guarded, asked: Page) -> None:
    made = guarded.key("read")
    show(asked, made.secret)
    asked.wait_for_selector(READY)
    asked.evaluate("sessionStorage.fiblakeToken = 'a.b.c'")

    asked.get_by_role("button", name="34d", exact=True).click()

    asked.wait_for_selector(f"{READY}[data-interval='34d']")
    expect(asked.locator("#key")).to_be_hidden()


def test_the_page_asks_again_once_its_key_is_revoked(guarded: Guarded, asked: Page) -> None:
    made = guarded.key("read")
    show(asked, made.secret)
    asked.wait_for_selector(READY)
    guarded.revoke(made.key.key)

    asked.get_by_role("button", name="34d", exact=True).click()

    expect(asked.locator("#key-problem")).to_contain_text("was revoked")


@pytest.mark.parametrize("typed", ["schlüssel", "fib_0123 abcd", "fib_€"])
def test_what_no_header_can_carry_is_said_to_be_no_key(
    guarded: Guarded, asked: Page, faults: list[str], typed: str
) -> None:
    show(asked, typed)

    expect(asked.locator("#key-problem")).to_contain_text("only characters as on an English")
    show(asked, guarded.key("read").secret)
    asked.wait_for_selector(READY)
    assert [] == [fault for fault in faults if not re.search(r"status of 401", fault)]


@pytest.mark.parametrize("status", [429, 503])
def test_the_page_keeps_its_key_while_the_server_gives_no_token_for_it(
    guarded: Guarded, asked: Page, status: int
) -> None:
    show(asked, guarded.key("read").secret)
    asked.wait_for_selector(READY)
    asked.evaluate("sessionStorage.fiblakeToken = 'a.b.c'")
    body = f'{{"title": "Later", "status": {status}, "detail": "The database of keys failed."}}'
    tries: list[Route] = []

    def refuse(route: Route) -> None:
        tries.append(route)
        route.fulfill(status=status, body=body, content_type="application/problem+json")

    asked.route("**/v1/token", refuse)
    asked.get_by_role("button", name="34d", exact=True).click()
    expect(asked.get_by_text("The database of keys failed.").first).to_be_visible()
    expect(asked.locator("#key")).to_be_hidden()
    assert len(tries) <= 3  # of each request that the click makes, and not again and again

    asked.unroute("**/v1/token")
    asked.get_by_role("button", name="21d", exact=True).click()
    asked.wait_for_selector(f"{READY}[data-interval='21d']")
    expect(asked.locator("#key")).to_be_hidden()


def test_the_stream_is_shown_the_key_and_ends_with_it(
    guarded: Guarded, sample_lake: Lake, open_memory: OpenView, browser: Browser
) -> None:
    made = guarded.key("read", "live")
    view = open_memory()
    page = browser.new_page()
    with serving(create_app(sample_lake.reader, view, access=guarded.access)) as host:
        page.goto(f"http://{host}/")
        show(page, made.secret)
        page.wait_for_selector(f"{READY}[data-connection='stream']")
        view.put(NO_BARS, prices_of(price("AAPL", 500)))
        expect(page.locator("#live")).to_contain_text("live 500.00 at 2026-01-05 09:30:00 (massive")

        guarded.revoke(made.key.key)

        expect(page.locator("#key-problem")).to_contain_text("was revoked")
        show(page, guarded.key("read").secret)
        expect(page.locator("#connection")).to_contain_text("it lacks the scope 'live'")
        page.wait_for_selector(f"{READY}[data-connection='polling']")
        page.close()


@pytest.mark.parametrize("path", ["docs", "redoc"])
def test_the_documentation_works_under_its_policy(browser: Browser, url: str, path: str) -> None:
    page = browser.new_page()
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{url}{path}")

    expect(page.get_by_text("/v1/keys").first).to_be_attached()
    # Redoc's own advertisement comes from elsewhere, and is kept out.
    assert [] == [fault for fault in faults if "cdn.redoc.ly" not in fault]
    page.close()
