"""The destination `log`: a line a notification, on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lake.envelope import decode_envelope
from lake.instant import microseconds, written
from lake.logs import always
from lake.trace import trace_of
from speed_layer.delivery.outcome import DELIVERED

if TYPE_CHECKING:
    from database.outbox import Claimed
    from speed_layer.delivery.outcome import Outcome


class LogSender:
    """Writes notifications where the logs are, in their form.

    Whoever chose this destination wants its lines: so FIBLAKE_LOG_LEVEL, which says how much of the
    program's own doings is told, does not hold for them.
    """

    async def send(self, claimed: Claimed) -> Outcome:
        """Write a notification's line."""
        envelope = decode_envelope(claimed.body)
        always().info(
            envelope.kind,
            id=envelope.id,
            owner=claimed.owner,
            time=written(envelope.time),
            symbols=list(envelope.symbols),
            title=envelope.title,
            text=envelope.text,
            traces=[trace_of(symbol, microseconds(envelope.time)) for symbol in envelope.symbols],
        )
        return DELIVERED

    async def close(self) -> None:
        """Nothing is held."""
