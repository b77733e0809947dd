"""What a client does where a server fails, refuses, or is none; and where a key may go."""

from __future__ import annotations

import datetime as dt
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import pyarrow as pa
import pytest

from fiblake import Client, Lake
from lake.errors import (
    AccessError,
    ForbiddenError,
    InvalidLocationError,
    MisuseError,
    ServerError,
    ServerUnavailableError,
    TooManyRequestsError,
)
from serving_layer.app import create_app
from tests.access import FOREIGN, Guarded, MakeGuarded, serving
from tests.fault_proxy import Answer, Cut, FaultProxy

AWAY = Answer(HTTPStatus.SERVICE_UNAVAILABLE, "Away")


@pytest.fixture
def proxied(sample_lake: Lake) -> Iterator[tuple[FaultProxy, Client]]:
    """A client of the sample's server, behind a proxy that lets some requests fail."""
    with (
        serving(create_app(sample_lake.reader)) as at,
        FaultProxy(f"http://{at}") as proxy,
        Client(proxy.url, attempts=3, retry_ms=1) as client,
    ):
        yield proxy, client


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Serve bytes to one connection after another; yield the URL, and what was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    asked.append(connection.recv(65_536))
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked


def page(text: str, status: str = "200 OK", kind: str = "text/html", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n{more}"
    return f"{head}Connection: close\r\n\r\n{text}".encode()


@pytest.mark.parametrize("fault", [AWAY, Cut(-1), Cut(0), Cut(300)])
@pytest.mark.parametrize(
    "ask",
    [
        lambda one: one.bars(["AAPL", "IBM"], "3d"),
        lambda one: one.symbols(),
        lambda one: one.backtest(["AAPL"], "5d"),
    ],
    ids=["bars", "symbols", "backtest"],
)
def test_what_fails_twice_is_asked_again(
    proxied: tuple[FaultProxy, Client],
    sample_lake: Lake,
    fault: Any,
    ask: Callable[[Any], Any],
) -> None:
    proxy, client = proxied
    proxy.fail(fault, times=2)

    assert ask(sample_lake).equals(ask(client))
    assert 3 == len(proxy.seen)


def test_a_server_that_stays_away_is_given_up_on(proxied: tuple[FaultProxy, Client]) -> None:
    proxy, client = proxied
    proxy.fail(AWAY, times=9)

    with pytest.raises(ServerUnavailableError, match=f"{proxy.url} answers 503"):
        client.bars("AAPL")
    assert 3 == len(proxy.seen)


def test_half_an_answer_in_pieces_is_no_whole_one(lake: Lake, csv_file: Any) -> None:
    rows = [f"S{number:04},2013-01-02,2,3,1,2,5" for number in range(602)]
    lake.import_files(csv_file("symbol,date,open,high,low,close,volume", *rows))
    with (
        serving(create_app(lake.reader)) as at,
        FaultProxy(f"http://{at}") as proxy,
        Client(proxy.url, retry_ms=1) as client,
    ):
        whole = list(client.pieces(None, "1d"))
        proxy.fail(Cut(sum(piece.nbytes for piece in whole) // 2))
        pieces = client.pieces(None, "1d")

        assert next(pieces).num_rows > 0
        with pytest.raises(ServerUnavailableError, match="the connection broke"):
            list(pieces)


def test_half_an_answer_that_does_not_tell_its_length_is_no_whole_one(
    lake: Lake, csv_file: Any
) -> None:
    rows = [f"S{number:04},2013-01-02,2,3,1,2,5" for number in range(3)]
    lake.import_files(csv_file("symbol,date,open,high,low,close,volume", *rows))
    table = lake.bars(None, "1d").arrow()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    whole = sink.getvalue().to_pybytes()
    head = b"HTTP/1.0 200 OK\r\nContent-Type: application/vnd.apache.arrow.stream\r\n\r\n"
    with answering(head + whole, head + whole) as (url, _), Client(url, attempts=1) as client:
        assert 3 == len(client.bars(None, "1d"))
        assert 3 == sum(piece.num_rows for piece in client.pieces(None, "1d"))
    with answering(*[head + whole[:-8]] * 2) as (url, _), Client(url, attempts=1) as client:
        for ask in (client.bars, client.pieces):
            with pytest.raises(ServerUnavailableError, match="before its end"):
                list(ask(None, "1d"))


def test_who_is_not_there_is_named_with_a_hint() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    with (
        Client(url, attempts=2, retry_ms=1) as client,
        pytest.raises(ServerUnavailableError) as error,
    ):
        client.bars("AAPL")

    told = str(error.value)
    assert told.startswith(f"{url} does not answer: ")
    assert told.endswith("is fiblake up running there, and is the port the one it printed?")


def test_an_answer_that_takes_too_long_is_not_asked_for_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with (
            Client(url, timeout_s=0.2) as client,
            pytest.raises(ServerUnavailableError, match=r"did not answer within 0\.2 s\."),
        ):
            client.backtest(["AAPL"], "5d")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (page("<html>"), "answers with text/html, not application/vnd.apache.arrow.stream"),
        (page("no", "404 Not Found"), "answers 404 Not Found"),
        (page("", "302 Found", more="Location: http://127.0.0.1:9/\r\n"), "answers 302 Found"),
        (page("[]", "500 Internal Server Error", "application/json"), "answers 500"),
        (page("junk", kind="application/vnd.apache.arrow.stream"), "answers what cannot be read"),
    ],
)
def test_what_is_no_server_of_ours_is_said_to_be_none(answer: bytes, told: str) -> None:
    with (
        answering(answer) as (url, _),
        Client(url, attempts=1) as client,
        pytest.raises(ServerError, match=told),
    ):
        client.bars("AAPL")


def test_a_limit_is_waited_for(make_guarded: MakeGuarded) -> None:
    guarded = make_guarded(rate_key_burst=2, rate_key_per_second=1000)
    key = guarded.key("read").secret

    def move() -> None:
        guarded.clock.instant += dt.timedelta(seconds=1)

    with serving(guarded.app) as at, Client(f"http://{at}", key, retry_ms=1) as client:
        for _ in range(3):
            # The server's clock stands still: what is spent stays so until it is moved.
            threading.Timer(0.3, move).start()
            assert client.symbols().height == 5


def test_a_limit_that_lasts_is_told() -> None:
    refusal = page('{"status": 429, "detail": "Too often.", "code": "too_many_requests"}')
    refusal = refusal.replace(b"200 OK", b"429 Too Many Requests\r\nRetry-After: 3600")
    began = time.monotonic()
    with (
        answering(refusal) as (url, _),
        Client(url, retry_ms=1) as client,
        pytest.raises(TooManyRequestsError, match="Too often") as error,
    ):
        client.bars("AAPL")

    assert 3600 == error.value.retry_after_s
    assert time.monotonic() - began < 30


def test_a_key_is_asked_for_and_looked_at(guarded: Guarded) -> None:
    key = guarded.key("read").secret
    with serving(guarded.app) as at:
        url = f"http://{at}"
        with Client(url) as client, pytest.raises(AccessError):
            client.bars("AAPL")
        with Client(url, FOREIGN) as client, pytest.raises(AccessError):
            client.bars("AAPL")
        with Client(url, key) as client:
            assert client.bars("AAPL").height > 0
            with pytest.raises(ForbiddenError, match="it lacks the scope 'live'"):
                client.prices("AAPL")


def test_the_key_of_the_environment_is_shown(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIBLAKE_KEY", guarded.key("read").secret)
    with serving(guarded.app) as at, Client(f"http://{at}") as client:
        assert client.symbols().height == 5


def test_a_key_is_in_no_text_and_no_log(guarded: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        serving(guarded.app) as at,
        Client(f"http://{at}", FOREIGN) as client,
        pytest.raises(AccessError) as error,
    ):
        client.bars("AAPL")
    told = [repr(client), repr(vars(client)), repr(vars(client._server)), str(error.value)]  # noqa: SLF001 - for the key

    assert [] == [text for text in [*told, caplog.text] if FOREIGN in text]


def test_a_key_does_not_go_in_the_open_to_another_machine() -> None:
    with pytest.raises(MisuseError, match=r"http://192\.0\.2\.7:8000 has no TLS") as error:
        Client("http://192.0.2.7:8000", FOREIGN)

    assert FOREIGN not in str(error.value)
    for url in ("https://192.0.2.7", "http://localhost:8000", "http://[::1]:8000"):
        Client(url, FOREIGN)
    Client("http://192.0.2.7:8000", FOREIGN, allow_http=True)
    Client("http://192.0.2.7:8000")


def test_what_this_machine_asks_itself_passes_no_proxy(
    sample_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    app = create_app(sample_lake.reader)
    with serving(app) as at, Client(f"http://{at}", "a-key", attempts=1) as client:
        assert client.symbols().height == 5


@pytest.mark.parametrize("url", ["data", "ftp://a", "http://", "127.0.0.1:8000", "http://a:x"])
def test_what_is_no_url_of_a_server_says_what_is(url: str) -> None:
    with pytest.raises(InvalidLocationError, match=r"as http://127\.0\.0\.1:8000\.") as error:
        Client(url)

    assert repr(url) in str(error.value)


@pytest.mark.parametrize("url", ["http://me:secret@a", "http://a?apiKey=secret", "me:secret@a"])
def test_what_may_hold_a_key_is_not_repeated(url: str) -> None:
    with pytest.raises(InvalidLocationError) as error:
        Client(url)

    assert "secret" not in str(error.value)


@pytest.mark.parametrize("key", ["", "a b", "a\nb", "schlüssel"])
def test_what_is_no_key_is_not_repeated(key: str) -> None:
    with pytest.raises(MisuseError) as error:
        Client("http://127.0.0.1:8000", key)

    assert not key or key not in str(error.value)


@pytest.mark.parametrize("asking", [{"attempts": 0}, {"timeout_s": 0}, {"retry_ms": -1}])
def test_how_it_asks_must_be_possible(asking: dict[str, Any]) -> None:
    with pytest.raises(MisuseError, match="cannot be"):
        Client("http://127.0.0.1:8000", **asking)
