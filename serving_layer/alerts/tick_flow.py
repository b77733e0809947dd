"""What was recorded of the live flow, as a rule would see it now: under today's name and splits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lake.alerts.seen import SeenBar, Tick
from lake.interval import DAILY
from serving_layer.alerts.flow import Part, ending_in, forming_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from lake.alerts.seen import Seen
    from lake.session import SessionTable
    from serving_layer.alerts.flow import FinalBars, Wanted
    from serving_layer.alerts.forming import Forming


class TickFlow:
    """What recorded events tell.

    Args:
        symbol: As the rule names it.
        wanted: By the rule.
        final: The bars of each of its keys, and of days.
        table: The sessions of the exchange.
    """

    def __init__(self, symbol: str, wanted: Wanted, final: FinalBars, table: SessionTable) -> None:
        self._symbol = symbol
        self._wanted = wanted
        self._final = final
        self._table = table

    def seen(
        self,
        told: Iterator[tuple[dt.date, list[Seen]]],
        shares: Mapping[dt.date, float],
    ) -> Iterator[Part]:
        """Yield what is seen, session by session, a part at a time.

        A session's own bars, and those of sessions that end with it, are behind all else of it.

        Args:
            told: What was seen live, in order, with its session.
            shares: By session: how many shares stand today for one of then. Its sessions are
                those of the run.
        """
        keys = [key for key in self._wanted.final if not key[0].is_intraday]
        ending = ending_in(keys, self._final, min(shares), max(shares))
        forming = forming_of(self._wanted, self._final, self._table)
        at, seen = next(told, (None, []))
        for session, factor in shares.items():
            while at == session:
                has_prices = any(isinstance(each, Tick) for each in seen)
                yield Part(session, self._part(seen, factor, forming), has_prices)
                at, seen = next(told, (None, []))
            yield Part(session, list(ending.get(session, ())), has_prices=False)

    def _part(self, told: Sequence[Seen], factor: float, forming: Sequence[Forming]) -> list[Seen]:
        seen: list[Seen] = []
        for each in told:
            now = self._now(each, factor)
            seen.append(now)
            if isinstance(now, SeenBar) and now.interval == str(DAILY):
                seen += [longer.with_(now) for longer in forming]
        return seen

    def _now(self, seen: Seen, factor: float) -> Seen:
        """Return what was seen then, on the basis of the present."""
        if isinstance(seen, Tick):
            return seen._replace(symbol=self._symbol, price=seen.price / factor)
        return seen._replace(
            symbol=self._symbol,
            open=seen.open / factor,
            high=seen.high / factor,
            low=seen.low / factor,
            close=seen.close / factor,
            volume=seen.volume * factor,
        )
