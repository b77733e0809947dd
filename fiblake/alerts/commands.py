"""All commands of `fiblake alerts`: importing the modules that tell them adds them to the group."""

from __future__ import annotations

from fiblake.alerts import dry_run, outbox, rules, run
from fiblake.alerts.app import app

__all__ = ["app", "dry_run", "outbox", "rules", "run"]
