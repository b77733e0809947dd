"""A thread that delivers what is due, many at once, while others may do so elsewhere.

    outbox ──claim──► attempts, bounded by destination and in all ──► outcomes ──mark──► outbox

Claims and marks are of one transaction; what could not be marked, as the database was away, is
marked with what comes next, or tried again by whoever finds its claim ended. So each notification
gets to each destination at least once, by the same id.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import traceback
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from database.outbox import Claim, Marked, Most, Route, Shares, claim, due_by, has_due, mark
from database.pruning import forget_notifications
from lake import metrics
from lake.alerts.destination import BUILT_IN
from lake.envelope import decode_envelope
from lake.errors import FiblakeError
from lake.instant import microseconds
from lake.measuring import Measured, each_of
from lake.trace import Traces
from speed_layer.delivery.ailing import Ailing
from speed_layer.delivery.outcome import Outcome, becomes, given_back

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping

    from database import Database
    from database.outbox import Claimed
    from lake.clock import Clock
    from speed_layer.delivery.outcome import Bounds, Sender

_POLL_S: Final = 1.0
_GRACE_S: Final = 2.0
"""For attempts under way, when it is to end."""
_FORGET_EVERY_S: Final = 3600.0
_COUNT_EVERY_S: Final = 15.0
_BUILT_IN_AT_ONCE: Final = 16
_OWNERS_PART: Final = 4
"""The part of what is told at once that one owner's webhooks may take: a quarter."""
_log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Counts:
    delivered: int = 0
    failed: int = 0
    dead: int = 0
    due: int = 0
    fault: str | None = None


@dataclass(slots=True)
class _Under:
    """What is under way: attempts by destination, and those that ended and are to be marked."""

    attempts: dict[asyncio.Task[None], Claimed] = field(default_factory=dict)
    ended: list[Marked] = field(default_factory=list)
    routes: Counter[Route] = field(default_factory=Counter)
    ailing: Ailing = field(default_factory=Ailing)


