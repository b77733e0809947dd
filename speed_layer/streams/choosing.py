"""Which stream the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lake.errors import MisuseError
from speed_layer.streams.in_process import InProcess

if TYPE_CHECKING:
    from lake.settings import Settings
    from speed_layer.streams.kinesis_reader import KinesisReader
    from speed_layer.streams.kinesis_service import Service
    from speed_layer.streams.position import Position
    from speed_layer.streams.protocol import Stream


def open_stream(settings: Settings) -> Stream:
    """Return the stream of `FIBLAKE_STREAM` that events are put into; it need not answer yet.

    Raises:
        MisuseError: If what it needs is not installed.
        StreamError: If AWS's own settings make no sense.
    """
    if settings.stream == "memory":
        return InProcess()
    service = _service(settings)
    # Imported here: only who chooses it needs its client, which is an extra.
    from speed_layer.streams.kinesis_writer import Kinesis  # noqa: PLC0415

    return Kinesis(service, settings.kinesis_events, per_symbol=settings.kinesis_per_symbol)


def open_bars(settings: Settings, position: Position | None = None) -> KinesisReader:
    """Return the reader of the stream into which an engine writes bars, from a position on.

    Raises:
        MisuseError: If what it needs is not installed.
        StreamError: If AWS's own settings make no sense.
    """
    service = _service(settings)
    from speed_layer.streams.kinesis_reader import KinesisReader  # noqa: PLC0415

    return KinesisReader(service, settings.kinesis_bars, position=position)


def _service(settings: Settings) -> Service:
    try:
        from speed_layer.streams.kinesis_service import Service  # noqa: PLC0415
    except ImportError:
        fact = "FIBLAKE_STREAM=kinesis needs a client that is not installed."
        raise MisuseError(fact, hint="pip install 'fiblake[kinesis]'.") from None
    return Service.of(settings)
