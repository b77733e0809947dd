"""Structured logs, on standard error: standard output belongs to data.

Each line has its `event`, `level` and `timestamp`, and in a service its `service`; what a request
or a job is about is bound by whoever begins it.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

    from lake.settings import Settings


def configure_logs(settings: Settings) -> None:
    """Send logs of the level set to standard error, as text or as JSON lines.

    A program that has configured structlog itself keeps its own way.
    """
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _Name(settings.service),
            *_common(),
            _renderer(settings),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_level(settings)),
        # Asked for each line: what standard error is may change, as in a test. And a line is
        # written with its end at once: threads' lines must not run into one another.
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def name_logs(service: str, settings: Settings) -> str:
    """Let all lines of this process tell that they are of a service, and return its name.

    Args:
        service: Its name, where FIBLAKE_SERVICE tells no other.
        settings: In which form lines are.
    """
    configure_logs(settings)
    name = settings.service or service
    for each in structlog.get_config()["processors"]:
        if isinstance(each, _Name):
            each.service = name
    return name


def log_as(service: str, settings: Settings) -> str:
    """Name logs as `name_logs` does, and let libraries' lines, as uvicorn's, be of the same form.

    For the entry points of services alone: it is the logging of the whole process.
    """
    name = name_logs(service, settings)
    root = logging.getLogger()
    if any(isinstance(each, _ToStderr) for each in root.handlers):
        return name
    handler = _ToStderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                _Name(name),
                structlog.stdlib.add_logger_name,
                *_common(),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(settings),
            ],
        )
    )
    root.addHandler(handler)
    return name


def always() -> Any:  # noqa: ANN401 - as structlog's own
    """Return a logger whose lines are told whatever the level: for what someone asked to see."""
    made = structlog.get_config()["logger_factory"]()
    return structlog.wrap_logger(made, wrapper_class=structlog.BoundLogger)


class _Name:
    """Adds to each line of which service it is, where that is known."""

    def __init__(self, service: str | None) -> None:
        self.service = service

    def __call__(self, _logger: object, _method: str, line: EventDict) -> EventDict:
        if self.service is not None:
            line.setdefault("service", self.service)
        return line


class _ToStderr(logging.Handler):
    """Writes where standard error is by then, as a test may have moved it."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


def _common() -> list[Processor]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]


def _renderer(settings: Settings) -> Processor:
    if settings.log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _level(settings: Settings) -> int:
    level: int = getattr(logging, settings.log_level.upper())
    return level
