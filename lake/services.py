"""The services that fiblake is made of where its parts are processes of their own.

Containers, the compose file, the stacks and the tests that start them take names, commands and
ports from here: what is tested is what is deployed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

API_PORT: Final = 8000
"""Of the API and the page, inside a container."""
HEALTH_PORT: Final = 9100
"""Of `/health/live`, `/health/ready` and `/metrics` of each service, inside a container."""

# A container's own network: what may reach it is said outside.
_ANYWHERE: Final = "0.0.0.0"  # noqa: S104 - inside


@dataclass(frozen=True, slots=True)
class Service:
    """A process that runs for as long as the system does.

    Attributes:
        name: Of its container, its logs, its metrics.
        command: What starts it, with no setting in it: settings are its environment's.
        about: What it does, in one sentence.
    """

    name: str
    command: tuple[str, ...]
    about: str


FEED: Final = Service("feed", ("fiblake", "feed", "massive"), "Brings live events into Kinesis.")
ENGINE: Final = Service("engine", ("fiblake", "flink", "run"), "Makes events into bars, on Flink.")
PUBLISHER: Final = Service(
    "publisher", ("fiblake", "flink", "publish"), "Brings bars into the realtime view."
)
ALERTS: Final = Service("alerts", ("fiblake", "alerts", "run"), "Evaluates and delivers alerts.")
API: Final = Service(
    "api",
    ("fiblake", "up", "--host", _ANYWHERE, "--port", str(API_PORT)),
    "Serves the API, the streams and the page.",
)
EMBEDDED: Final = Service(
    "embedded",
    (*API.command, "--feed", "massive"),
    "Feed, engine, alerts and API in one process, for a small market.",
)
SERVICES: Final[tuple[Service, ...]] = (FEED, ENGINE, PUBLISHER, ALERTS, API)
"""Those that make up a whole system, in the order in which events pass them."""
