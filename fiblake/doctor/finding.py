"""What a check found, in a user's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Status = Literal["ok", "warn", "fail"]
PAGE: Final = "docs/doctor.md"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        check: Which check, as `lake.boundary`: a part of the system, and what of it.
        status: `ok`; `warn`: it works, but not as it should; `fail`: it does not work.
        fact: What is, in one sentence.
        hint: What to do; empty where it is `ok`.
        page: Where the documents tell more; empty where it is `ok`.
    """

    check: str
    status: Status
    fact: str
    hint: str = ""
    page: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at.

    Attributes:
        name: Of what it looks at first; what it finds may have other names.
        look: Yields what it finds, each as soon as it is known.
    """

    name: str
    look: Callable[[], Iterable[Finding]]


def ok(check: str, fact: str) -> Finding:
    """Return that all is well."""
    return Finding(check, "ok", fact)


def warn(check: str, fact: str, hint: str, page: str = "") -> Finding:
    """Return that something is not as it should be."""
    return Finding(check, "warn", fact, hint, page or _section(check))


def fail(check: str, fact: str, hint: str, page: str = "") -> Finding:
    """Return that something does not work."""
    return Finding(check, "fail", fact, hint, page or _section(check))


def runbook(name: str) -> str:
    """Return the page of the runbook that tells what to do, step by step."""
    return f"docs/runbook/{name}.md"


def _section(check: str) -> str:
    return f"{PAGE}#{check.partition('.')[0]}"
