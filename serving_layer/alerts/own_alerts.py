"""An owner's alerts: created, listed, replaced, muted, tried and deleted."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from database.alert_rules import (
    FOREVER,
    AlertRow,
    Kept,
    add_alert,
    count_alerts,
    delete_alert,
    find_alert,
    hold_owner,
    list_alerts,
    mute_alert,
    replace_rule,
)
from database.audit import note
from database.destinations import names_of
from database.notifications import NotificationRow, add_notification
from lake.alerts.rule import Rule, parse_rule, rule_document
from lake.envelope import Envelope, encode_envelope
from lake.errors import AlertChangedError, InvalidRangeError, TooManyAlertsError
from lake.instant import utc, written
from lake.symbol import canonical
from serving_layer.alerts.answers import Alert, AlertsPage, Sent, alert_of
from serving_layer.alerts.checking import check_destinations, standing
from serving_layer.alerts.paging import ALERT, behind, cursor_of

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy import Connection

    from database import Database
    from lake.clock import Clock
    from lake.settings import Settings
    from serving_layer.alerts.whose import Whose

_ID_BYTES: Final = 6


class OwnAlerts:
    """The alerts of one owner; many threads may use it.

    Args:
        database: Which keeps them, and is prepared.
        whose: The owner, and who asks.
        settings: How many one may have, and where one may be told.
        clock: Tells the present.

    Each method raises a `DatabaseError` if the database does not answer; and an
    `UnknownAlertError` if an alert is asked for that is not there, or is another's.
    """

    def __init__(self, database: Database, whose: Whose, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._whose = whose
        self._owner = whose.owner
        self._settings = settings
        self._clock = clock

    def create(self, rule: Rule) -> Alert:
        """Keep a new alert.

        Raises:
            InvalidRuleError: If its end is past, or it tells where nobody can be told.
            TooManyAlertsError: If the owner has as many as one may have.
        """
        now = self._clock.now()
        rule = standing(rule, now)
        with self._database.write() as connection:
            hold_owner(connection, self._owner)
            self._must_have_room(connection)
            self._must_lead_somewhere(connection, rule)
            row = self._row(rule, now)
            while not add_alert(connection, row):
                row = self._row(rule, now)
            self._note(connection, now, "alert created", row.alert, row.symbol)
        return alert_of(Kept(row, None), now)

    def listed(
        self, *, symbol: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AlertsPage:
        """Return alerts, in order of creation.

        Args:
            symbol: Of this symbol alone, in any spelling; None: of all.
            limit: At most so many; None: all.
            cursor: `next_cursor` of the page before.

        Raises:
            InvalidRangeError: If the cursor is none.
        """
        after = behind(cursor, ALERT) if cursor is not None else None
        spelt = canonical(symbol) if symbol is not None else None
        if spelt is not None and not spelt.isprintable():  # not every text may be asked of it
            return AlertsPage([], None)
        one_more = None if limit is None else limit + 1
        with self._database.read() as connection:
            found = list_alerts(connection, self._owner, symbol=spelt, after=after, limit=one_more)
        shown, now = found[:limit], self._clock.now()
        alerts = [alert_of(each, now) for each in shown]
        if len(shown) == len(found):
            return AlertsPage(alerts, None)
        last = shown[-1].row
        return AlertsPage(alerts, cursor_of(last.created, last.alert))

    def show(self, alert: str) -> Alert:
        """Return an alert."""
        with self._database.read() as connection:
            return alert_of(self._found(connection, alert), self._clock.now())

    def replace(self, alert: str, rule: Rule, revision: int | None = None) -> Alert:
        """Give an alert another rule: its next revision, which begins anew. A mute stays.

        Args:
            alert: Its id.
            rule: The other rule, whole.
            revision: Only if it is at this one still; None: whatever it is at.

        Raises:
            InvalidRuleError: As `create` does.
            AlertChangedError: If it is at another revision.
        """
        now = self._clock.now()
        with self._database.write() as connection:
            hold_owner(connection, self._owner)
            was = self._found(connection, alert).row  # whoever has none learns nothing else
            _must_be_at(was, revision)
            rule = standing(rule, now)
            self._must_lead_somewhere(connection, rule)
            replace_rule(
                connection,
                self._owner,
                alert,
                symbol=rule.symbol,
                definition=_definition(rule),
                at=now,
            )
            found = self._found(connection, alert)
            detail = f"{rule.symbol}, revision {found.row.revision}"
            self._note(connection, now, "alert replaced", alert, detail)
        return alert_of(found, now)

    def delete(self, alert: str) -> None:
        """Delete an alert; what it fired stays listed."""
        now = self._clock.now()
        with self._database.write() as connection:
            symbol = self._found(connection, alert).row.symbol
            delete_alert(connection, self._owner, alert, now)
            self._note(connection, now, "alert deleted", alert, symbol)

    def mute(self, alert: str, until: dt.datetime | None = None) -> Alert:
        """Tell nobody of an alert until an instant; None: until `unmute`.

        It goes on: what it fires is listed, and counts.

        Raises:
            InvalidRangeError: If the instant is past, or none.
        """
        now = self._clock.now()
        end = FOREVER if until is None else min(utc(until), FOREVER)
        if end <= now:
            fact = f"until: a mute until {written(end)} would be over by now."
            raise InvalidRangeError(fact, hint="name a later instant; null: until unmuted.")
        detail = "until unmuted" if end == FOREVER else f"until {written(end)}"
        return self._mute(alert, end, now, "alert muted", detail)

    def unmute(self, alert: str) -> Alert:
        """Tell of an alert again, from now on."""
        return self._mute(alert, None, self._clock.now(), "alert unmuted", "")

    def test(self, alert: str) -> Sent:
        """Tell where an alert is told that this is a test: whatever its state, muted or not."""
        now = self._clock.now()
        with self._database.write() as connection:
            row = self._found(connection, alert).row
            told = _test(row, now)
            add_notification(connection, told, parse_rule(row.definition).deliver)
        return Sent(told.notification)

    def _mute(
        self, alert: str, until: dt.datetime | None, now: dt.datetime, action: str, detail: str
    ) -> Alert:
        with self._database.write() as connection:
            found = self._found(connection, alert)
            mute_alert(connection, self._owner, alert, until, now)
            self._note(connection, now, action, alert, detail)
        return alert_of(replace(found, row=replace(found.row, muted_until=until, changed=now)), now)

    def _found(self, connection: Connection, alert: str) -> Kept:
        # Not every text may be asked of a database.
        found = find_alert(connection, self._owner, alert) if ALERT.fullmatch(alert) else None
        if found is None:
            raise self._whose.no_alert(alert)
        return found

    def _must_have_room(self, connection: Connection) -> None:
        most = self._settings.alerts_per_owner
        if count_alerts(connection, self._owner) >= most:
            fact = f"{self._owner!r} has {most:,} alerts, and may have no more."
            raise TooManyAlertsError(fact, hint="delete some, or set FIBLAKE_ALERTS_PER_OWNER.")

    def _must_lead_somewhere(self, connection: Connection, rule: Rule) -> None:
        known = names_of(connection, self._owner)
        check_destinations(rule, known, has_topic=self._settings.sns_alerts is not None)

    def _row(self, rule: Rule, now: dt.datetime) -> AlertRow:
        alert = f"al_{secrets.token_hex(_ID_BYTES)}"
        return AlertRow(alert, self._owner, rule.symbol, _definition(rule), 1, now, now)

    def _note(
        self, connection: Connection, at: dt.datetime, action: str, alert: str, detail: str
    ) -> None:
        note(connection, self._whose.entry(at, action, alert, detail))


def _must_be_at(row: AlertRow, revision: int | None) -> None:
    if revision is not None and row.revision != revision:
        fact = f"{row.alert} is at revision {row.revision}, not at {revision}."
        raise AlertChangedError(fact, hint="it was changed since: read it again, then change that.")


def _definition(rule: Rule) -> str:
    return orjson.dumps(rule_document(rule)).decode()


def _test(row: AlertRow, now: dt.datetime) -> NotificationRow:
    rule = parse_rule(row.definition)
    number = f"{row.alert}.test.{secrets.token_hex(_ID_BYTES)}"
    text = f"A test of an alert on {row.symbol}: nothing happened."
    data: dict[str, Any] = {"alert": row.alert, "revision": row.revision, "symbol": row.symbol}
    envelope = Envelope(
        number,
        "test",
        now,
        (row.symbol,),
        rule.name or row.symbol,
        f"{text} {rule.note}" if rule.note else text,
        {**data, "name": rule.name},
    )
    body = encode_envelope(envelope).decode()
    return NotificationRow(
        number,
        "test",
        row.owner,
        row.alert,
        row.symbol,
        now,
        now,
        is_muted=False,
        body=body,
    )
