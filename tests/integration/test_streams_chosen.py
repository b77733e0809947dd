"""The settings choose the stream."""

from __future__ import annotations

import sys
from contextlib import closing

import pytest

from lake.errors import MisuseError, StreamError
from lake.settings import Settings
from lake.wire import decode_events
from speed_layer.streams import InProcess
from speed_layer.streams.choosing import open_bars, open_stream
from tests.events import trades
from tests.kinesis import KinesisServer


def test_events_stay_in_the_process_unless_told_otherwise() -> None:
    assert isinstance(open_stream(Settings()), InProcess)


def test_kinesis_is_found_by_its_settings(kinesis_server: KinesisServer) -> None:
    name = kinesis_server.stream()
    told = kinesis_server.settings(kinesis_events=name, kinesis_bars=name)
    settings = Settings.model_validate(told)
    with closing(open_stream(settings)) as stream:
        stream.put(trades(["A"]))
    with closing(open_bars(settings)) as reader:
        lines = reader.read(10).lines

    assert trades(["A"]).equals(decode_events(lines)[0])


def test_without_its_client_kinesis_is_a_misuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "speed_layer.streams.kinesis_service", None)

    with pytest.raises(MisuseError, match=r"fiblake\[kinesis\]"):
        open_stream(Settings(stream="kinesis"))


def test_without_a_region_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    with pytest.raises(StreamError, match="FIBLAKE_KINESIS_REGION"):
        open_stream(Settings(stream="kinesis"))
