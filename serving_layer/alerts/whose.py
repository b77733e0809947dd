"""Whose things are asked for, and who asks."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - a dataclass's field
from dataclasses import dataclass

from database.audit import Actor, Entry
from lake.errors import UnknownAlertError


@dataclass(frozen=True, slots=True)
class Whose:
    """An owner, and who asks for what is its own.

    Attributes:
        owner: Whose alerts these are.
        actor: Who asks, for the audit log.
    """

    owner: str
    actor: Actor

    def entry(self, at: dt.datetime, action: str, subject: str, detail: str = "") -> Entry:
        """Return an entry of the audit log: of what is done, to what."""
        told = f"{detail}, of {self.owner}" if detail else f"of {self.owner}"
        return Entry(at, self.actor.name, self.actor.address, action, subject, told)

    def no_alert(self, alert: str) -> UnknownAlertError:
        """Return the error that is told of an alert that is not there, or another's: the same."""
        fact = f"{self.owner!r} has no alert {alert!r:.80}."
        return UnknownAlertError(fact, hint="fiblake alerts list, or GET /v1/alerts.")

    def no_firing(self, firing: str) -> UnknownAlertError:
        """Return the error that is told of a firing that is not there, or another's: the same."""
        fact = f"{self.owner!r} has no firing {firing!r:.80}."
        return UnknownAlertError(fact, hint="fiblake alerts firings, or GET /v1/alerts/firings.")
