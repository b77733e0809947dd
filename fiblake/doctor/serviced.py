"""Services, by what they tell of themselves."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fiblake.doctor.finding import Check, Finding, fail, ok, runbook, warn
from fiblake.doctor.patient import ANSWER_S
from lake.errors import MisuseError
from lake.services import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fiblake.doctor.patient import Patient

_NAMES: Final = tuple(each.name for each in SERVICES)
_COMMANDS: Final = {each.name: " ".join(each.command) for each in SERVICES}
_WITH_PAGE: Final = {"feed", "engine", "api"}
_SILENT_S: Final = 60


def parse_services(given: Sequence[str]) -> Mapping[str, str]:
    """Return the URLs of services' health, given as `feed=http://host:9100`, by name.

    Raises:
        MisuseError: If one is not of that form, or no service has that name.
    """
    found = {}
    for each in given:
        name, _, url = each.partition("=")
        if name not in _NAMES or not url.startswith(("http://", "https://")):
            fact = f"--service {each} cannot be. Allowed: NAME=URL, names {', '.join(_NAMES)}."
            raise MisuseError(fact, hint="--service feed=http://127.0.0.1:9100.")
        found[name] = url.rstrip("/")
    return found


def checks(patient: Patient) -> Iterator[Check]:
    """Yield what to look at of the services that were named."""
    for name, url in patient.services.items():
        yield Check(f"service.{name}", lambda n=name, u=url: service(patient, n, u))  # type: ignore[misc]


def service(patient: Patient, name: str, url: str) -> Iterator[Finding]:
    """Yield whether a service is there, and does what it is there for."""
    import httpx  # noqa: PLC0415 - needs an extra

    check = f"service.{name}"
    try:
        answer = httpx.get(f"{url}/health/ready", timeout=ANSWER_S)
        told: dict[str, Any] = answer.json()
    except httpx.TransportError as error:
        fact = f"{url} does not answer: {str(error) or type(error).__name__}."
        hint = f"see whether {_COMMANDS[name]} runs, with FIBLAKE_HEALTH_PORT set."
        yield fail(check, fact, hint, _page(name))
        return
    except ValueError:
        yield fail(check, f"{url} is no service of fiblake.", "check the URL.")
        return
    away = told.get("away") or {}
    if answer.status_code != HTTPStatus.OK:
        why = "; ".join(f"{part}: {said}" for part, said in away.items()) or told.get("waiting")
        fact = f"{name} is not ready{f': {why}' if why else ''}."
        yield fail(check, fact, "mend what it names; it goes on by itself.", _page(name))
        return
    yield ok(check, f"{name} is ready.")
    if name == "feed":
        yield from _of_feed(patient, told)


def _page(name: str) -> str:
    return runbook(f"{name}-away" if name in _WITH_PAGE else "service-away")


def _of_feed(patient: Patient, told: Mapping[str, Any]) -> Iterator[Finding]:
    gaps = told.get("counts", {}).get("gaps", 0)
    if gaps:
        fact = f"Since it was started the feed missed events of {gaps:,} spans."
        hint = "what batch fetches tells them; live bars of the day lack them."
        yield warn("service.feed_gaps", fact, hint, runbook("feed-gaps"))
    silence = told.get("last_event_age_s")
    if silence is not None and silence > _SILENT_S and patient.is_open():
        fact = f"The market is open, and the feed has heard nothing for {silence:,.0f} s."
        yield warn("service.feed_silence", fact, "see what it says.", runbook("feed-silent"))
