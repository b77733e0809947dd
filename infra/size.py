"""What is deployed: how large it is, where, and what the person who deploys it says of it.

It comes from the CDK's context, as in `cdk deploy -c size=prod`, and is read once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lake.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDER_ACCOUNT: Final = "123456789012"
"""Of no one: what is synthesised for it can be looked at, and cannot be deployed."""
REGION: Final = "us-east-1"

_FORMS: Final = {
    "account": (re.compile(r"\d{12}"), "an account's number of 12 digits"),
    "region": (re.compile(r"[a-z]{2}(-[a-z]+)+-\d"), "a region, as us-east-1"),
    "domain": (
        re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"),
        "a domain's name, as bars.example.com",
    ),
    "certificate": (
        re.compile(r"arn:aws[a-z-]*:acm:us-east-1:\d{12}:certificate/[0-9a-f-]+"),
        "the ARN of a certificate in us-east-1, where CloudFront looks for it",
    ),
    "alarm_email": (re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"), "an address of e-mail"),
}
"""What is taken as it was said: how it looks, and in words."""
_KNOWN: Final = (*_FORMS, "size", "budget_usd")


@dataclass(frozen=True, slots=True)
class Size:
    """How large a deployment is, in what the foundation of it differs.

    Attributes:
        name: `dev` or `prod`.
        is_whole: Whether feed, engine, publisher, alerts and API are services of their own, which
            meet in Kinesis and Redis; if not, all are one process.
        keeps_data: Whether what holds data outlives its stack, and refuses to be deleted.
        zones: Availability zones that it runs in; a database wants two even where it is in one.
        nat_gateways: Ways out of private subnets; none: tasks have public addresses.
        event_shards: Of the stream of events: 1 MB and 1,000 records a second each.
        bar_shards: Of the stream of bars: with each change of a symbol eight records.
        stream_hours: How long records stay in streams; beyond 24 a shard costs more than double.
        database_class: Of the instance, without `db.`.
        database_gib: Of its disk at first; it grows to four times that.
        database_standby: Whether another zone has a standby of it.
        backup_days: How long the database can be set back to any second.
        superseded_days: How long replaced and deleted objects of the lake can be brought back.
        log_days: How long logs of the network and of access to the lake stay.
        scanned_gib: How much one query of Athena may scan.
    """

    name: str
    is_whole: bool
    keeps_data: bool
    zones: int
    nat_gateways: int
    event_shards: int
    bar_shards: int
    stream_hours: int
    database_class: str
    database_gib: int
    database_standby: bool
    backup_days: int
    superseded_days: int
    log_days: int
    scanned_gib: int


DEV: Final = Size(
    name="dev",
    is_whole=False,
    keeps_data=False,
    zones=2,
    nat_gateways=0,
    event_shards=0,
    bar_shards=0,
    stream_hours=0,
    database_class="t4g.micro",
    database_gib=20,
    database_standby=False,
    backup_days=7,
    superseded_days=7,
    log_days=30,
    scanned_gib=10,
)
PROD: Final = Size(
    name="prod",
    is_whole=True,
    keeps_data=True,
    zones=2,
    nat_gateways=1,
    event_shards=16,
    bar_shards=16,
    stream_hours=24,
    database_class="t4g.medium",
    database_gib=50,
    database_standby=True,
    backup_days=14,
    superseded_days=30,
    log_days=90,
    scanned_gib=100,
)
SIZES: Final = {each.name: each for each in (DEV, PROD)}


@dataclass(frozen=True, slots=True)
class Deployment:
    """One system in one account.

    Attributes:
        size: How large it is.
        account: AWS's number of it, 12 digits.
        region: As `us-east-1`.
        domain: Where users find it, as `bars.example.com`; none: at CloudFront's own name.
        certificate: ARN of that domain's certificate, which CloudFront wants in us-east-1.
        alarm_email: Who is told of alarms; none: nobody, though they are raised.
        budget_usd: A month, after which an alarm is raised; none: half as much again as the bill
            that is reckoned of the size.
    """

    size: Size
    account: str = PLACEHOLDER_ACCOUNT
    region: str = REGION
    domain: str | None = None
    certificate: str | None = None
    alarm_email: str | None = None
    budget_usd: float | None = None

    @property
    def prefix(self) -> str:
        """How names of what is deployed begin."""
        return f"fiblake-{self.size.name}"


def read_deployment(context: Mapping[str, Any]) -> Deployment:
    """Return the deployment that the CDK's context tells of.

    Args:
        context: By name; what is none or empty was not said, and names of others' are passed over.

    Raises:
        MisuseError: If something cannot be as it was said, or lacks.
    """
    said = {name: str(context[name]) for name in _KNOWN if context.get(name) not in {None, ""}}
    taken = {name: said[name] for name in _FORMS if name in said}
    for name, text in taken.items():
        form, what = _FORMS[name]
        if not form.fullmatch(text):
            raise _refused(name, text, what)
    if ("domain" in said) != ("certificate" in said):
        fact = "A domain needs its certificate, and a certificate its domain."
        raise MisuseError(fact, hint="give -c domain=... and -c certificate=..., or neither.")
    return Deployment(
        size=_size(said.get("size", DEV.name)),
        budget_usd=_budget(said.get("budget_usd")),
        **taken,
    )


def _size(text: str) -> Size:
    if text not in SIZES:
        name, names = "size", " or ".join(SIZES)
        raise _refused(name, text, names)
    return SIZES[text]


def _budget(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        budget = float(text)
    except ValueError:
        budget = 0
    if not 0 < budget < float("inf"):
        name, what = "budget_usd", "US dollars a month, more than 0"
        raise _refused(name, text, what)
    return budget


def _refused(name: str, text: str, what: str) -> MisuseError:
    fact = f"The context's {name} is {text!r}. Allowed: {what}."
    return MisuseError(fact, hint=f"cdk deploy -c {name}=...")
