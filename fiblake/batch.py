"""The commands `fiblake batch`: jobs of AWS Batch that rebuild silver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from fiblake import reports
from fiblake.lake import Lake
from fiblake.options import JsonOption, LakeOption
from fiblake.output import Output
from lake.errors import MisuseError
from lake.interval import RESAMPLED, parse_one_of

if TYPE_CHECKING:
    from batch_layer.jobs.service import Service
    from batch_layer.jobs.state import JobState
    from batch_layer.jobs.submission import Order
    from lake.settings import Settings

app = typer.Typer(
    name="batch",
    help="Rebuild silver by jobs of AWS Batch.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait until the job has ended; it goes on after Ctrl-C.")
]
EveryOption = Annotated[
    float, typer.Option("--every", min=0.1, help="Seconds between two looks while waiting.")
]
_EVERY_S: Final = 10.0
_MOST_CHILDREN: Final = 10_000
_INTERRUPTED: Final = 130


@app.command("submit")
def submit_(  # noqa: PLR0913 - a command's options
    *,
    interval: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {' '.join(map(str, RESAMPLED))}; may be repeated."),
    ] = None,
    partitions: Annotated[
        int, typer.Option(min=1, max=_MOST_CHILDREN, help="How many children share the work.")
    ] = 16,
    queue: Annotated[str | None, typer.Option(help="Name or ARN. [FIBLAKE_BATCH_QUEUE]")] = None,
    definition: Annotated[
        str | None, typer.Option(help="The job's: name or ARN. [FIBLAKE_BATCH_DEFINITION]")
    ] = None,
    wait: WaitOption = False,
    every: EveryOption = _EVERY_S,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Submit a job whose children rebuild the stale partitions of silver, each its share."""
    from batch_layer.jobs.service import Service  # noqa: PLC0415 - needs the extra `s3`
    from batch_layer.jobs.submission import submit  # noqa: PLC0415 - likewise

    output = Output(as_json=json)
    opened = Lake(lake)
    chosen = [parse_one_of(name, RESAMPLED) for name in interval or ()]
    order = _order(opened.settings, queue, definition, partitions)
    service = Service()
    submitted = submit(service, opened.store, chosen, order)
    if wait:
        output.note(f"submitted {submitted.job}")
        _finish(_watched(service, submitted.job, every, output), output)
    else:
        output.report(submitted, reports.of_submission)


@app.command("status")
def status_(
    job: Annotated[str, typer.Argument(help="The id that submit printed.")],
    *,
    wait: WaitOption = False,
    every: EveryOption = _EVERY_S,
    json: JsonOption = False,
) -> None:
    """Show what has become of a job; fails where a child of it failed."""
    from batch_layer.jobs.service import Service  # noqa: PLC0415 - needs the extra `s3`
    from batch_layer.jobs.state import read_state  # noqa: PLC0415 - likewise

    output = Output(as_json=json)
    service = Service()
    found = _watched(service, job, every, output) if wait else read_state(service, job)
    _finish(found, output)


def _order(settings: Settings, queue: str | None, definition: str | None, partitions: int) -> Order:
    from batch_layer.jobs.submission import Order  # noqa: PLC0415 - needs the extra `s3`

    return Order(
        queue=_named("queue", queue or settings.batch_queue),
        definition=_named("definition", definition or settings.batch_definition),
        partitions=partitions,
        attempts=settings.batch_attempts,
        timeout_s=60 * settings.batch_timeout_minutes,
    )


def _named(what: str, name: str | None) -> str:
    if not name:
        fact = f"No job {what} is named."
        raise MisuseError(fact, hint=f"--{what} NAME, or set FIBLAKE_BATCH_{what.upper()}.")
    return name


def _watched(service: Service, job: str, every_s: float, output: Output) -> JobState:
    from batch_layer.jobs.state import watch  # noqa: PLC0415 - needs the extra `s3`

    def tell(state: JobState) -> None:
        output.note(reports.counts_of(state))

    try:
        return watch(service, job, every_s=every_s, on_change=tell)
    except KeyboardInterrupt:
        output.note(f"the job goes on; look at it: fiblake batch status {job}")
        raise typer.Exit(_INTERRUPTED) from None


def _finish(state: JobState, output: Output) -> None:
    output.report(state, reports.of_job)
    if state.has_failed:
        raise typer.Exit(1)
