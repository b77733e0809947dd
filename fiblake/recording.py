"""Where the day of a replay is recorded; that of the sample is made first."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batch_layer.fetching.sample import sample_session
from batch_layer.generating.trading import record, trades_of
from lake.hours import hours_of
from lake.recorded import only_source
from lake.store import LocalStore

if TYPE_CHECKING:
    import datetime as dt
    from contextlib import ExitStack

    from lake.session import SessionTable
    from lake.store import ObjectStore
    from speed_layer.feed import FeedSpec

_SAMPLE: Final = "sample"
_SAMPLE_TRADES: Final = 4_000


def told_again(spec: FeedSpec) -> dt.date | None:
    """Return the session that a feed tells again; None: it tells of the present."""
    return sample_session()[0] if spec.kind == _SAMPLE else spec.session


def recording_of(
    spec: FeedSpec, store: ObjectStore, table: SessionTable, stack: ExitStack
) -> tuple[FeedSpec, ObjectStore]:
    """Return a feed that names its source, and the store in which its events are recorded.

    The sample's day, real bars on a path that was made up, is recorded beside the lake and not in
    it: batch must not take it for trades.

    Args:
        spec: What feeds.
        store: The lake.
        table: The sessions.
        stack: Removes what was made for the sample.

    Raises:
        NotFoundError: If nothing of the day is recorded, or of several sources.
    """
    if spec.kind == "massive":
        return replace(spec, source=spec.kind), store
    if spec.session is not None:
        return replace(spec, source=spec.source or only_source(store, spec.session)), store
    session, bars = sample_session()
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="fiblake-"))
    beside = LocalStore(Path(folder))
    hours = hours_of(session, table)
    events = trades_of(session, bars, hours, each=_SAMPLE_TRADES, source=_SAMPLE)
    record(beside, _SAMPLE, session, events.sort("received", maintain_order=True))
    return replace(spec, kind="replay", source=_SAMPLE, session=session), beside
