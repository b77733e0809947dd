"""The rule of an alert: one typed model for the API, the command, the page and the evaluator.

    {"symbol": "AAPL", "name": "breakout", "repeat": true, "cooldown_seconds": 3600,
     "when": {"kind": "all", "of": [
         {"kind": "close", "interval": "13d", "relation": "above", "than": {"range": 13}},
         {"kind": "volume", "interval": "13d", "times": 1.5, "average": 20}]}}

A rule fires when its condition becomes true, and again only after it was false. What `becomes` and
`was` mean is told by `lake.alerts.evaluate`.

Units:  prices are USD a share on the split basis of the present; times of a day are the exchange's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from lake.bar import Hours, State
from lake.errors import InvalidRuleError
from lake.symbol import canonical, is_symbol

Relation = Literal["above", "below", "crosses", "crosses_up", "crosses_down"]
"""`above` and `below` hold for as long as the value is; a cross is true at its one moment."""
Window = Literal["1m", "5m", "15m", "1h", "2h", "4h", "1d", "3d", "5d", "8d", "13d", "21d", "34d"]
"""Any interval."""
Weekday = Literal["mon", "tue", "wed", "thu", "fri"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri")
MOST_BARS: Final = 250
"""Of an average or a range."""
MOST_CONDITIONS: Final = 8
"""Of a rule, those within `all` and `any` counted one by one."""
_DEEPEST: Final = 3
_LONGEST_COOLDOWN_S: Final = 30 * 86_400

Level = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
HysteresisPercent = Annotated[float, Field(ge=0, le=50, allow_inf_nan=False)]
Bars = Annotated[int, Field(ge=1, le=MOST_BARS)]


_TIME: Final = r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?$"
# JSON Schema's own format of a time would have a zone; RFC 3339 names one without so.
_PARTIAL: Final = {"type": "string", "format": "partial-time", "pattern": _TIME}
TimeOfDay = Annotated[dt.time, WithJsonSchema(_PARTIAL)]
"""As `09:30`, or `09:30:00`."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(_Part):
    """The last price beyond a level.

    Attributes:
        relation: How the price must lie to the level.
        level: USD a share.
        hysteresis_percent: By how much of the level the price must go back before it can be beyond
            it again.
    """

    kind: Literal["price"]
    relation: Relation
    level: Level
    hysteresis_percent: HysteresisPercent = 0.0


class Move(_Part):
    """A move of the price by some percent over a window.

    Attributes:
        direction: Which moves count.
        percent: Of the price at the window's begin.
        window: Minutes of the flow's time, as `15m`: against the price so long ago; or sessions, as
            `5d`: against the close so many sessions ago.
        hysteresis_percent: By how many points less it must have moved before it can again.
    """

    kind: Literal["move"]
    direction: Literal["up", "down", "either"] = "either"
    percent: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
    window: Window
    hysteresis_percent: HysteresisPercent = 0.0


class Than(_Part):
    """What a close is compared with: one of these.

    Attributes:
        level: A price, USD a share.
        average: The mean of the closes of so many bars before this one.
        range: The highest high, or the lowest low, of so many bars before this one.
    """

    level: Level | None = None
    average: Bars | None = None
    range: Bars | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            msg = "one of level, average and range is needed, and no other"
            raise ValueError(msg)
        return self


class Close(_Part):
    """A bar that closes beyond a level, the average of the bars before it, or their range.

    Attributes:
        interval: Of the bars.
        relation: How the close must lie; of a range `above` is above its high, `below` below its
            low, and there is no cross.
        than: Than what.
        state: `final`: a bar counts once it is complete; `forming`: also while it forms.
        hours: Of bars of minutes and hours.
        hysteresis_percent: As of `Price`, of what it is compared with.
    """

    kind: Literal["close"]
    interval: Window
    relation: Relation
    than: Than
    state: State = "final"
    hours: Hours = "regular"
    hysteresis_percent: HysteresisPercent = 0.0

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        if self.than.range is not None and self.relation not in {"above", "below"}:
            msg = f"of a range there is no {self.relation}: allowed are above (its high) and below"
            raise ValueError(msg)
        return self


class Volume(_Part):
    """A bar whose volume is so many times the mean volume of the bars before it, or more.

    Attributes:
        interval: Of the bars.
        times: How often.
        average: Of how many bars before it.
        state: As of `Close`.
        hours: As of `Close`.
    """

    kind: Literal["volume"]
    interval: Window
    times: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
    average: Bars
    state: State = "final"
    hours: Hours = "regular"


class AllOf(_Part):
    """True while each of some conditions is."""

    kind: Literal["all"]
    of: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=MOST_CONDITIONS)]


class AnyOf(_Part):
    """True while one of some conditions is, or more."""

    kind: Literal["any"]
    of: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=MOST_CONDITIONS)]


