"""What was missed is asked of REST; what that cannot tell is a gap, and told as one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import structlog

from lake.coverage import Span
from lake.errors import VendorError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from lake.event import Kind
    from speed_layer.feed.health import Health
    from speed_layer.feed.massive_rest import MassiveRest

_log = structlog.get_logger(__name__)
_WORKERS: Final = 8
_DOUBLINGS: Final = 6


@dataclass(frozen=True, slots=True)
class Asked:
    """What was missed, and is asked for.

    Attributes:
        since: The instant, in microseconds, from which on events may be missing.
        until: That from which on the socket tells them again.
        symbols: Whose.
        kinds: Of which kinds.
    """

    since: int
    until: int
    symbols: frozenset[str]
    kinds: tuple[Kind, ...]

    def goes_with(self, other: Asked) -> bool:
        """Whether both are asked for as one at hardly more than one costs."""
        is_of_same = self.symbols <= other.symbols or other.symbols <= self.symbols
        is_touching = self.since <= other.until and other.since <= self.until
        return is_of_same and is_touching and self.kinds == other.kinds

    def __or__(self, other: Asked) -> Asked:
        """Return what both ask for, as one."""
        return Asked(
            min(self.since, other.since),
            max(self.until, other.until),
            self.symbols | other.symbols,
            self.kinds,
        )


@dataclass(slots=True)
class _Later:
    """What is asked for again, and how often it was."""

    asked: Asked
    times: int


class Filler:
    """Asks for spans, one after the other, several symbols of each at once.

    Args:
        rest: Whom to ask.
        put: Takes the events; waits while there is no room.
        done: Told what came of a span: of whom it is filled, and of whom it is a gap.
        health: Told what came of it.
        settle_s: How long to wait first: what prints now, REST may tell a little later.
        again_s: After how long to ask again for what could not be had; then twice that, and so on.
    """

    def __init__(  # noqa: PLR0913 - what it asks, whom it tells, and its pace
        self,
        rest: MassiveRest,
        put: Callable[[pl.DataFrame], None],
        done: Callable[[list[Span]], None],
        health: Health,
        *,
        settle_s: float,
        again_s: float,
    ) -> None:
        self._rest = rest
        self._put = put
        self._done = done
        self._health = health
        self._settle_s = settle_s
        self._again_s = again_s
        self._later: list[_Later] = []
        self._timers: list[threading.Timer] = []
        self._stopping = threading.Event()
        self._asked = ThreadPoolExecutor(1, "filling")

    def fill(self, asked: Asked) -> None:
        """Let a span be asked for, and what cannot be had of it again and again."""
        self._health.count("filling")
        self._asked.submit(self._fill, asked)

    def close(self) -> None:
        """Ask no more; what is not done, the next run asks for."""
        self._stopping.set()
        for timer in self._timers:
            timer.cancel()
        self._asked.shutdown(wait=True)
        self._rest.close()

    def _fill(self, asked: Asked) -> None:
        if not self._stopping.wait(self._settle_s):
            self._ask(asked, 0)
        self._health.count("filling", -1)

    def _ask(self, asked: Asked, times: int) -> None:
        if self._stopping.is_set():
            return
        asks = [(symbol, kind) for symbol in sorted(asked.symbols) for kind in asked.kinds]
        with ThreadPoolExecutor(_WORKERS, "filling") as workers:
            failures = list(workers.map(lambda ask: self._one(ask[0], ask[1], asked.since), asks))
        if self._stopping.is_set():
            return
        failed = [symbol for (symbol, _), why in zip(asks, failures, strict=True) if why]
        _log.info("a gap was asked for", symbols=len(asked.symbols), failed=len(failed))
        outcome = _outcome(asked, asks, failures)
        # A gap is told once.
        self._done([span for span in outcome if not times or span.why == "filled"])
        if times:
            self._health.count("unfilled", -1)
        if failed:
            self._ask_later(replace(asked, symbols=frozenset(failed)), times)

    def _ask_later(self, asked: Asked, times: int) -> None:
        # Together: however often something is lost while REST is away, what waits stays little.
        for later in self._later:
            if later.asked.goes_with(asked):
                later.asked |= asked
                return
        later = _Later(asked, times + 1)
        self._later.append(later)
        self._health.count("unfilled")
        pause_s = self._again_s * 2 ** min(times, _DOUBLINGS)
        timer = threading.Timer(pause_s, self._ask_now, (later,))
        timer.daemon = True
        self._timers = [each for each in self._timers if each.is_alive()] + [timer]
        timer.start()

    def _ask_now(self, later: _Later) -> None:
        with suppress(RuntimeError):  # it was closed this moment
            self._asked.submit(self._ask_again, later)

    def _ask_again(self, later: _Later) -> None:
        self._later.remove(later)
        self._ask(later.asked, later.times)

    def _one(self, symbol: str, kind: Kind, since: int) -> str | None:
        """Return why a symbol's events could not be had, or None where they were."""
        try:
            for events in self._rest.since(symbol, kind, since):
                if self._stopping.is_set():
                    return None
                self._put(events)
                self._health.count("filled", events.height)
        except VendorError as error:
            return error.fact
        except Exception as error:  # noqa: BLE001 - whatever it is, a gap must be told
            _log.exception("filling failed")
            return f"{type(error).__name__}: {error}"
        return None


def _outcome(
    asked: Asked, asks: Sequence[tuple[str, Kind]], failures: Sequence[str | None]
) -> list[Span]:
    of: dict[tuple[Kind, str | None], list[str]] = {}
    for (symbol, kind), failure in zip(asks, failures, strict=True):
        of.setdefault((kind, failure), []).append(symbol)
    return [
        Span(
            asked.since,
            asked.until,
            "unfilled" if failure else "filled",
            tuple(symbols),
            failure or "",
            kind,
        )
        for (kind, failure), symbols in of.items()
    ]
