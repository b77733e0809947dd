"""An alert as it is watched: its rule, whose it is, and what is told when it fires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from database.notifications import NotificationRow
from lake.alerts.rule import parse_rule
from lake.envelope import Envelope, encode_envelope
from lake.instant import from_microseconds

if TYPE_CHECKING:
    import datetime as dt

    from database.alert_flow import RuleRow
    from lake.alerts.book import Firing
    from lake.alerts.rule import Rule


@dataclass(frozen=True, slots=True)
class Watched:
    """An alert.

    Attributes:
        alert: Its id.
        owner: Whose.
        revision: Of its rule.
        rule: When it fires.
        muted_until: Until when it is told to nobody; None: it is told.
    """

    alert: str
    owner: str
    revision: int
    rule: Rule
    muted_until: dt.datetime | None = None

    @classmethod
    def of(cls, row: RuleRow) -> Watched:
        """Return the alert that a row tells.

        Raises:
            InvalidRuleError: If its rule is none, as one of a newer version may be.
        """
        rule = parse_rule(row.definition)
        return cls(row.alert, row.owner, row.revision, rule, row.muted_until)

    def told(self, firing: Firing, now: dt.datetime) -> tuple[NotificationRow, tuple[str, ...]]:
        """Return the notification of one of its firings, and to which destinations it goes."""
        rule = self.rule
        at = from_microseconds(firing.time)
        envelope = Envelope(
            firing.id,
            "alert",
            at,
            (firing.symbol,),
            rule.name or firing.symbol,
            f"{firing.text}\n{rule.note}" if rule.note else firing.text,
            {
                "alert": firing.alert,
                "revision": firing.revision,
                "number": firing.number,
                "symbol": firing.symbol,
                "price": firing.price,
                "name": rule.name,
            },
        )
        row = NotificationRow(
            firing.id,
            envelope.kind,
            self.owner,
            firing.alert,
            firing.symbol,
            at,
            now,
            self.muted_until is not None and now < self.muted_until,
            encode_envelope(envelope).decode(),
        )
        return row, rule.deliver
