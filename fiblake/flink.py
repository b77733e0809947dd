"""The commands `fiblake flink`: the stream engine on Flink, and what brings its bars to readers."""

from __future__ import annotations

import datetime as dt
import signal
import threading
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import polars as pl
import typer
from filelock import FileLock, Timeout

from fiblake.lake import Lake
from fiblake.options import LakeOption
from fiblake.output import Output
from lake.boundary import read_boundary
from lake.clock import SystemClock
from lake.emf import emf_told
from lake.errors import BusyError, MisuseError
from lake.exchange import ZONE, compute_sessions, trading_day
from lake.health_server import health_served
from lake.instant import microseconds
from lake.logs import log_as
from lake.measuring import Measures
from lake.recorded import recorded_by_all
from lake.services import ENGINE, PUBLISHER
from lake.state import state_folder
from speed_layer import flink_job, flink_start
from speed_layer.checkpoint import read_checkpoint
from speed_layer.chores import Chore
from speed_layer.corrections import Corrections
from speed_layer.covering import Covering
from speed_layer.flink_health import FlinkHealth, free_port
from speed_layer.flink_measured import FlinkMeasured
from speed_layer.late_landed import LateLanded
from speed_layer.publisher import Publisher
from speed_layer.streams.choosing import open_bars
from speed_layer.views.choosing import open_view

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from lake.session import SessionTable
    from lake.settings import Settings
    from speed_layer.publisher import Health
    from speed_layer.views.protocol import View

