"""The commands `fiblake alerts` that keep rules, and list what they fired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import orjson
import typer

from fiblake.alerts.app import app
from fiblake.alerts.owned import EveryoneOption, OwnerOption, holdings
from fiblake.alerts.reading import read_rule
from fiblake.alerts.words import in_words
from fiblake.keys import end_of, opened
from fiblake.options import JsonOption, LakeOption  # noqa: TC001 - typer reads annotations at run time
from fiblake.output import Output, table_of
from lake.alerts.rule import rule_document
from lake.clock import SystemClock
from lake.instant import parse_instant, written
from lake.symbol import canonical

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    from lake.alerts.rule import Rule
    from serving_layer.alerts.answers import Alert, AlertsPage, Firing, FiringsPage, Sent

    Answer = TypeVar("Answer")

_HEADER: Final = ("alert", "symbol", "name", "fires when", "state", "last fired", "fired")
RuleArgument = Annotated[str, typer.Argument(metavar="FILE", help="A rule, as JSON; -: stdin.")]
AlertArgument = Annotated[str, typer.Argument(metavar="ID", help="As al_5f0c9b2e7d31.")]


@app.command("create")
def create_(
    rule: RuleArgument,
    *,
    owner: OwnerOption = "anyone",
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Keep a new rule; services take it in within about a second."""
    known = _known(read_rule(rule), lake)
    with holdings(lake, owner) as own:
        _report(own.alerts.create(known), _of_alert, as_json=json)


