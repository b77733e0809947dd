"""The command `fiblake alerts run`: alerts as a service, beside engines and servers elsewhere."""

from __future__ import annotations

import datetime as dt
import signal
import threading
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING

from fiblake.alerts.app import app
from fiblake.options import LakeOption
from fiblake.output import Output
from lake.errors import MisuseError
from lake.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from database import Database
    from fiblake.lake import Lake
    from lake.live import LiveBars
    from speed_layer.alerts.streamed import Service


@app.command("run")
def run_(*, lake: LakeOption = None) -> None:
    """Evaluate alerts on the bars and prices in Kinesis, and deliver what fires, until Ctrl-C."""
    settings = read_settings(lake=lake)
    if settings.stream != "kinesis":
        fact = "A service of its own needs a stream to read, and FIBLAKE_STREAM=memory."
        hint = "set FIBLAKE_STREAM=kinesis; fiblake up --feed ... evaluates alerts by itself."
        raise MisuseError(fact, hint=hint)
    # Imported here: the service takes a while to import, and needs extras.
    from database import open_database, prepare  # noqa: PLC0415
    from fiblake.lake import Lake  # noqa: PLC0415
    from lake.emf import emf_told  # noqa: PLC0415
    from lake.health_server import health_served  # noqa: PLC0415
    from lake.logs import log_as  # noqa: PLC0415
    from lake.measuring import Measures  # noqa: PLC0415
    from lake.services import ALERTS  # noqa: PLC0415
    from speed_layer.delivery.delivering import delivering  # noqa: PLC0415
    from speed_layer.views.choosing import open_view  # noqa: PLC0415

    opened, stop = Lake(lake), threading.Event()
    measures = Measures(log_as(ALERTS.name, settings))
    with ExitStack() as stack:
        database = stack.enter_context(closing(open_database(settings)))
        prepare(database)
        view: LiveBars | None = None
        if settings.view != "memory":
            view = stack.enter_context(closing(open_view(settings, opened.clock)))
        deliverer = stack.enter_context(delivering(settings, database, opened.clock))
        service = _service(opened, database, view, deliverer.nudge)
        measures.add(service.health.measured)
        measures.add(deliverer.measured)
        stack.enter_context(emf_told(measures, is_on=settings.emf))
        stack.enter_context(health_served(service.health, settings, measures))
        _stop_on_signals(stop)
        Output().note(f"alerts are evaluated on {settings.kinesis_bars} until Ctrl-C")
        service.run(stop)


def _service(
    lake: Lake, database: Database, view: LiveBars | None, nudge: Callable[[], None]
) -> Service:
    """Return the service, put together of its parts."""
    from fiblake.alerts.history import LakeHistory  # noqa: PLC0415
    from fiblake.soon_reader import soon_reader  # noqa: PLC0415
    from speed_layer.alerts.keeper import Keeper  # noqa: PLC0415
    from speed_layer.alerts.streamed import Service  # noqa: PLC0415
    from speed_layer.streams.choosing import open_bars  # noqa: PLC0415

    settings = lake.settings
    return Service(
        Keeper(database, lake.clock, on_told=nudge),
        partial(open_bars, settings),
        LakeHistory(soon_reader(lake), view),
        lake.importer().sessions(),
        dt.timedelta(seconds=settings.alert_grace_seconds),
        lake.clock,
        trace_one_in=settings.trace_one_in,
    )


def _stop_on_signals(stop: threading.Event) -> None:
    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end)
