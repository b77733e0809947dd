"""The command `fiblake feed`: live events into a stream that others read."""

from __future__ import annotations

import signal
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Annotated

import typer

from fiblake.lake import Lake
from fiblake.options import LakeOption
from fiblake.output import Output
from fiblake.recording import recording_of
from lake.emf import emf_told
from lake.errors import MisuseError
from lake.logs import log_as
from lake.measuring import Measures
from lake.services import FEED
from speed_layer.feed import Health, opened, parse_feed
from speed_layer.streams.choosing import open_stream

if TYPE_CHECKING:
    from types import FrameType

    from speed_layer.feed import Feed

app = typer.Typer()


@app.command("feed")
def feed_(
    feed: Annotated[
        str, typer.Argument(help="massive, replay:2026-01-05@60x, replay:sample@60x.")
    ] = "massive",
    *,
    lake: LakeOption = None,
) -> None:
    """Bring live events into Kinesis, and record them, until Ctrl-C or the end of a replay."""
    output = Output()
    of_lake = Lake(lake)
    settings = of_lake.settings
    spec = parse_feed(feed)
    if settings.stream != "kinesis":
        fact = "A feed of its own needs a stream that others can read, and FIBLAKE_STREAM=memory."
        hint = "set FIBLAKE_STREAM=kinesis, or run all in one process: fiblake up --feed ..."
        raise MisuseError(fact, hint=hint)
    health, measures = Health(), Measures(log_as(FEED.name, settings))
    with ExitStack() as stack:
        stack.enter_context(emf_told(measures, is_on=settings.emf))
        sessions = of_lake.importer().sessions()
        spec, store = recording_of(spec, of_lake.store, sessions, stack)
        stream = stack.enter_context(closing(open_stream(settings)))
        brings = stack.enter_context(
            opened(
                spec,
                settings,
                store,
                stream,
                sessions=sessions,
                clock=of_lake.clock,
                health=health,
                measures=measures,
            )
        )
        output.note(f"the feed {feed} goes to the stream {settings.kinesis_events} until Ctrl-C")
        _stop_on_signals(brings)
        brings.run()
    output.note(f"{health.counts['accepted']:,} events went on, {health.counts['refused']} did not")


def _stop_on_signals(feed: Feed) -> None:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        feed.stop()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, stop)
