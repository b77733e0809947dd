"""The part of `Lake` that answers backtests."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import polars as pl

from fiblake.arguments import check_named, document_of
from fiblake.frames import Bars
from serving_layer.backtest.backtests import Backtests
from serving_layer.backtest.query import BacktestQuery, Kind

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from lake.clock import Clock
    from lake.store import ObjectStore
    from serving_layer.query import Adjustment


class Backtesting:
    """A lake that answers backtests."""

    store: ObjectStore
    clock: Clock

    @cached_property
    def backtests(self) -> Backtests:
        """What answers `backtest` and `matrix`."""
        return Backtests(self.store, self.clock)

    def backtest(
        self,
        universe: Iterable[str] | Mapping[str, dt.date | str],
        intervals: str | Iterable[str],
        **asked: Unpack[BarsAsked],
    ) -> Bars:
        """Return bars of many symbols, with indicators, of what batch committed alone.

        Args:
            universe: Symbols; or `{"listed_on": date}`: all that were listed on it.
            intervals: One or several, of sessions or of minutes and hours.
            asked: What narrows the answer down: see `BarsAsked`.

        Returns:
            One row a bar, in order of name (of a whole market: listing), interval and start:
            listing, symbol, interval, start, the columns and the indicators.

        Raises:
            FiblakeError: As `bars` does; MisuseError if the answer would be too large.
            TypeError: If an argument is not one of `BarsAsked`.
        """
        check_named("backtest", asked, BarsAsked.__annotations__)
        return self._answer("bars", document_of(universe, intervals, asked))

    def matrix(
        self,
        universe: Iterable[str] | Mapping[str, dt.date | str],
        intervals: str | Iterable[str],
        **asked: Unpack[MatrixAsked],
    ) -> Bars:
        """Return all intervals on one timeline: at each instant only what was final then.

        Args:
            universe: As of `backtest`.
            intervals: Of which the finest, of days `1d`, tells the instants: its bars' ends.
            asked: What narrows the answer down: see `MatrixAsked`.

        Returns:
            One row an instant of a listing, in order: listing, symbol, session, available_at, then
            of each interval `available_at_13d`, `close_13d` and so on, null before its first bar.

        Raises:
            FiblakeError: As `backtest` does.
            TypeError: If an argument is not one of `MatrixAsked`.
        """
        check_named("matrix", asked, MatrixAsked.__annotations__)
        return self._answer("matrix", document_of(universe, intervals, asked))

    def _answer(self, kind: Kind, document: dict[str, Any]) -> Bars:
        query = self.backtests.pinned(BacktestQuery.parse(kind, document))
        return Bars(pl.concat(self.backtests.pieces(query)))


class MatrixAsked(TypedDict, total=False):
    """What narrows a backtest down; dates, instants and bases as of `Narrowed`.

    Attributes:
        start: First `start` of a bar, of intraday bars and in a matrix the session; inclusive.
        end: Last one, inclusive.
        adjustment: `split`, the default, `raw` or `all`.
        as_of: The date whose basis is wanted. In a matrix, none: each row is on the basis of its
            own session, so that no later split is in it.
        known_at: Answer as the lake knew it at this instant.
        columns: Which, in the order of the answer.
    """

    start: dt.date | str | None
    end: dt.date | str | None
    adjustment: Adjustment
    as_of: dt.date | str | None
    known_at: dt.datetime | str | None
    columns: Sequence[str]


class BarsAsked(MatrixAsked, total=False):
    """What narrows bars down, and what is computed of them.

    Attributes:
        indicators: As `sma_20`, `ema_12`, `atr_14`, `rsi_14`, `returns_5`.
        include_forming: Whether bars that are not final are told too.
    """

    indicators: Sequence[str]
    include_forming: bool
