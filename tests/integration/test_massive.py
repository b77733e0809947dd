"""Massive by its official client and our transport, from a local vendor that fails on command."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from batch_layer.landing import Answer
from batch_layer.local_vendor import LocalVendor
from batch_layer.vendors.massive import Massive
from batch_layer.vendors.pace import StoppedError
from lake.clock import Clock, SetClock, SystemClock
from lake.errors import (
    MisuseError,
    NotPublishedError,
    VendorAnswerError,
    VendorError,
    VendorKeyError,
    VendorNotFoundError,
    VendorRefusedError,
    VendorUnavailableError,
    VendorUnreachableError,
)
from lake.settings import Settings, read_settings
from tests.pacing import Time
from tests.parts import free_port

SESSION = dt.date(2012, 7, 2)
NOW = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)


@pytest.fixture
def time() -> Time:
    return Time()


def massive(
    url: str, time: Time, key: str = "local-key", clock: Clock | None = None, **others: Any
) -> Massive:
    values = {"massive_url": url, "massive_key": key, "massive_attempts": 4, **others}
    settings = Settings.model_validate(values)
    return Massive.of(settings, clock=clock or SetClock(NOW), pace=time.pace())


def test_a_session_is_answered_as_it_came_and_as_rows(vendor: LocalVendor, time: Time) -> None:
    answer, rows = massive(vendor.url, time).grouped_daily(SESSION)
    told = json.loads(answer.body)

    assert told["resultsCount"] == rows.height > 0
    assert [bar["T"] for bar in told["results"]] == rows["symbol"].to_list()
    assert [bar["c"] for bar in told["results"]] == rows["close"].to_list()
    assert NOW == answer.fetched_at
    assert answer.request.startswith(
        f"{vendor.url}/v2/aggs/grouped/locale/us/market/stocks/{SESSION}?"
    )
    assert "adjusted=false" in answer.request


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("error", {"status": 500}),
        ("error", {"status": 503, "retry_after": 3}),
        ("throttled", {}),
        ("html", {}),
        ("reset", {}),
        ("cut", {}),
        ("truncated", {}),
        ("wrong_count", {}),
    ],
)
def test_a_fault_that_passes_costs_another_call_and_nothing_else(
    vendor: LocalVendor, time: Time, kind: Any, how: Any
) -> None:
    undisturbed = massive(vendor.url, time).grouped_daily(SESSION)[1]
    vendor.forget()
    vendor.fail(kind, times=2, **how)

    assert undisturbed.equals(massive(vendor.url, time).grouped_daily(SESSION)[1])
    assert 3 == len(vendor.requests)


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("error", VendorUnavailableError, "answers 503 to /v2/aggs/grouped"),
        ("throttled", VendorUnavailableError, "answers 429"),
        ("html", VendorUnreachableError, "with a web page, where Massive would answer with data"),
        ("reset", VendorUnreachableError, "cannot be reached"),
        ("cut", VendorAnswerError, "is no JSON"),
        ("wrong_count", VendorAnswerError, "results, and has"),
    ],
)
def test_a_fault_that_does_not_pass_is_one_clear_error(
    vendor: LocalVendor, time: Time, kind: Any, error: type[VendorError], said: str
) -> None:
    vendor.fail(kind, times=None)

    with pytest.raises(error, match=said):
        massive(vendor.url, time).grouped_daily(SESSION)
    assert 3 <= len(vendor.requests) <= 4


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("unauthorized", VendorKeyError, "refuses the key.*FIBLAKE_MASSIVE_KEY"),
        ("not_in_plan", VendorRefusedError, "plan"),
        ("not_ended", VendorRefusedError, "before end of day"),
    ],
)
def test_a_refusal_is_not_asked_again(
    vendor: LocalVendor, time: Time, kind: Any, error: type[VendorError], said: str
) -> None:
    vendor.fail(kind)

    with pytest.raises(error, match=said):
        massive(vendor.url, time).grouped_daily(SESSION)
    assert 1 == len(vendor.requests)


def test_a_session_without_bars_is_not_published(vendor: LocalVendor, time: Time) -> None:
    with pytest.raises(NotPublishedError, match="no bars of this session"):
        massive(vendor.url, time).grouped_daily(dt.date(2030, 1, 2))


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_holds_all_threads(vendor: LocalVendor, time: Time, *, as_date: bool) -> None:
    vendor.fail("throttled", retry_after=120, as_date=as_date)
    # The vendor's dates are of its own clock.
    client = massive(vendor.url, time, clock=SystemClock())
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(client.grouped_daily, SESSION) for _ in range(8)]
        assert 1 == len({each.result()[1].height for each in done})
    waits = [seconds for seconds in time.slept if seconds > 0]

    assert 9 == len(vendor.requests)
    assert 119 <= max(waits) <= 122


def test_a_vendor_that_wants_to_be_left_alone_for_hours_is_not_waited_for(
    vendor: LocalVendor, time: Time
) -> None:
    vendor.fail("throttled", retry_after=7200, times=None)

    with pytest.raises(VendorUnavailableError, match="left alone for 7200 s"):
        massive(vendor.url, time).grouped_daily(SESSION)
    assert 1 == len(vendor.requests)


def test_pauses_grow_and_are_bounded(vendor: LocalVendor, time: Time) -> None:
    vendor.fail("error", times=None)
    with pytest.raises(VendorUnavailableError, match=r"given up after 10 attempts"):
        massive(vendor.url, time, massive_attempts=10).grouped_daily(SESSION)
    limits = [min(2**number, 60) for number in range(9)]
    pauses = [seconds for seconds in time.slept if seconds >= 0.5]

    assert 9 == len(pauses)
    assert all(limit / 2 <= seconds <= limit for limit, seconds in zip(limits, pauses, strict=True))


def test_a_vendor_that_is_not_there_is_told_of_soon(time: Time) -> None:
    port = free_port()
    with pytest.raises(VendorUnreachableError) as caught:
        massive(f"http://127.0.0.1:{port}", time, massive_attempts=8).grouped_daily(SESSION)

    assert (
        f"Massive cannot be reached at http://127.0.0.1:{port}: Connection refused "
        "(given up after 3 attempts). Hint: check the network, and the address."
    ) == str(caught.value)


def test_a_name_that_nobody_has_is_told_of(time: Time) -> None:
    with pytest.raises(
        VendorUnreachableError, match=r"cannot be reached at http://no-such-host\.invalid"
    ):
        massive("http://no-such-host.invalid", time).grouped_daily(SESSION)


@pytest.mark.parametrize("url", ["api.massive.com", "ftp://api.massive.com", "http://", ""])
@pytest.mark.parametrize("name", ["MASSIVE_URL", "FLATFILES_ENDPOINT"])
def test_an_address_that_is_none_is_told_of(
    url: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"FIBLAKE_{name}", url)

    with pytest.raises(MisuseError, match=f"FIBLAKE_{name}='{url}' cannot be.*not a URL"):
        read_settings()


@pytest.mark.parametrize("key", ["", "  ", "\n"])
def test_without_a_key_nobody_is_asked(vendor: LocalVendor, time: Time, key: str) -> None:
    with pytest.raises(VendorKeyError, match=r"There is no key for Massive\. Hint: set FIBLAKE"):
        massive(vendor.url, time, key)
    assert [] == vendor.requests


@pytest.mark.parametrize("key", ["se cret", "se\ncret", "sécret", "se\x00cret"])
def test_a_key_that_no_header_can_carry_is_not_named(
    vendor: LocalVendor, time: Time, key: str
) -> None:
    with pytest.raises(VendorKeyError) as caught:
        massive(vendor.url, time, key)

    assert "cret" not in str(caught.value)


def test_blanks_around_a_key_are_no_part_of_it(vendor: LocalVendor, time: Time) -> None:
    assert massive(vendor.url, time, " local-key\n").grouped_daily(SESSION)[1].height > 0


def test_who_waits_gives_up_once_told_to_stop(vendor: LocalVendor) -> None:
    vendor.fail("throttled", retry_after=600)
    settings = {"massive_url": vendor.url, "massive_key": "local-key"}
    client = Massive.of(Settings.model_validate(settings))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.grouped_daily, SESSION)
        client.stop()
        with pytest.raises(StoppedError):
            waiting.result()


Page = tuple[int, dict[str, str], bytes]


class Scripted:
    """A server of its own, for answers that no vendor would give: what is told, in order."""

    def __init__(self, *pages: Page) -> None:
        self.asked: list[str] = []
        script = iter(pages)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, headers, body = next(script)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def scripted() -> Iterator[Any]:
    servers: list[Scripted] = []

    def start(*pages: Page) -> Scripted:
        servers.append(Scripted(*pages))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def page(results: list[Any], next_url: str | None = None, **others: Any) -> Page:
    told = {"status": "OK", "results": results, **({"next_url": next_url} if next_url else {})}
    return 200, {}, json.dumps({**told, **others}).encode()


def bodies(answers: Iterator[Answer]) -> list[Any]:
    return [json.loads(answer.body)["results"] for answer in answers]


def test_pages_are_followed_by_their_next_url_without_its_key(scripted: Any, time: Time) -> None:
    cursor = "https://api.polygon.io/v3/reference/splits?cursor=ab%2Bc&apiKey=local-key"
    server = scripted(page([{"id": 1}], cursor, count=1), page([{"id": 2}]))
    answers = list(massive(server.url, time).splits(dt.date(2024, 1, 1)))

    assert [[{"id": 1}], [{"id": 2}]] == bodies(iter(answers))
    assert "/v3/reference/splits?cursor=ab%2Bc" == server.asked[1]
    assert "execution_date.gte=2024-01-01" in server.asked[0]
    assert not any(b"local-key" in answer.body + answer.request.encode() for answer in answers)


def test_pages_that_repeat_are_an_error(scripted: Any, time: Time) -> None:
    again = "http://x/v3/reference/dividends?cursor=1"
    server = scripted(page([1], again), page([2], again), page([3], again))

    with pytest.raises(VendorAnswerError, match="pages repeat"):
        list(massive(server.url, time).dividends())
    assert 2 == len(server.asked)


def test_pages_with_other_cursors_and_the_same_results_repeat_too(
    scripted: Any, time: Time
) -> None:
    pages = [page([7], f"http://x/v3/reference/tickers?cursor={number}") for number in range(5)]

    with pytest.raises(VendorAnswerError, match="pages repeat"):
        list(massive(scripted(*pages).url, time).tickers())


def test_a_page_that_is_miscounted_is_asked_for_again(scripted: Any, time: Time) -> None:
    server = scripted(page([1], count=2), page([1], count=1))

    assert [[1]] == bodies(massive(server.url, time).tickers(active=False))
    assert all("active=false" in path and "limit=1000" in path for path in server.asked)


def test_a_symbol_s_bars_are_asked_for_unadjusted(scripted: Any, time: Time) -> None:
    server = scripted(page([{"t": 1}], resultsCount=1, queryCount=1))
    day = dt.date(2025, 1, 2)

    assert [[{"t": 1}]] == bodies(massive(server.url, time).aggregates("BACpL", "minute", day, day))
    assert server.asked[0].startswith("/v2/aggs/ticker/BACpL/range/1/minute/2025-01-02/2025-01-02?")
    assert "adjusted=false" in server.asked[0]


def test_what_the_vendor_does_not_know_is_told_apart(scripted: Any, time: Time) -> None:
    server = scripted((404, {}, b'{"status":"NOT_FOUND","message":"Ticker not found."}'))

    with pytest.raises(VendorNotFoundError, match="Ticker not found"):
        massive(server.url, time).ticker_events("BBG000000000")


@pytest.mark.parametrize(
    "strange",
    [
        (404, {}, b"<html>no such page</html>"),
        (403, {}, b"<!doctype html><title>Blocked</title>"),
        (302, {"Location": "https://login.example/"}, b""),
    ],
)
def test_somebody_else_who_answers_is_told_of(scripted: Any, time: Time, strange: Page) -> None:
    with pytest.raises(VendorUnreachableError, match="answers with a web page"):
        massive(scripted(strange).url, time).grouped_daily(SESSION)


def test_an_answer_that_came_packed_lands_plain(scripted: Any, time: Time) -> None:
    body = page([])[2]
    server = scripted(
        (
            200,
            {"Content-Encoding": "gzip", "Content-Length": str(len(gzip.compress(body, mtime=0)))},
            gzip.compress(body, mtime=0),
        )
    )

    assert [body] == [answer.body for answer in massive(server.url, time).splits()]
