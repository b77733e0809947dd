"""One fetch of bars by session: what is missing, how it came, what came of it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from batch_layer import landing
from batch_layer.fetching.at_once import at_once
from batch_layer.fetching.fetch_report import FetchReport
from batch_layer.fetching.landed import Brought, Landed, read_landed
from batch_layer.fetching.misses import OF_A_SESSION, Misses
from batch_layer.vendors.pace import StoppedError
from lake.errors import FiblakeError, VendorError, VendorRefusedError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from batch_layer.fetching.bars_kind import BarsKind, Bringer
    from batch_layer.fetching.session_plan import Held, Todo
    from batch_layer.fetching.session_source import SessionSource
    from lake.store import ObjectStore

Came: TypeAlias = "Landed | tuple[dt.date, FiblakeError] | None"


@dataclass(slots=True)
class SessionRun:
    """A fetch at work.

    Attributes:
        kind: Of bars.
        store: The lake.
        held: What it held of the source at first.
        todo: What there is to do.
        bringer: Brings answers into bronze.
        misses: What became of sessions whose bars did not come.
        workers: How many sessions are asked for at once.
        opened: Returns the source.
        check: Raises an error where this process may not go on.
        is_over: Tells whether it is time to stop asking.
        on_progress: Called with (done, of how many).
    """

    kind: BarsKind
    store: ObjectStore
    held: Held
    todo: Todo
    bringer: Bringer
    misses: Misses
    workers: int
    opened: Callable[[], SessionSource]
    check: Callable[[], None]
    is_over: Callable[[], bool]
    on_progress: Callable[[int, int], None]
    fetched: list[dt.date] = field(default_factory=list)
    from_landing: list[dt.date] = field(default_factory=list)
    not_asked: int = 0
    brought: Brought = field(default_factory=Brought)

    def go(self) -> None:
        """Do what there is to do.

        Raises:
            VendorError: If the vendor is given up on, or has nothing of what was wanted.
            StoreError: If the lake cannot be written.
        """
        self._advance()
        self._bring_what_landed()
        if self.todo.ask:
            self._fetch(self.opened())
        refusal = self.misses.why
        if isinstance(refusal, VendorRefusedError) and self.oldest is None:
            raise refusal

    @property
    def oldest(self) -> dt.date | None:
        """The oldest session that the lake has of the source now; None: there is none."""
        return min([*self.held.landed, *self.fetched], default=None)

    def report(self, seconds: float) -> FetchReport:
        """Return what came of it."""
        failed = self.misses.failures(self.oldest)
        counted = {*self.fetched, *self.from_landing, *self.todo.there, *self.misses.not_yet}
        counted |= {failure.session for failure in failed}
        changes = self.brought.changes
        return FetchReport(
            kind=self.kind.name,
            source=self.bringer.source,
            start=min(counted, default=None),
            end=max(counted, default=None),
            sessions=len(counted) + self.not_asked,
            fetched=len(self.fetched),
            from_landing=len(set(self.from_landing) - set(self.fetched)),
            already_there=len(self.todo.there),
            not_yet=tuple(sorted(self.misses.not_yet)),
            failed=failed,
            not_asked=self.not_asked,
            rows=self.brought.rows,
            rejected=self.brought.rejected,
            added=changes.added,
            corrected=changes.corrected,
            unchanged=changes.unchanged,
            withdrawn=changes.withdrawn,
            seconds=seconds,
        )

    def _bring_what_landed(self) -> None:
        """Bring what had landed into bronze: of each session the answers in order."""
        for chunk in _chunks(sorted(self.todo.pending, reverse=True), self.kind.chunk):
            for turn in range(max(len(self.todo.pending[session]) for session in chunk)):
                known = [each for each in chunk if turn < len(self.todo.pending[each])]
                found = at_once(
                    known,
                    partial(self._read, turn),
                    workers=self.workers,
                    ahead=len(known),
                )
                self._bring([each for each in found if isinstance(each, Landed)])
            self.from_landing += [each for each in chunk if each not in self.misses.failed]
            self._advance()

    def _read(self, turn: int, session: dt.date) -> Landed | None:
        key = self.todo.pending[session][turn]
        try:
            return read_landed(
                self.store,
                self.kind.readers[self.bringer.source],
                session,
                key,
                self.held.before(session, key),
            )
        except OF_A_SESSION as error:
            self.misses.failed[session] = error
            return None

    def _fetch(self, source: SessionSource) -> None:
        """Ask for sessions, and bring them into bronze in chunks."""
        chunk: list[Landed] = []
        found = at_once(
            self._wanted(),
            partial(self._ask, source),
            workers=self.workers,
            ahead=self.workers + min(self.workers, self.kind.chunk),
            stop=source.stop,
            watch=lambda: source.stop() if self.is_over() else None,
        )
        # Closed whatever ends it: else those who wait to ask would go on.
        with closing(found):
            try:
                for each in found:
                    if self._take(each):
                        chunk.append(each)
                    if len(chunk) == self.kind.chunk:
                        self._bring(chunk)
                        chunk = []
                    self._advance()
            except VendorError:
                source.stop()
                self._bring(chunk)
                raise
        self._bring(chunk)

    def _take(self, came: Came) -> TypeGuard[Landed]:
        """Note what came of a session, and return whether that is an answer.

        Raises:
            VendorError: If the vendor is given up on.
        """
        if came is None:
            self.not_asked += 1
        elif isinstance(came, Landed):
            self.misses.hit()
            self.fetched.append(came.session)
            return True
        else:
            self.misses.miss(*came)
        return False

    def _wanted(self) -> Iterator[dt.date]:
        for session in self.todo.ask:
            if not self.misses.is_below(session):
                yield session
            elif not self.misses.is_open:
                self.misses.skip(session)

    def _ask(self, source: SessionSource, session: dt.date) -> Came:
        """Return what landed of a session, or why nothing did; None: it was not asked for."""
        if self.is_over():
            return None
        try:
            answer, rows = source.ask(session)
        except StoppedError:
            return None
        except OF_A_SESSION as error:
            return session, error
        unit = session.isoformat()
        key = landing.land(self.store, self.bringer.source, self.kind.name, unit, [answer])
        before = self.held.before(session, key)
        return Landed(session, key, answer.fetched_at, rows, before)

    def _bring(self, chunk: Sequence[Landed]) -> None:
        self.check()
        self.brought += self.bringer.bring(chunk)

    def _advance(self) -> None:
        done = len(self.from_landing) + len(self.fetched) + self.not_asked
        done += len(self.misses.failed) + len(self.misses.not_yet)
        self.on_progress(done, len(self.todo.ask) + len(self.todo.pending))


def _chunks(sessions: Sequence[dt.date], size: int) -> Iterable[Sequence[dt.date]]:
    return (sessions[at : at + size] for at in range(0, len(sessions), size))
