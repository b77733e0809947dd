"""The command `fiblake doctor`: looks at a running system, and says what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fiblake.options import JsonOption, LakeOption
from fiblake.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fiblake.doctor.finding import Check, Finding
    from fiblake.doctor.patient import Patient

app = typer.Typer()
_MARKS: Final = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found.

    Attributes:
        healthy: Whether nothing fails.
        findings: All, those that fail first.
    """

    healthy: bool
    findings: list[Finding]


@app.command("doctor")
def doctor_(
    url: Annotated[
        str | None, typer.Argument(help="Of the API. Default: http://127.0.0.1:8000.")
    ] = None,
    *,
    service: Annotated[
        list[str] | None,
        typer.Option(help="The health of a service, as feed=http://127.0.0.1:9100; repeatable."),
    ] = None,
    vendor: Annotated[
        bool, typer.Option("--vendor", help="Ask the vendor too, which costs a call.")
    ] = False,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Look at all parts that the settings name, and say what is wrong and what to do about it.

    Exit code 1: something fails. Warnings alone are no failure.
    """
    # Imported here: each part needs extras of its own, and takes a while.
    from fiblake.doctor.examining import examine, worst_first  # noqa: PLC0415
    from fiblake.doctor.patient import URL, Patient, hurried  # noqa: PLC0415
    from fiblake.doctor.serviced import parse_services  # noqa: PLC0415
    from lake.settings import read_settings  # noqa: PLC0415

    patient = Patient(
        settings=hurried(read_settings(lake=lake)),
        url=(url or URL).rstrip("/"),
        is_asked=url is not None,
        services=parse_services(service or []),
        is_vendor_asked=vendor,
    )
    found = worst_first(examine(list(_checks(patient))))
    diagnosis = Diagnosis(all(each.status != "fail" for each in found), found)
    Output(as_json=json).report(diagnosis, of_diagnosis)
    if not diagnosis.healthy:
        raise typer.Exit(1)


def of_diagnosis(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield what was found as text: what fails first, each with what to do."""
    width = max((len(each.check) for each in diagnosis.findings), default=0)
    for each in diagnosis.findings:
        yield f"{_MARKS[each.status]}  {each.check.ljust(width)}  {each.fact}"
        if each.hint:
            yield f"{' ' * (width + 8)}{each.hint} ({each.page})"


def _checks(patient: Patient) -> Iterator[Check]:
    from fiblake.doctor import (  # noqa: PLC0415 - likewise
        backed,
        machine,
        related,
        served,
        serviced,
        stored,
        streams,
        told,
        vending,
        viewed,
    )

    parts = (machine, stored, related, streams, viewed, told, serviced, served, vending, backed)
    return chain.from_iterable(part.checks(patient) for part in parts)
