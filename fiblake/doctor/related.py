"""The relational store: keys, alerts, and what is to be delivered."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from database import Database, open_database
from database.database import FILE
from database.deliveries import undelivered
from database.keys import has_keys
from database.migrating import revision_of
from fiblake.doctor.finding import Check, Finding, fail, ok, runbook, warn
from lake.state import state_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fiblake.doctor.patient import Patient

_WAITING: Final = 1_000
"""Deliveries that wait in an hour of many alerts, and not for long."""


def checks(patient: Patient) -> Iterator[Check]:
    """Yield what to look at of the database."""
    yield Check("database.there", lambda: database(patient))


def database(patient: Patient) -> Iterator[Finding]:
    """Yield whether it answers, has the tables that are needed, and delivers."""
    settings = patient.settings
    if settings.database_url is None and not (state_folder(settings) / FILE).exists():
        fact = "There is no database of keys and alerts yet."
        yield warn("database.there", fact, "the first start of fiblake up makes it.")
        return
    with closing(open_database(settings)) as opened:
        found = revision_of(opened)
        yield ok("database.there", f"{found.database} answers.")
        if not found.is_current:
            yield _behind(opened, found.at, found.head)
            return
        yield ok("database.revision", f"Its tables are at {found.at}, as this version needs them.")
        with opened.read() as connection:
            keys = has_keys(connection)
            waiting, dead = undelivered(connection)
    if keys:
        yield ok("database.keys", "There are keys of the API.")
    else:
        hint = "fiblake keys create NAME --scope read --scope live."
        fact = "There is no key: the API answers on this machine alone."
        yield warn("database.keys", fact, hint)
    yield _of_deliveries(waiting, dead)


def _behind(opened: Database, at: str | None, head: str) -> Finding:
    check, fact = "database.revision", f"Its tables are at {at or 'nothing'}, not at {head}."
    if at is not None and at > head:
        hint = "it belongs to a newer version: upgrade this one."
        return fail(check, fact, hint)
    if opened.is_embedded:
        return warn(check, fact, "the next start of fiblake up makes them.")
    return fail(check, fact, "fiblake db upgrade.")


def _of_deliveries(waiting: int, dead: int) -> Finding:
    check = "database.deliveries"
    fact = f"{waiting:,} deliveries wait, and {dead:,} were given up on."
    if dead:
        hint = "see why: fiblake alerts firings; they may be told again."
        return warn(check, fact, hint, runbook("deliveries-dead"))
    if waiting > _WAITING:
        hint = "see whether fiblake alerts run, or fiblake up, is there to deliver."
        return warn(check, fact, hint, runbook("deliveries-waiting"))
    return ok(check, fact)
