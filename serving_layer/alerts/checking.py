"""What a rule must hold to beside its own form: a symbol that is known, a future, destinations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lake.errors import EmptyLakeError, InvalidRuleError
from lake.instant import utc, written
from lake.interval import DAILY
from serving_layer.query import BarsQuery

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from lake.alerts.rule import Rule
    from serving_layer.merged import MergedReader


def of_known_symbol(rule: Rule, reader: MergedReader) -> Rule:
    """Return a rule with the symbol under which what it names trades today.

    Where there are no bars yet, any symbol will do.

    Raises:
        UnknownSymbolError: If neither the lake nor the realtime view has bars of it.
        StoreError: If the lake does not answer.
        ViewError: If the view does not, and the lake has none.
    """
    try:
        reader.check_known(BarsQuery((rule.symbol,), DAILY))
    except EmptyLakeError:
        return rule
    now = reader.symbols_now([rule.symbol]).get(rule.symbol, rule.symbol)
    return rule.model_copy(update={"symbol": now})


def standing(rule: Rule, now: dt.datetime) -> Rule:
    """Return a rule that ends in the future, by UTC, and names each destination once.

    Raises:
        InvalidRuleError: If it has ended already.
        InvalidRangeError: If its end is out of range.
    """
    expires = rule.expires and utc(rule.expires)
    if expires and expires <= now:
        fact = f"expires: a rule that ends at {written(expires)} would have by now."
        raise InvalidRuleError(fact, hint="name a later instant, or leave it out.")
    deliver = tuple(dict.fromkeys(rule.deliver))
    return rule.model_copy(update={"expires": expires, "deliver": deliver})


def check_destinations(rule: Rule, known: Collection[str], *, has_topic: bool) -> None:
    """Refuse a rule that tells where nobody can be told.

    Args:
        rule: The rule.
        known: The names of its owner's destinations.
        has_topic: Whether `sns` leads anywhere.

    Raises:
        InvalidRuleError: If it names another.
    """
    if "sns" in rule.deliver and not has_topic:
        fact = "deliver: 'sns' leads nowhere: no topic is set."
        raise InvalidRuleError(fact, hint="set FIBLAKE_SNS_ALERTS, on all that serve and deliver.")
    allowed = ["log", *(["sns"] if has_topic else []), *sorted(known)]
    unknown = next((name for name in rule.deliver if name not in allowed), None)
    if unknown is not None:
        shown = allowed[:_SHOWN] + (["..."] if len(allowed) > _SHOWN else [])
        fact = f"deliver: {unknown!r:.80} is no destination. Allowed: {', '.join(shown)}."
        raise InvalidRuleError(fact, hint="PUT /v1/alerts/destinations/NAME adds one.")


_SHOWN = 20
