"""What a client can ask for, and what it can be told, in whatever dialect."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

import orjson

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import polars as pl

    from serving_layer.dialects.minutes import Minute
    from serving_layer.dialects.outbox import Item
    from serving_layer.stream.flow import BarRow

Stream = Literal["minutes", "changed minutes", "days", "seconds", "trades"]
ALL: Final = "*"
"""In place of a symbol: all of them."""
MOST_SYMBOL: Final = 32
"""Letters."""


class Topic(NamedTuple):
    """What is subscribed to: a stream of one symbol, as the lake spells it, or of `ALL`."""

    stream: Stream
    symbol: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a frame asks for.

    Attributes:
        action: What is to be done.
        key: With `auth`: what is shown.
        topics: Else: what to subscribe to, or not to any more.
        refused: What was asked for that is not offered, each in one sentence.
    """

    action: Literal["auth", "subscribe", "unsubscribe"]
    key: str = ""
    topics: tuple[Topic, ...] = ()
    refused: tuple[str, ...] = ()


class BadFrameError(Exception):
    """A frame that asks for nothing; its text says what is wrong, and what is allowed."""


class Said(Enum):
    """What is said beside data and subscriptions."""

    CONNECTED = auto()
    AUTHENTICATED = auto()
    ALREADY_AUTHENTICATED = auto()
    NOT_AUTHENTICATED = auto()
    AUTH_FAILED = auto()
    AUTH_TIMEOUT = auto()
    FORBIDDEN = auto()
    BAD_FRAME = auto()
    NOT_OFFERED = auto()
    TOO_MANY_TOPICS = auto()
    TOO_MANY_CONNECTIONS = auto()
    SLOW = auto()
    AWAY = auto()


class Dialect(Protocol):
    """How one vendor says all this; it keeps nothing of a connection."""

    @property
    def is_text(self) -> bool:
        """Whether frames are text, and else binary."""
        ...

    def frame(self, messages: Sequence[bytes]) -> bytes:
        """Return messages as one frame."""
        ...

    def read(self, frame: str | bytes) -> Asked:
        """Return what a frame asks for.

        Raises:
            BadFrameError: If it asks for nothing.
        """
        ...

    def say(self, said: Said, detail: str = "") -> bytes:
        """Return a message that says something."""
        ...

    def subscribed(self, asked: Asked, topics: Collection[Topic]) -> list[bytes]:
        """Return the answers to a subscription, or to its end.

        Args:
            asked: What was asked for, without what is refused.
            topics: What is subscribed to now.
        """
        ...

    def minute(self, minute: Minute) -> tuple[Stream, Item]:
        """Return a minute's message, and of which stream it is."""
        ...

    def day(self, bar: BarRow) -> Item | None:
        """Return a day's message; None: this dialect has none."""
        ...

    def events(self, events: pl.DataFrame, days: Mapping[str, BarRow]) -> list[Item]:
        """Return the messages of events of one kind: trades, or aggregates of seconds.

        Args:
            events: Schema `EVENTS`.
            days: By symbol its bar of the day.
        """
        ...


def parsed(text: str | bytes) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        BadFrameError: If the text is none.
    """
    try:
        told = orjson.loads(text)
    except ValueError:
        fact = "not JSON."
        raise BadFrameError(fact) from None
    if not isinstance(told, dict):
        fact = "not a JSON object."
        raise BadFrameError(fact)
    return told


def first_told(events: pl.DataFrame) -> Iterator[tuple[str, int, int, float, float, list[int]]]:
    """Yield trades as they were first told: no dialect's clients would know a correction.

    Args:
        events: Schema `EVENTS`.

    Yields:
        Symbol, time, sequence, price, size and conditions.
    """
    if (events["revision"] != 0).any() or events["cancelled"].any():
        events = events.filter((events["revision"] == 0) & ~events["cancelled"])
    columns = ("symbol", "time", "sequence", "price", "size", "conditions")
    yield from zip(*(events[name].to_list() for name in columns), strict=True)


def number(value: float) -> float:
    """Return a number without a fraction as an integer, as vendors write it."""
    return int(value) if value.is_integer() else value


def shown(value: object) -> str:
    """Return what a client sent, so that it can be told what was wrong."""
    if not isinstance(value, str | int | float | None):
        # It may be so deep that it cannot be written.
        return f"a {type(value).__name__}"
    text = repr(value)
    return text if len(text) <= MOST_SYMBOL else f"{text[:MOST_SYMBOL]}..."