Leaf = Price | Move | Close | Volume
Condition = Annotated[Leaf | AllOf | AnyOf, Field(discriminator="kind")]


class Active(_Part):
    """When a rule may fire, in the exchange's time.

    Attributes:
        days: On which days.
        start: From when on, as 09:30.
        end: Until when, exclusive; later than `start`.
    """

    days: Annotated[
        frozenset[Weekday], Field(min_length=1, json_schema_extra={"default": list(WEEKDAYS)})
    ] = frozenset(WEEKDAYS)
    start: TimeOfDay = dt.time(0, 0)
    end: TimeOfDay = dt.time(23, 59, 59, 999_999)

    @model_validator(mode="after")
    def _has_a_span(self) -> Self:
        if self.start.tzinfo or self.end.tzinfo or self.start >= self.end:
            msg = "start must be before end, both times of the exchange without a zone, as 09:30"
            raise ValueError(msg)
        return self


def _symbol(text: str) -> str:
    found = canonical(text)
    if not is_symbol(found):
        msg = f"{text!r} is not a symbol, as AAPL or BRK.B"
        raise ValueError(msg)
    return found


class Rule(_Part):
    """When somebody wants to be told what of a symbol.

    Attributes:
        symbol: Of what.
        name: What it is for.
        when: The condition.
        repeat: Whether it fires each time that the condition becomes true; else once.
        cooldown_seconds: How long after it fired it does not, of the flow's time; if the condition
            is true at its end, it fires then.
        active: When it may fire; None: always. What is true when that begins fires then.
        expires: From when on it fires no more; None: never.
        deliver: Where to: `log`, `sns`, or names of destinations.
        note: A text that is told with each firing.
    """

    symbol: Annotated[str, Field(min_length=1, max_length=32), AfterValidator(_symbol)]
    name: Annotated[str, Field(max_length=100)] = ""
    when: Condition
    repeat: bool = False
    cooldown_seconds: Annotated[int, Field(ge=0, le=_LONGEST_COOLDOWN_S)] = 60
    active: Active | None = None
    expires: AwareDatetime | None = None
    deliver: Annotated[tuple[str, ...], Field(min_length=1, max_length=8)] = ("log",)
    note: Annotated[str, Field(max_length=500)] = ""

    @field_validator("name", "note")
    @classmethod
    def _is_printable(cls, text: str) -> str:
        if not text.isprintable():
            msg = "only printable characters are allowed"
            raise ValueError(msg)
        return text

    @model_validator(mode="after")
    def _is_not_too_much(self) -> Self:
        if _depth(self.when) > _DEEPEST:
            msg = f"conditions may be {_DEEPEST} deep at most"
            raise ValueError(msg)
        if sum(1 for _ in leaves(self.when)) > MOST_CONDITIONS:
            msg = f"a rule has {MOST_CONDITIONS} conditions at most"
            raise ValueError(msg)
        return self


def leaves(condition: Leaf | AllOf | AnyOf) -> Iterator[Leaf]:
    """Yield the conditions that a condition is made of, in order: itself, if of none."""
    if isinstance(condition, AllOf | AnyOf):
        for each in condition.of:
            yield from leaves(each)
    else:
        yield condition


def parse_rule(document: object) -> Rule:
    """Return the rule that a document of JSON tells, as text, bytes or what it parses to.

    Raises:
        InvalidRuleError: If it tells none: with what is wrong where.
    """
    try:
        if isinstance(document, str | bytes):
            return Rule.model_validate_json(document)
        return Rule.model_validate(document)
    except ValidationError as error:
        raise InvalidRuleError(_told(error), hint=_HINT) from None


def rule_document(rule: Rule) -> dict[str, Any]:
    """Return a rule as a document of JSON, with all that it does not say by default.

    `parse_rule` gives it back.
    """
    document: dict[str, Any] = rule.model_dump(mode="json", exclude_none=True)
    if rule.active:
        document["active"]["days"] = [day for day in WEEKDAYS if day in rule.active.days]
    return document


_HINT: Final = "fiblake alerts schema tells all that a rule may say."
_MOST_FAULTS: Final = 5


def _told(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False)
    told = [_fault(each["loc"], each["msg"]) for each in faults[:_MOST_FAULTS]]
    if len(faults) > _MOST_FAULTS:
        told.append(f"and {len(faults) - _MOST_FAULTS} more")
    return f"This is not a rule: {'; '.join(told)}."


def _fault(where: tuple[int | str, ...], what: str) -> str:
    path, why = ".".join(map(str, where)), what.removeprefix("Value error, ")
    return f"{path}: {why}" if path else why


def _depth(condition: Leaf | AllOf | AnyOf) -> int:
    if isinstance(condition, AllOf | AnyOf):
        return 1 + max(map(_depth, condition.of))
    return 0
