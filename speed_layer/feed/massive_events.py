"""Massive's messages as events: of its socket, and of its REST.

Units:  `t`, `s` and `e` of the socket are milliseconds; `sip_timestamp` of REST is nanoseconds. An
        event's time is the millisecond, in microseconds, so that both tell one trade alike.
Source: https://massive.com/docs/websocket/stocks/trades and /aggregates-per-second,
        https://massive.com/docs/rest/stocks/trades-quotes/trades. The socket's documentation names
        no corrections; where a trade comes with `e`, as those of REST's last trade do, it is taken
        for the same code as REST's `correction`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from lake.massive_symbols import lake_symbol
from lake.symbol import is_symbol
from lake.wire import SCHEMA
from speed_layer.feed.source import Delivery, Malformed, no_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from lake.event import Kind

Message = dict[str, Any]

NAME: Final = "massive"
KINDS: Final[dict[str, Kind]] = {"T": "trade", "A": "second", "AM": "minute"}
_STATUS: Final = "status"
_CONSTANTS: Final = 64
_CANCELLED: Final = frozenset({7, 8, 10, 11})
"""Of TAQ's codes: an original marked as an error or cancelled, and the records that say so."""
_RESTATED: Final = frozenset({1, 12}) | _CANCELLED
"""Those, and the original that was corrected, and the record that corrects it."""
_A_TRADE: Final = b'"ev":"T"'
_ANY: Final = b'"ev"'
_TRADE: Final = pl.Schema(
    {
        "sym": pl.String(),
        "p": pl.Float64(),
        "s": pl.Float64(),
        "t": pl.Int64(),
        "q": pl.Int64(),
        "c": pl.List(pl.Int32()),
        "e": pl.Int32(),
    }
)
_REQUIRED: Final = ("sym", "p", "s", "t", "q")
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
    pl.exceptions.PolarsError,
)