class Deliverer:
    """Delivers what is due in a thread of its own, from `start` to `stop`.

    Args:
        database: Where the outbox is; it must outlive this.
        senders: Who tells `log` and `sns`, and by the empty name all else.
        clock: Tells what is due.
        bounds: How long, how often, how many at once.
        keep: How long notifications are kept that wait for nothing.
        trace_one_in: Of so many prices one is followed in the log, where it fired; 0: none is.
    """

    def __init__(  # noqa: PLR0913 - the parts it brings together
        self,
        database: Database,
        senders: Mapping[str, Sender],
        clock: Clock,
        bounds: Bounds,
        keep: dt.timedelta,
        *,
        trace_one_in: int = 0,
    ) -> None:
        self._traces = Traces("delivery", trace_one_in)
        self._database = database
        self._senders = senders
        self._clock = clock
        self._bounds = bounds
        self._keep = keep
        self._by = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._counts = _Counts()
        self._under = _Under()
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="fiblake-outbox")
        self._begun = threading.Event()
        self._is_ending = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._thread = threading.Thread(target=self._work, name="fiblake-delivery", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._begun.wait()

    def stop(self) -> None:
        """End: what is under way gets a moment, and what it does not reach is due again at once."""
        self._is_ending = True
        self.nudge()
        self._thread.join()

    def nudge(self) -> None:
        """Look at once for what is due, and not only within a second; from any thread."""
        loop = self._loop
        if loop is not None and self._thread.is_alive():
            try:
                loop.call_soon_threadsafe(self._wake.set)
            except RuntimeError:
                return  # it has just ended

    def told(self) -> dict[str, Any]:
        """Return how it goes: what this process delivered, what failed, and what is wrong now."""
        counts = self._counts
        return {
            "delivered": counts.delivered,
            "failed": counts.failed,
            "dead": counts.dead,
            "in_flight": len(self._under.attempts),
            "fault": counts.fault,
        }

    def measured(self) -> Iterator[Measured]:
        """Yield what is measured of it; from any thread."""
        counts = self._counts
        outcomes = {"delivered": counts.delivered, "failed": counts.failed, "dead": counts.dead}
        yield from each_of(metrics.DELIVERIES, outcomes)
        yield Measured(metrics.DELIVERIES_DUE, counts.due)

    def _work(self) -> None:
        asyncio.run(self._deliver())

    async def _deliver(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun.set()
        forgetting = asyncio.create_task(self._keep_forgetting())
        counting = asyncio.create_task(self._keep_counting())
        while not self._is_ending:
            self._wake.clear()
            if not await self._step():
                await self._woken(_POLL_S)
        forgetting.cancel()
        counting.cancel()
        await self._end()

    async def _woken(self, longest_s: float) -> None:
        try:
            async with asyncio.timeout(longest_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _step(self) -> bool:
        """Mark what ended, and begin what is due; return whether there may be more to do."""
        ended, self._under.ended = self._under.ended, []
        try:
            claimed = await self._ask(lambda: self._exchanged(ended))
        except Exception as error:  # noqa: BLE001 - whatever is wrong, it goes on when it is right
            self._under.ended = ended + self._under.ended
            self._fail(error)
            await asyncio.sleep(0 if self._is_ending else _POLL_S)
            return False
        self._recover()
        for marked in ended:
            self._free(marked.claimed.route)
        for each in claimed:
            self._begin(each)
        return bool(ended or claimed)

    def _exchanged(self, ended: list[Marked]) -> list[Claimed]:
        """Mark what ended, and claim what is due, in one transaction; in the database's thread."""
        now = self._clock.now()
        if not ended:
            # Most of the time nothing is due: to look is cheaper than to write.
            with self._database.read() as connection:
                if not has_due(connection, now):
                    return []
        doing = self._under.routes.copy()
        doing.subtract(each.claimed.route for each in ended)
        built_in = sum(count for route, count in doing.items() if route.is_built_in)
        most = Most(
            max(0, _BUILT_IN_AT_ONCE * len(BUILT_IN) - built_in),
            max(0, self._bounds.at_once - (doing.total() - built_in)),
        )
        shares = Shares(doing.elements(), self._most_of)
        asked = Claim(self._by, now, now + self._bounds.claim_lasts)
        with self._database.write() as connection:
            mark(connection, self._by, ended)
            return claim(connection, asked, shares, most)

    def _most_of(self, route: Route) -> int:
        if route.is_built_in:
            return _BUILT_IN_AT_ONCE
        if not route.destination:
            return max(1, self._bounds.at_once // _OWNERS_PART)
        # What fails takes long, as a rule: so it gets no more than one attempt at a time.
        return 1 if route in self._under.ailing else self._bounds.per_destination

    def _begin(self, claimed: Claimed) -> None:
        self._under.routes[claimed.route] += 1
        attempt = asyncio.create_task(self._attempt(claimed))
        self._under.attempts[attempt] = claimed
        attempt.add_done_callback(self._under.attempts.pop)

    async def _attempt(self, claimed: Claimed) -> None:
        sender = self._senders.get(claimed.destination, self._senders[""])
        try:
            outcome = await sender.send(claimed)
        except Exception as error:  # noqa: BLE001 - one that cannot be told must not end all others
            # Never its text: nobody knows what of a destination's secrets it would tell.
            name, place = type(error).__name__, _place(error)
            broken = claimed.notification
            _log.error("an attempt to deliver broke", notification=broken, error=name, at=place)
            outcome = Outcome(f"the attempt broke: {name}")
        marked = becomes(claimed, outcome, self._bounds, self._clock.now())
        self._note(marked)
        self._under.ended.append(marked)
        self._wake.set()

    def _note(self, marked: Marked) -> None:
        route, claimed = marked.claimed.route, marked.claimed
        if not marked.error:
            self._under.ailing.discard(route)
            self._counts.delivered += 1
            self._trace(claimed)
            return
        self._under.ailing.add(route)
        self._counts.failed += 1
        told = _log.info
        if marked.state == "dead":
            self._counts.dead += 1
            told = _log.warning
        told(
            "a delivery is given up on" if marked.state == "dead" else "not delivered yet",
            notification=claimed.notification,
            destination=claimed.destination,
            owner=claimed.owner,
            attempts=marked.attempts,
            error=marked.error,
        )

    def _trace(self, claimed: Claimed) -> None:
        """Log that what fired by a price that is followed was delivered."""
        if self._traces.is_on and claimed.kind == "alert":
            told = decode_envelope(claimed.body)
            time_us, to = microseconds(told.time), claimed.destination
            for symbol in told.symbols:
                self._traces.pass_one(symbol, time_us, firing=told.id, destination=to)

    def _free(self, route: Route) -> None:
        self._under.routes[route] -= 1
        if not self._under.routes[route]:
            del self._under.routes[route]

    async def _end(self) -> None:
        attempts = dict(self._under.attempts)
        if attempts:
            _, late = await asyncio.wait(attempts, timeout=_GRACE_S)
            for each in late:
                each.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            now = self._clock.now()
            self._under.ended += [given_back(attempts[each], now) for each in late]
        ended = self._under.ended
        if ended:
            try:
                await self._ask(lambda: self._mark(ended))
            except FiblakeError as error:
                self._fail(error)
        for sender in self._senders.values():
            await sender.close()
        self._asking.shutdown()

    def _mark(self, ended: list[Marked]) -> None:
        with self._database.write() as connection:
            mark(connection, self._by, ended)

    async def _keep_forgetting(self) -> None:
        while True:
            try:
                forgotten = await self._ask(self._forgotten)
            except Exception as error:  # noqa: BLE001 - to forget can wait
                forgotten = 0
                _log.info("what was told long ago is not forgotten yet", error=str(error))
            if not forgotten:
                await asyncio.sleep(_FORGET_EVERY_S)

    async def _keep_counting(self) -> None:
        while True:
            try:
                self._counts.due = await self._ask(self._due)
            except Exception as error:  # noqa: BLE001 - that the database is away is told elsewhere
                _log.debug("deliveries that are due were not counted", error=str(error))
            await asyncio.sleep(_COUNT_EVERY_S)

    def _due(self) -> int:
        with self._database.read() as connection:
            return due_by(connection, self._clock.now())

    def _forgotten(self) -> int:
        with self._database.write() as connection:
            return forget_notifications(connection, self._clock.now() - self._keep)

    async def _ask(self, work: Callable[[], Answer]) -> Answer:
        """Return what some work returns, done in the one thread that asks the database."""
        return await asyncio.get_running_loop().run_in_executor(self._asking, work)

    def _fail(self, error: Exception) -> None:
        if self._counts.fault is None:
            is_known = isinstance(error, FiblakeError)
            _log.error("alerts are not delivered", error=str(error), exc_info=not is_known)
        self._counts.fault = str(error)

    def _recover(self) -> None:
        if self._counts.fault is not None:
            _log.warning("alerts are delivered again")
        self._counts.fault = None


def _place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename}:{last.lineno}"