@app.command("list")
def list_(
    *,
    symbol: Annotated[str | None, typer.Option(help="Of this symbol alone.")] = None,
    owner: OwnerOption = "anyone",
    everyone: EveryoneOption = False,
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """List alerts, in order of creation; those of everyone by owner."""
    if everyone:
        _report(_everyones(symbol, lake), _of_everyones_alerts, as_json=json)
        return
    with holdings(lake, owner) as own:
        _report(own.alerts.listed(symbol=symbol), _of_alerts, as_json=json)


@app.command("show")
def show_(
    alert: AlertArgument,
    *,
    owner: OwnerOption = "anyone",
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Show an alert, how far it is, and its rule."""
    with holdings(lake, owner) as own:
        _report(own.alerts.show(alert), _of_all_of_alert, as_json=json)


@app.command("replace")
def replace_(
    alert: AlertArgument,
    rule: RuleArgument,
    *,
    owner: OwnerOption = "anyone",
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Give an alert another rule: its next revision, which begins anew."""
    known = _known(read_rule(rule), lake)
    with holdings(lake, owner) as own:
        _report(own.alerts.replace(alert, known), _of_alert, as_json=json)


@app.command("delete")
def delete_(
    alert: AlertArgument, *, owner: OwnerOption = "anyone", lake: LakeOption = None
) -> None:
    """Delete an alert; what it fired stays listed."""
    with holdings(lake, owner) as own:
        own.alerts.delete(alert)
    Output().show(f"{alert} is deleted")


@app.command("mute")
def mute_(
    alert: AlertArgument,
    *,
    until: Annotated[
        str | None,
        typer.Option(help="For how long, as 12h or 90d, or an instant. Default: until unmuted."),
    ] = None,
    owner: OwnerOption = "anyone",
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Tell nobody of what an alert fires; it goes on, and is listed."""
    end = end_of(until, SystemClock().now(), "--until")
    with holdings(lake, owner) as own:
        _report(own.alerts.mute(alert, end), _of_mute, as_json=json)


@app.command("unmute")
def unmute_(
    alert: AlertArgument,
    *,
    owner: OwnerOption = "anyone",
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Tell of an alert again, from now on."""
    with holdings(lake, owner) as own:
        _report(own.alerts.unmute(alert), _of_mute, as_json=json)


@app.command("test")
def send_test(
    alert: AlertArgument,
    *,
    owner: OwnerOption = "anyone",
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """Tell where an alert is told that this is a test; what delivers does so within a second."""
    with holdings(lake, owner) as own:
        _report(own.alerts.test(alert), _of_sent, as_json=json)


@app.command("firings")
def firings_(  # noqa: PLR0913 - a command's options
    *,
    alert: Annotated[str | None, typer.Option(help="Of this alert alone, deleted or not.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Of this symbol alone.")] = None,
    start: Annotated[str | None, typer.Option(help="Those no sooner; an instant.")] = None,
    end: Annotated[str | None, typer.Option(help="Those before; an instant.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 100,
    cursor: Annotated[
        str | None, typer.Option(help="Those behind it: it is told where there are more.")
    ] = None,
    owner: OwnerOption = "anyone",
    lake: LakeOption = None,
    json: JsonOption = False,
) -> None:
    """List what alerts fired, the latest first, and where it was told."""
    from serving_layer.alerts.own_firings import Narrowing  # noqa: PLC0415 - needs an extra

    asked = Narrowing(alert, symbol, _instant(start), _instant(end), limit, cursor)
    with holdings(lake, owner) as own:
        found = own.firings.listed(asked)
    _report(found, _of_firings, as_json=json)
    if found.next_cursor is not None:
        Output().note(f"there are more than these {limit:,}: --cursor {found.next_cursor}")


def _everyones(symbol: str | None, location: str | None) -> AlertsPage:
    """Return the alerts of all owners, as whoever runs the server may see them."""
    from database.alert_rules import all_alerts  # noqa: PLC0415 - needs an extra
    from serving_layer.alerts.answers import AlertsPage, alert_of  # noqa: PLC0415 - likewise

    spelt, now = canonical(symbol) if symbol is not None else None, SystemClock().now()
    if spelt is not None and not spelt.isprintable():  # not every text may be asked of it
        return AlertsPage([], None)
    with opened(location) as database, database.read() as connection:
        found = all_alerts(connection, symbol=spelt)
    return AlertsPage([alert_of(each, now) for each in found], None)


def _known(rule: Rule, location: str | None) -> Rule:
    """Return a rule of a symbol that the lake knows; what is only live it does not."""
    from fiblake.lake import Lake  # noqa: PLC0415 - other commands need none
    from serving_layer.alerts.checking import of_known_symbol  # noqa: PLC0415 - needs an extra
    from serving_layer.merged import MergedReader  # noqa: PLC0415 - likewise

    return of_known_symbol(rule, MergedReader(Lake(location).reader))


def _instant(text: str | None) -> dt.datetime | None:
    return None if text is None else parse_instant(text)


def _report(answer: Answer, text: Callable[[Answer], Iterable[str]], *, as_json: bool) -> None:
    from serving_layer.alerts.answers import json_of  # noqa: PLC0415 - needs an extra

    output = Output(as_json=as_json)
    if as_json:
        output.raw(json_of(answer, indent=2))
    else:
        output.show(*text(answer))


def _of_alert(alert: Alert) -> Iterator[str]:
    rule = alert.rule
    yield f"{alert.alert}: {alert.symbol}{f', {rule.name}' if rule.name else ''}"
    yield f"fires when {in_words(rule.when)}, {_how_often(rule)}; told to {', '.join(rule.deliver)}"
    last = f", last at {written(alert.last_fired)}" if alert.last_fired else ""
    whose = f"revision {alert.revision}, of {alert.owner}"
    yield f"{whose}, is {_state(alert)}; fired {alert.fired}{last}"


def _of_all_of_alert(alert: Alert) -> Iterator[str]:
    yield from _of_alert(alert)
    yield orjson.dumps(rule_document(alert.rule), option=orjson.OPT_INDENT_2).decode()


def _how_often(rule: Rule) -> str:
    ends = f" until {written(rule.expires)}" if rule.expires else ""
    apart = f"again after {rule.cooldown_seconds} s" if rule.repeat else "once"
    return f"{apart}{ends}"


def _of_alerts(page: AlertsPage) -> Iterator[str]:
    if not page.alerts:
        yield "there is no alert yet: fiblake alerts create FILE"
        return
    yield table_of(_HEADER, map(_alert_row, page.alerts), left=len(_HEADER) - 1)


def _of_everyones_alerts(page: AlertsPage) -> Iterator[str]:
    rows = [(each.owner, *_alert_row(each)) for each in page.alerts]
    yield table_of(("owner", *_HEADER), rows, left=len(_HEADER))


def _alert_row(alert: Alert) -> tuple[str, ...]:
    named = (alert.alert, alert.symbol, alert.rule.name, in_words(alert.rule.when))
    return (*named, alert.state, _second(alert.last_fired), f"{alert.fired}")


def _of_mute(alert: Alert) -> Iterator[str]:
    yield f"{alert.alert} is {_state(alert)}"


def _state(alert: Alert) -> str:
    from database.alert_rules import FOREVER  # noqa: PLC0415 - needs an extra

    if alert.muted_until is None:
        return alert.state
    end = "" if alert.muted_until == FOREVER else f" until {written(alert.muted_until)}"
    return f"muted{end}" if alert.state == "muted" else f"{alert.state}, muted{end}"


def _of_sent(sent: Sent) -> Iterator[str]:
    yield sent.notification


def _of_firings(page: FiringsPage) -> Iterator[str]:
    if not page.firings:
        yield "nothing was fired"
        return
    header = ("time", "firing", "symbol", "told", "text")
    yield table_of(header, map(_firing_row, page.firings), left=len(header))


def _firing_row(firing: Firing) -> tuple[str, ...]:
    told = ", ".join(f"{each.destination} {each.state}" for each in firing.deliveries)
    muted = "muted" if firing.muted else told or "-"
    return (_second(firing.time), firing.firing, firing.symbol, muted, firing.text)


def _second(instant: dt.datetime | None) -> str:
    return "never" if instant is None else written(instant.replace(microsecond=0))