@dataclass(slots=True)
class Reader:
    """Reads messages, and remembers how symbols are spelled."""

    _spellings: dict[str, str] = field(default_factory=dict)

    def frames(self, frames: Sequence[tuple[int, str | bytes]]) -> Delivery:
        """Return the events of the socket's frames, in order; statuses are passed over.

        Args:
            frames: When each was received, in microseconds, and its text.
        """
        trades = self._only_trades(frames) if frames else None
        return self._one_by_one(frames) if trades is None else Delivery(trades)

    def _only_trades(self, frames: Sequence[tuple[int, str | bytes]]) -> pl.DataFrame | None:
        """Return the events of frames that are all good trades, as nearly all are; else None."""
        texts = [text.encode() if isinstance(text, str) else text for _, text in frames]
        counts = [text.count(_A_TRADE) for text in texts]
        if any(
            count != text.count(_ANY) or text[:2] != b"[{" or text[-2:] != b"}]"
            for text, count in zip(texts, counts, strict=True)
        ):
            return None
        joined = b",".join(text[1:-1] for text in texts)
        try:
            told = pl.read_json(b"[" + joined + b"]", schema=_TRADE)
        except pl.exceptions.PolarsError:
            return None
        if told.height != sum(counts) or any(told[name].null_count() for name in _REQUIRED):
            return None
        received = np.repeat(np.array([each for each, _ in frames], np.int64), counts)
        return self._told(told, received)

    def _told(self, told: pl.DataFrame, received: NDArray[np.int64]) -> pl.DataFrame:
        """Return trades, schema `_TRADE`, as events."""
        codes = told["e"]
        is_restated = codes.null_count() < len(codes)
        return _frame(
            told.height,
            kind="trade",
            symbol=pl.Series(self._symbols(told["sym"].to_list())),
            time=told["t"].to_numpy() * 1000,
            sequence=told["q"],
            revision=_is_of(codes, _RESTATED).astype(int) if is_restated else 0,
            price=told["p"],
            size=told["s"],
            cancelled=_is_of(codes, _CANCELLED).tolist() if is_restated else False,
            conditions=_listed(told["c"]),
            received=received,
        )

    def _one_by_one(self, frames: Iterable[tuple[int, str | bytes]]) -> Delivery:
        told: list[tuple[int, Message]] = []
        malformed: list[Malformed] = []
        for received, frame in frames:
            try:
                messages = json.loads(frame)
            except ValueError:
                messages = None
            if isinstance(messages, list):
                told += [(received, message) for message in messages]
            else:
                malformed.append(_malformed(received, frame))
        return self._delivery(told, malformed)

    def trades(self, symbol: str, rows: Sequence[Message], received: int) -> pl.DataFrame:
        """Return REST's trades of a symbol as events.

        Raises:
            ValueError: If one cannot be read.
        """
        told = [
            {
                "sym": symbol,
                "t": row["sip_timestamp"] // 1_000_000,
                "q": row["sequence_number"],
                "p": row["price"],
                "s": row["size"],
                "c": row.get("conditions"),
                "e": row.get("correction"),
            }
            for row in rows
        ]
        return self._trades(told, np.full(len(told), received))

    def bars(self, symbol: str, kind: Kind, rows: Sequence[Message], received: int) -> pl.DataFrame:
        """Return REST's aggregates of a symbol as events.

        Raises:
            ValueError: If one cannot be read.
        """
        told = [{**row, "sym": symbol, "s": row["t"]} for row in rows]
        return self._bars(told, np.full(len(told), received), kind)

    def _delivery(self, told: list[tuple[int, Message]], malformed: list[Malformed]) -> Delivery:
        try:
            return Delivery(self._events(told), malformed)
        except _UNREADABLE:
            good = []
            for received, message in told:
                try:
                    self._events([(received, message)])
                except _UNREADABLE:
                    text = json.dumps(message)
                    malformed.append(Malformed(text, received, _whose(message)))
                else:
                    good.append((received, message))
            return Delivery(self._events(good), malformed)

    def _events(self, told: Sequence[tuple[int, Message]]) -> pl.DataFrame:
        frames = []
        for name, kind in KINDS.items():
            some = [(place, each) for place, each in enumerate(told) if each[1]["ev"] == name]
            if some:
                received = np.array([each[0] for _, each in some], np.int64)
                events = self._of_kind(kind, [each[1] for _, each in some], received)
                frames.append((events, [place for place, _ in some]))
        known = sum(frame.height for frame, _ in frames)
        if known < len(told):
            _check_statuses(told)
        if len(frames) < 2:  # noqa: PLR2004 - one kind is in order already
            return frames[0][0] if frames else no_events()
        places = np.concatenate([places for _, places in frames])
        return pl.concat([frame for frame, _ in frames])[np.argsort(places)]

    def _of_kind(
        self, kind: Kind, told: Sequence[Message], received: NDArray[np.int64]
    ) -> pl.DataFrame:
        return self._trades(told, received) if kind == "trade" else self._bars(told, received, kind)

    def _trades(self, told: Sequence[Message], received: NDArray[np.int64]) -> pl.DataFrame:
        codes = [each.get("e") or 0 for each in told]
        corrected = any(codes)
        return _frame(
            len(told),
            kind="trade",
            symbol=self._symbols([each["sym"] for each in told]),
            time=_whole(told, "t") * 1000,
            sequence=_whole(told, "q"),
            revision=np.array([code in _RESTATED for code in codes], int) if corrected else 0,
            price=_number(told, "p"),
            size=_number(told, "s"),
            cancelled=[code in _CANCELLED for code in codes] if corrected else False,
            conditions=_conditions([each.get("c") or () for each in told]),
            received=received,
        )

    def _bars(
        self, told: Sequence[Message], received: NDArray[np.int64], kind: Kind
    ) -> pl.DataFrame:
        start_ms = _whole(told, "s")
        return _frame(
            len(told),
            kind=kind,
            symbol=self._symbols([each["sym"] for each in told]),
            time=start_ms * 1000,
            revision=np.maximum(received // 1000 - start_ms, 0),
            price=_number(told, "c"),
            size=_number(told, "v"),
            open=_number(told, "o"),
            high=_number(told, "h"),
            low=_number(told, "l"),
            vwap=_optional(told, "vw", pl.Float64()),
            trades=_optional(told, "n", pl.Int64()),
            received=received,
        )

    def _symbols(self, texts: list[str]) -> list[str]:
        known = self._spellings
        for text in set(texts).difference(known):
            known[text] = lake_symbol(text)
        return [known[text] for text in texts]


# Deliveries are of a few events, hundreds a second: what passes by the expressions of Polars, whose
# planning takes longer than all the rest, keeps them fresh.

_ABSENT: Final[dict[str, object]] = {
    "sequence": 0,
    "minute": 0,
    "moves": 0,
    "cancelled": False,
    "source": NAME,
}


def _frame(height: int, **columns: object) -> pl.DataFrame:
    told = {**_ABSENT, **columns}
    series = []
    for name, dtype in SCHEMA.items():
        values: Any = told.get(name)
        if isinstance(values, pl.Series):
            series.append(values.alias(name))
        elif isinstance(values, np.ndarray):
            series.append(pl.Series(name, values))
        elif isinstance(values, list):
            series.append(pl.Series(name, values, dtype))
        else:
            series.append(_constant(name, values).new_from_index(0, height))
    return pl.DataFrame(series)


@lru_cache(_CONSTANTS)
def _constant(name: str, value: object) -> pl.Series:
    """Return a column's value, as a series of one row; lists are empty."""
    return pl.Series(name, [[] if name == "conditions" else value], SCHEMA[name])


def _whole(told: Sequence[Message], name: str) -> NDArray[np.int64]:
    return np.array([each[name] for each in told], np.int64)


def _number(told: Sequence[Message], name: str) -> NDArray[np.float64]:
    return np.array([each[name] for each in told], np.float64)


def _optional(told: Sequence[Message], name: str, dtype: pl.DataType) -> pl.Series:
    return pl.Series(name, [each.get(name) for each in told], dtype, strict=False)


def _conditions(codes: Sequence[Sequence[int]]) -> pl.Series:
    """Return lists of codes; there are few distinct ones."""
    place: dict[tuple[int, ...], int] = {}
    index = [place.setdefault(tuple(each), len(place)) for each in codes]
    distinct = pl.Series([list(each) for each in place], dtype=pl.List(pl.Int32))
    return distinct[pl.Series(np.array(index, np.uint32))]


def _is_of(codes: pl.Series, some: frozenset[int]) -> NDArray[np.bool_]:
    return np.array([code in some for code in codes.to_list()])


def _listed(codes: pl.Series) -> pl.Series:
    """Return lists of codes, empty where there is none."""
    if not codes.null_count():
        return codes
    return pl.Series([each or [] for each in codes.to_list()], dtype=codes.dtype)


def _check_statuses(told: Sequence[tuple[int, Message]]) -> None:
    """Let what is neither an event nor a status be malformed."""
    for _, message in told:
        if message["ev"] not in KINDS and message["ev"] != _STATUS:
            fact = f"{message['ev']!r} was not subscribed to"
            raise ValueError(fact)


def _whose(message: object) -> frozenset[str] | None:
    """Return whose event a message may have been; None: anyone's."""
    if not isinstance(message, dict) or not isinstance(message.get("ev"), str):
        return None
    if message["ev"] not in KINDS:
        return frozenset()
    symbol = lake_symbol(message["sym"]) if isinstance(message.get("sym"), str) else ""
    return frozenset({symbol}) if is_symbol(symbol) else None


def _malformed(received: int, frame: str | bytes) -> Malformed:
    text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
    return Malformed(text, received)


def topics_of(kinds: Iterable[str], symbols: Iterable[str], spelt: Callable[[str], str]) -> str:
    """Return what to subscribe to, as `T.AAPL,T.BRK.B`; no symbols: all of them."""
    names = {kind: name for name, kind in KINDS.items()}
    tickers = [spelt(symbol) for symbol in symbols] or ["*"]
    return ",".join(f"{names[kind]}.{ticker}" for kind in kinds for ticker in tickers)  # type: ignore[index] # checked by whoever chose
