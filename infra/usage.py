"""What a system is used for in a month, as far as the bill depends on it.

All of it is assumed, and said so with the bill: `fiblake infra cost --assume trades=2e6`.

Units: a month has 21 sessions of 6.5 regular hours, and 730 hours. GB are 10^9 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from lake.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HOURS: Final = 730.0
SESSIONS: Final = 21.0
REGULAR_S: Final = 6.5 * 3600


@dataclass(frozen=True, slots=True)
class Usage:
    """A month's use.

    Attributes:
        symbols: In the lake, and of the feed.
        trades: Of all of them, a session.
        changes_per_trade: Of trades, the share after which something is told; trades of a symbol
            within a fifth of a second are told together.
        subscribers: Streams that are open while the exchange trades.
        symbols_each: That each is subscribed to.
        updates_s: Prices a second, of a symbol, to a subscriber.
        requests: To the API, a month.
        answer_kb: Of one, in kB.
        notifications: A month.
        recorded_months: For how many of them trades and minutes were kept so far.
        scanned_gb: By Athena, a month.
        flow_logs_gb: Of the network's flow logs, a month.
    """

    symbols: float
    trades: float
    subscribers: float
    symbols_each: float
    requests: float
    notifications: float
    recorded_months: float
    scanned_gb: float
    flow_logs_gb: float
    changes_per_trade: float = 0.5
    updates_s: float = 1.0
    answer_kb: float = 20.0

    @property
    def events(self) -> float:
        """Events a month."""
        return self.trades * SESSIONS

    @property
    def rows(self) -> float:
        """Rows that the engine tells a month: with each change bars of 7 intervals, and a price."""
        return self.events * self.changes_per_trade * 8

    @property
    def bars_gb(self) -> float:
        """Of bars in the lake: measured were 0.2 MB a symbol of daily bars since 1962 and silver.

        Minutes take some 12 bytes each in bronze, and their silver as much again.
        """
        minutes = self.recorded_months * SESSIONS * 390 * 24
        return self.symbols * (0.2e6 + minutes) / 1e9

    @property
    def stream_gb(self) -> float:
        """Sent to subscribers a month, at 180 bytes an update (`docs/stream.md` shows one)."""
        updates_s = self.subscribers * self.symbols_each * self.updates_s
        return updates_s * REGULAR_S * SESSIONS * 180 / 1e9

    @property
    def answers_gb(self) -> float:
        """Of answers over HTTP, a month."""
        return self.requests * self.answer_kb / 1e6


USAGES: Final[Mapping[str, Usage]] = {
    "dev": Usage(
        symbols=500,
        trades=2e6,
        subscribers=10,
        symbols_each=20,
        requests=100_000,
        notifications=10_000,
        recorded_months=3,
        scanned_gb=20,
        flow_logs_gb=1,
    ),
    "prod": Usage(
        symbols=10_000,
        trades=80e6,
        subscribers=100,
        symbols_each=50,
        requests=1e6,
        notifications=100_000,
        recorded_months=12,
        scanned_gb=100,
        flow_logs_gb=10,
    ),
}
"""By the size's name: of a few, and of the whole market."""
USERS: Final[Mapping[str, float]] = {"1x": 1, "10x": 10, "100x": 100}


def many(usage: Usage, users: str) -> Usage:
    """Return the use of that many times the users, of the same market.

    Raises:
        MisuseError: If `users` is not one of `USERS`.
    """
    if users not in USERS:
        fact = f"{users!r} is no number of users. Allowed: {', '.join(USERS)}."
        raise MisuseError(fact, hint="others by --assume subscribers=... requests=...")
    times = USERS[users]
    return replace(
        usage,
        subscribers=usage.subscribers * times,
        requests=usage.requests * times,
        notifications=usage.notifications * times,
    )


def assumed(usage: Usage, said: Iterable[str]) -> Usage:
    """Return a use in which some of it is otherwise.

    Args:
        usage: The rest.
        said: Each as `trades=2e6`.

    Raises:
        MisuseError: If one of them cannot be.
    """
    names = [field.name for field in fields(usage)]
    found: dict[str, float] = {}
    for text in said:
        name, _, value = text.partition("=")
        if name not in names:
            fact = f"{text!r} assumes nothing. Allowed: {', '.join(f'{each}=' for each in names)}."
            raise MisuseError(fact, hint="fiblake infra cost --assume trades=2e6.")
        found[name] = _number(text, value)
    return replace(usage, **found)


def _number(text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        fact = f"{text!r}: {value!r} is not so much. Allowed: a number from 0."
        raise MisuseError(fact, hint="as --assume trades=2e6.")
    return number
