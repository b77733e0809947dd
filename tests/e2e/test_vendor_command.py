"""`fiblake vendor serve`, as a user runs it."""

from __future__ import annotations

import datetime as dt
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import httpx
import pytest
from polygon import RESTClient
from websockets.sync.client import connect

from lake.instant import microseconds
from tests.clocked import WallClock
from tests.command_line import FIBLAKE, process

ROOT = Path(__file__).parents[2]

SETTINGS = [
    "FIBLAKE_MASSIVE_URL",
    "FIBLAKE_MASSIVE_KEY",
    "FIBLAKE_MASSIVE_CALLS_PER_MINUTE",
    "FIBLAKE_FLATFILES_ENDPOINT",
    "FIBLAKE_FLATFILES_ACCESS_KEY_ID",
    "FIBLAKE_FLATFILES_SECRET_ACCESS_KEY",
]


@contextmanager
def served(*options: str) -> Iterator[dict[str, str]]:
    """Serve, yield the settings that are printed, and stop by Ctrl-C."""
    command = [str(FIBLAKE), "vendor", "serve", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        lines = [server.stdout.readline().strip() for _ in SETTINGS]
        try:
            yield dict(line.removeprefix("export ").split("=", 1) for line in lines)
        finally:
            server.send_signal(signal.SIGINT)
            assert 0 == server.wait()


def test_the_sample_is_sold_to_the_official_clients(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with served("--sample", "--key", "mine", "--log", str(log)) as settings:
        assert SETTINGS == list(settings)
        rest = RESTClient(api_key="mine", base=settings["FIBLAKE_MASSIVE_URL"])
        bars = rest.get_grouped_daily_aggs("2012-07-02", adjusted=False)
        files = boto3.client(
            "s3",
            endpoint_url=settings["FIBLAKE_FLATFILES_ENDPOINT"],
            region_name="us-east-1",
            aws_access_key_id=settings["FIBLAKE_FLATFILES_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["FIBLAKE_FLATFILES_SECRET_ACCESS_KEY"],
        )
        found = files.list_objects_v2(
            Bucket="flatfiles", Prefix="us_stocks_sip/day_aggs_v1/2012/07/2012-07-02"
        )
        told = [json.loads(line) for line in log.read_text("utf-8").splitlines()]

    assert ["AAPL", "FB", "GOOG", "IBM", "MSFT"] == [bar.ticker for bar in bars]
    assert 1 == found["KeyCount"]
    assert [200, 200] == [line["status"] for line in told]


def test_a_lake_is_sold_up_to_a_session_at_a_rate(sample_lake_folder: Path, tmp_path: Path) -> None:
    story = tmp_path / "story.json"
    story.write_text('{"renames": [{"old": "FB", "new": "META", "on": "2012-06-01"}]}', "utf-8")
    lake = str(sample_lake_folder)
    options = ["--published", "2012-07-02", "--rate", "2", "--story", str(story)]
    with served("--lake", lake, *options) as settings:
        key = settings["FIBLAKE_MASSIVE_KEY"]
        url = f"{settings['FIBLAKE_MASSIVE_URL']}/v2/aggs/grouped/locale/us/market/stocks"
        answers = [
            httpx.get(f"{url}/{day}?adjusted=false&apiKey={key}")
            for day in ("2012-07-02", "2012-07-03", "2012-07-02")
        ]

    assert [200, 200, 429] == [answer.status_code for answer in answers]
    assert [5, 0] == [answer.json()["resultsCount"] for answer in answers[:2]]
    assert "META" in answers[0].text


def test_a_port_in_use_is_one_clear_error(sample_lake_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = process("vendor", "serve", "--lake", sample_lake_folder, "--port", port)

    expected = f"error: Cannot listen on 127.0.0.1, port {port}: Address already in use. Hint: try"
    assert (2, "") == (done.code, done.out)
    assert done.err.startswith(expected)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--lake", "nothing"], 1, "error: The lake nothing is empty. Hint: fiblake import FILE"),
        (["--lake", "a", "--sample"], 2, "error: --sample sells the sample, and --lake a lake."),
        (["--story", "nothing.json"], 2, "error: nothing.json cannot be read: No such file"),
        (["--published", "x"], 2, "error: 'x' is not a date."),
        (["--sample", "--log", "no/folder"], 1, "error: no/folder: No such file or directory."),
    ],
)
def test_what_cannot_be_served_is_one_clear_error(options: list[str], code: int, said: str) -> None:
    done = process("vendor", "serve", *options)

    assert (code, "") == (done.code, done.out)
    assert done.err.startswith(said)
    assert 1 == len(done.err.splitlines())


def test_trades_of_the_present_are_told_by_a_socket_too(tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "clock")
    clock.advance(microseconds(dt.datetime(2026, 1, 5, 15, tzinfo=dt.UTC)))
    command = [sys.executable, "-m", "tests.clocked", str(clock.path), "vendor", "serve"]
    options = ["--sample", "--port", "0", "--live", "0"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, cwd=ROOT) as server:
        assert server.stdout
        lines = [server.stdout.readline().decode().strip() for _ in [*SETTINGS, "the socket"]]
        told = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        with connect(f"{told['FIBLAKE_MASSIVE_SOCKET']}/stocks") as socket:
            socket.send(json.dumps({"action": "auth", "params": "local-key"}))
            socket.send(json.dumps({"action": "subscribe", "params": "T.*"}))
            frames = (json.loads(frame) for frame in socket)
            trade = next(each for frame in frames for each in frame if each["ev"] == "T")
        past = httpx.get(
            f"{told['FIBLAKE_MASSIVE_URL']}/v3/trades/{trade['sym']}",
            params={"apiKey": "local-key", "timestamp.gte": (trade["t"] - 60_000) * 10**6},
        ).json()["results"]
        server.terminate()
    clock.close()

    assert 0 == server.returncode
    assert trade["sym"] in {"AAPL", "FB", "GOOG", "IBM", "MSFT"}
    assert trade["q"] in {each["sequence_number"] for each in past}
    assert 1767625200000 <= trade["t"] < 1767625200000 + 60_000


def test_trades_of_the_present_have_the_prices_of_the_sample(tmp_path: Path) -> None:
    done = process("vendor", "serve", "--live", "0", "--lake", str(tmp_path))

    hint = "error: --live tells trades at the prices of the sample. Hint: --sample --live 8002."
    assert (2, "", hint) == done.said