app = typer.Typer(
    name="flink",
    help="The stream engine on Flink.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_AHEAD: Final = dt.timedelta(days=400)
_BACK: Final = dt.timedelta(days=30)
CORRECT_S: Final = 60.0
COVER_S: Final = 10.0
_TICK_S: Final = 1.0


@app.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run_(
    context: typer.Context,
    *,
    events: Annotated[
        str | None, typer.Option(help="A folder of JSON lines, or a stream's ARN.")
    ] = None,
    bars: Annotated[str | None, typer.Option(help="Likewise: where bars and prices go.")] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Begin at the stream's start, without a checkpoint.")
    ] = False,
    lake: LakeOption = None,
) -> None:
    """Run the job in a mini cluster: by default from Kinesis to Kinesis, until Ctrl-C.

    It goes on from its last checkpoint, so that it may be killed and started again at any moment.

    Further options, as --parallelism 2, go to the job as they are; `--help` behind `--` tells them.
    """
    output = Output()
    opened = Lake(lake)
    settings = opened.settings
    state = state_folder(settings) / "flink"
    state.mkdir(parents=True, exist_ok=True)
    lock = FileLock(state / ".lock")
    _hold(lock, state)
    hours, health = state / "sessions.csv", FlinkHealth(rest := free_port())
    hours.write_text(_hours(opened), "utf-8")
    source = events or _arn(settings, settings.kinesis_events)
    target = bars or _arn(settings, settings.kinesis_bars)
    arguments = [
        *("--events", source, "--bars", target, "--corrections", target, "--rejects", target),
        *("--sessions", str(hours), "--state", str(state / "checkpoints")),
        *("--lateness-s", str(settings.lateness_seconds), "--kind", settings.feed_kind),
        *("--rest-port", str(rest)),
        *(("--endpoint", settings.kinesis_endpoint) if settings.kinesis_endpoint else ()),
        *_restored(state / "checkpoints", context.args, output, anew=anew),
        *context.args,
    ]
    output.note(f"the job takes {source} to {target} until Ctrl-C; it logs to {state / 'logs'}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    measures = Measures(log_as(ENGINE.name, settings))
    measures.add(FlinkMeasured(health.url))
    with (
        health_served(health, settings, measures),
        emf_told(measures, is_on=settings.emf),
        suppress(KeyboardInterrupt),
    ):
        flink_job.run(arguments, logs=state / "logs", environment=_credentials(settings))


def _hold(lock: FileLock, state: Path) -> None:
    """Have a folder of state alone: two jobs would remove each other's checkpoints."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        fact = f"Another process runs the job on {state}."
        raise BusyError(fact, hint="end it, or set FIBLAKE_STATE.") from None


def _restored(
    checkpoints: Path, given: Sequence[str], output: Output, *, anew: bool
) -> Sequence[str]:
    """Return what lets the job go on where it was, unless it is told otherwise."""
    last = flink_job.last_checkpoint(checkpoints)
    if anew or last is None or any(each.partition("=")[0] == "--restore" for each in given):
        return ()
    output.note(f"the job goes on from its checkpoint {last}; --anew: from the stream's start")
    return ("--restore", str(last), "--claim")


@app.command("prepare")
def prepare_() -> None:
    """Load the job's classes once, so that it starts sooner; it takes half a minute."""
    today = trading_day(SystemClock().now())
    table = compute_sessions(today + _AHEAD)
    archive = flink_start.prepare(flink_job.sessions_csv(table, today - _BACK, today + _AHEAD))
    Output().show(f"{archive} ({archive.stat().st_size / 1e6:.0f} MB)")


@app.command("package")
def package_(
    path: Annotated[Path, typer.Argument(help="The zip to write.")] = Path("fiblake-flink.zip"),
    *,
    lake: LakeOption = None,
) -> None:
    """Write the application for the Managed Service for Apache Flink, with the lake's sessions."""
    made = flink_job.package(_hours(Lake(lake)), path)
    Output().show(f"{made} ({made.stat().st_size / 1e6:.1f} MB)")


@app.command("publish")
def publish_(*, lake: LakeOption = None) -> None:
    """Bring bars from Kinesis into the view, and correct what came late, until Ctrl-C."""
    output = Output()
    opened = Lake(lake)
    settings = opened.settings
    if settings.view == "memory":
        fact = "A publisher needs a view that others can read, and FIBLAKE_VIEW=memory."
        raise MisuseError(fact, hint="set FIBLAKE_VIEW=redis, or dynamodb.")
    stop, measures = threading.Event(), Measures(log_as(PUBLISHER.name, settings))
    checkpoint = read_checkpoint(opened.store, settings.kinesis_bars)
    with ExitStack() as stack:
        view = stack.enter_context(closing(open_view(settings, opened.clock)))
        reader = stack.enter_context(closing(open_bars(settings, checkpoint.position)))
        _stop_on_signals(stop)
        publisher = Publisher(
            reader,
            view,
            opened.store,
            checkpoint=checkpoint,
            trace_one_in=settings.trace_one_in,
        )
        measures.add(publisher.health.measured)
        stack.enter_context(emf_told(measures, is_on=settings.emf))
        stack.enter_context(health_served(publisher.health, settings, measures))
        chores = threading.Thread(
            target=_tend,
            args=(_chores(opened, view, publisher.health), stop),
            name="chores",
            daemon=True,
        )
        chores.start()
        output.note(f"bars of {settings.kinesis_bars} go to the view until Ctrl-C")
        publisher.run(stop)
        chores.join()


def _chores(lake: Lake, view: View, health: Health) -> Sequence[Chore]:
    """Return what is done beside publishing: correcting what came late, and forgetting.

    A view that lost all gets from the stream what the engine told, so that is corrected once more.
    """
    lateness = dt.timedelta(seconds=lake.settings.lateness_seconds)
    late = LateLanded(lake.store)
    corrections = Corrections(
        _sessions(lake),
        partial(recorded_by_all, lake.store),
        view.put,
        kind=lake.settings.feed_kind,
        lateness=lateness,
    )

    refreshes = 0

    def correct() -> None:
        nonlocal refreshes
        if refreshes != health.counts["refreshes"]:
            refreshes = health.counts["refreshes"]
            corrections.redo()
        covered = read_boundary(lake.store).minute
        corrections.note(_after(covered, late.new(lake.clock.now())))
        corrections.apply(microseconds(lake.clock.now()))

    return Chore(CORRECT_S, correct), Chore(COVER_S, Covering(view, lake.store).forget)


def _after(covered: dt.date | None, late: pl.DataFrame) -> pl.DataFrame:
    """Return the statements of sessions after the one up to which batch has the word."""
    if covered is None:
        return late
    at = pl.from_epoch("minute", "us").dt.replace_time_zone("UTC")
    return late.filter(at.dt.convert_time_zone(ZONE.key).dt.date() > covered)


def _tend(chores: Sequence[Chore], stop: threading.Event) -> None:
    while not stop.wait(_TICK_S):
        for chore in chores:
            chore.do_if_due()


def _hours(lake: Lake) -> str:
    """Return the hours of the sessions around the present, as the job reads them."""
    today = trading_day(lake.clock.now())
    return flink_job.sessions_csv(_sessions(lake), today - _BACK, today + _AHEAD)


def _sessions(lake: Lake) -> SessionTable:
    return lake.importer().sessions()


def _arn(settings: Settings, name: str) -> str:
    if settings.stream != "kinesis":
        fact = "The job needs streams, and FIBLAKE_STREAM=memory."
        raise MisuseError(fact, hint="set FIBLAKE_STREAM=kinesis, or name --events and --bars.")
    from speed_layer.streams.kinesis_service import arn_of  # noqa: PLC0415 - needs `kinesis`

    return arn_of(settings, name)


def _credentials(settings: Settings) -> dict[str, str]:
    """Return what is set, as Flink's connector looks for it; else it looks as AWS's tools do."""
    secret = settings.kinesis_secret_access_key
    if not settings.kinesis_access_key_id or secret is None:
        return {}
    return {
        "AWS_ACCESS_KEY_ID": settings.kinesis_access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret.get_secret_value(),
        "AWS_SESSION_TOKEN": "",
    }


def _stop_on_signals(stop: threading.Event) -> None:
    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end)
