"""The command `fiblake topics`: where alerts and news are published, before any is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from fiblake.options import JsonOption
from fiblake.output import Output
from lake.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speed_layer.delivery.topics import Topic

app = typer.Typer(
    name="topics",
    help="The topics of SNS that alerts and news are published to.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@dataclass(frozen=True, slots=True)
class CreateReport:
    """What there is now: a topic for alerts and one for news, and a queue for each."""

    topics: list[Topic]


@app.callback()
def topics_() -> None:
    """The topics of SNS that alerts and news are published to."""


@app.command("create")
def create_(
    *,
    prefix: Annotated[
        str, typer.Option(help="Of the names of topics that no setting names.")
    ] = "fiblake-",
    json: JsonOption = False,
) -> None:
    """Create the topics, and a queue of SQS subscribed to each; those that are there stay."""
    from speed_layer.delivery.topics import create_topics  # noqa: PLC0415 - needs an extra

    output = Output(as_json=json)
    report = CreateReport(create_topics(read_settings(), prefix))
    output.report(report, _told)
    for each in report.topics:
        output.note(f"to publish {each.kind}: FIBLAKE_SNS_{each.kind.upper()}={each.topic}")


def _told(report: CreateReport) -> Iterator[str]:
    for each in report.topics:
        yield f"{each.kind}: {each.topic}, and all of it in {each.queue}"
