"""What was missed is asked of REST; what that cannot tell is a gap, and told as one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from lake.errors import VendorError
from speed_layer.feed.health import Gap

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    import polars as pl

    from lake.event import Kind
    from speed_layer.feed.health import Health
    from speed_layer.feed.massive_rest import MassiveRest

_log = structlog.get_logger(__name__)
_WORKERS: Final = 8


@dataclass(frozen=True, slots=True)
class Span:
    """What was missed.

    Attributes:
        since: The instant, in microseconds, from which on events may be missing.
        until: That from which on the socket tells them again.
        symbols: Whose.
        kinds: Of which kinds.
    """

    since: int
    until: int
    symbols: Collection[str]
    kinds: tuple[Kind, ...]


class Unfinished:
    """From which instants on events are being asked for, in a file that outlives the process.

    Args:
        path: None: nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._spans: list[int] = []
        self._earlier = self._read()

    def earliest(self, until: int | None) -> int | None:
        """Return from when on to ask: `until`, or what an earlier run did not finish."""
        told = [each for each in (until, *self._earlier) if each is not None]
        return min(told, default=None)

    def begin(self, span: Span) -> None:
        """Note that a span is asked for; it covers what an earlier run did not finish."""
        self._earlier = []
        self._spans.append(span.since)
        self._write()

    def end(self, span: Span) -> None:
        """Note that all of a span is recorded."""
        self._spans.remove(span.since)
        self._write()

    def _read(self) -> list[int]:
        if self._path is None or not self._path.exists():
            return []
        return [int(line) for line in self._path.read_text("utf-8").split()]

    def _write(self) -> None:
        if self._path is None:
            return
        aside = self._path.with_suffix(".aside")
        aside.write_text("\n".join(map(str, self._spans)), "utf-8")
        aside.replace(self._path)


class Filler:
    """Asks for spans, one after the other, several symbols of each at once.

    Args:
        rest: Whom to ask.
        put: Takes the events; waits while there is no room.
        done: Told that a span was asked for in full, or is told as a gap.
        health: Told what came of it.
        settle_s: How long to wait first: what prints now, REST may tell a little later.
    """

    def __init__(
        self,
        rest: MassiveRest,
        put: Callable[[pl.DataFrame], None],
        done: Callable[[Span], None],
        health: Health,
        *,
        settle_s: float,
    ) -> None:
        self._rest = rest
        self._put = put
        self._done = done
        self._health = health
        self._settle_s = settle_s
        self._stopping = threading.Event()
        self._spans = ThreadPoolExecutor(1, "filling")

    def fill(self, span: Span) -> None:
        """Let a span be asked for."""
        self._health.count("filling")
        self._spans.submit(self._fill, span)

    def close(self) -> None:
        """Ask no more; what is not done, the next run asks for."""
        self._stopping.set()
        self._spans.shutdown(wait=True)
        self._rest.close()

    def _fill(self, span: Span) -> None:
        if self._stopping.wait(self._settle_s):
            return
        asks = [(symbol, kind) for symbol in sorted(span.symbols) for kind in span.kinds]
        with ThreadPoolExecutor(_WORKERS, "filling") as workers:
            failures = list(workers.map(lambda ask: self._one(ask[0], ask[1], span.since), asks))
        self._health.count("filling", -1)
        if not self._stopping.is_set():
            self._tell(span, asks, failures)

    def _tell(
        self, span: Span, asks: Sequence[tuple[str, Kind]], failures: Sequence[str | None]
    ) -> None:
        whys: dict[str, list[str]] = {}
        for (symbol, _), failure in zip(asks, failures, strict=True):
            if failure:
                whys.setdefault(failure, []).append(symbol)
        for why, symbols in whys.items():
            self._health.gap(Gap(span.since, span.until, "unfilled", tuple(symbols), why))
        _log.info("a gap was asked for", symbols=len(span.symbols), failed=sum(map(bool, failures)))
        self._done(span)

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
