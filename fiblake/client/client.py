"""`Client`: the Python face of a server, with the methods of `Lake`."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Self, Unpack
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import SecretStr

from fiblake.arguments import date_of, document_of, instant_of, names_of, query_of
from fiblake.client.address import Address, check_key
from fiblake.client.question import Asking, Question
from fiblake.frames import DIVIDENDS, PRICES, SESSIONS, SPLITS, SYMBOLS, Bars, from_json
from fiblake.referring import check_priced
from lake.errors import MisuseError, ServerError, UnknownSymbolError
from lake.instant import utc, written
from lake.logs import configure_logs
from lake.settings import read_settings
from lake.trace import Traces
from serving_layer.backtest.query import BacktestQuery, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    import polars as pl

    from fiblake.arguments import Narrowed
    from fiblake.backtesting import BarsAsked, MatrixAsked
    from fiblake.client.stream import Stream
    from fiblake.client.watch import Watch
    from serving_layer.query import BarsQuery

_AT_ONCE: Final = 500
"""Symbols in one request of bars: as many as the server takes."""
_PRICES_AT_ONCE: Final = 200
_MOST_SYMBOLS: Final = 50_000
"""In one answer of the server."""


class Client:
    """One server of a lake: read from it what a `Lake` reads from its files, and what is live.

    Args:
        url: Of the server, as `http://127.0.0.1:8000`.
        key: An API key; None: what `FIBLAKE_KEY` says, else none.
        timeout_s: For how long an answer may say nothing before it is given up on.
        attempts: How often the server is asked where it does not answer, or asks to slow down.
        retry_ms: Up to how long the first pause between is; the next, twice that.
        allow_http: Whether the key may be sent to another machine without TLS.

    Raises:
        MisuseError: If the URL or the key is none, or the key would be sent in the open; if the
            extra `client` is not installed.

    Example:
        >>> Client("http://127.0.0.1:8000").bars("AAPL", "13d")  # doctest: +SKIP
    """

    def __init__(  # noqa: PLR0913 - how it asks
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 60,
        attempts: int = 5,
        retry_ms: float = 200,
        allow_http: bool = False,
    ) -> None:
        # Imported here: only who asks a server needs httpx, which is an extra.
        try:
            from fiblake.client.server import Server  # noqa: PLC0415
        except ModuleNotFoundError as error:
            fact = f"A client needs {error.name}, which is not installed."
            raise MisuseError(fact, hint="pip install 'fiblake[client]'.") from None
        if attempts < 1 or timeout_s <= 0 or retry_ms < 0:
            fact = f"{attempts=}, {timeout_s=}, {retry_ms=} cannot be: the first two are positive."
            raise MisuseError(fact)
        self._address = Address.parse(url)
        self._key = _key(key)
        if self._key is not None:
            self._address.check_may_have_key(allow_http=allow_http)
        self._attempts = attempts
        self._server = Server(self._address, self._key, Asking(timeout_s, attempts, retry_ms))

    def __repr__(self) -> str:
        return f"Client({self._address.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._server.close()

    def bars(
        self,
        symbols: str | Iterable[str] | None,
        interval: str = "1d",
        **narrowed: Unpack[Narrowed],
    ) -> Bars:
        """Return bars as `Lake.bars` does, and live ones among them where something feeds some.

        Raises:
            FiblakeError: As `Lake.bars` does.
            AccessError: If the key is none here, or lacks the scope `read`.
            ServerError: If the server does not answer.
        """
        query = query_of(symbols, interval, **narrowed)
        told = self._told(query, lambda question: [self._server.table(question)])
        return Bars(pa.concat_tables(told))

    def pieces(
        self,
        symbols: str | Iterable[str] | None,
        interval: str = "1d",
        **narrowed: Unpack[Narrowed],
    ) -> Iterator[pa.Table]:
        """Return bars as Arrow tables, as they come: those of a listing are in one of them.

        The arguments, and the errors, are those of `bars`. Where the connection breaks amid the
        answer, the next piece is a ServerUnavailableError.
        """
        told = self._told(query_of(symbols, interval, **narrowed), self._server.pieces)
        # What cannot be asked for is said now, and not with the first piece.
        first = next(told, None)
        return told if first is None else chain([first], told)

    def prices(self, symbols: str | Iterable[str]) -> pl.DataFrame:
        """Return the latest price of each symbol as `Lake.prices` does, live ones if there are.

        Raises:
            FiblakeError: As `bars` does; AccessError if the key lacks the scope `live`.
        """
        names = names_of(symbols)
        _check_names(names)
        found: list[dict[str, Any]] = []
        unknown: list[str] = []
        for some in _batched(sorted(names), _PRICES_AT_ONCE):
            answer = self._json("/v1/prices", symbols=",".join(some))
            found += answer["prices"]
            unknown += answer["unknown"]
        check_priced(unknown)
        return from_json(found, PRICES)

    def symbols(self, text: str = "") -> pl.DataFrame:
        """Return the symbols that contain `text` as `Lake.symbols` does, live ones among them.

        Raises:
            FiblakeError: As `bars` does; MisuseError if they are more than a server tells.
        """
        found = self._json("/v1/symbols", query=text, limit=str(_MOST_SYMBOLS))["symbols"]
        if len(found) == _MOST_SYMBOLS:
            fact = f"{_MOST_SYMBOLS:,} symbols or more contain {text!r}: not all can be told."
            raise MisuseError(fact, hint="ask for a longer text, several times.")
        return from_json(found, SYMBOLS)

    def sessions(
        self, start: dt.date | str | None = None, end: dt.date | str | None = None
    ) -> pl.DataFrame:
        """Return trading days with their regular hours as `Lake.sessions` does.

        Raises:
            FiblakeError: As `bars` does.
        """
        asked = _written(start=date_of(start), end=date_of(end))
        return from_json(self._json("/v1/sessions", **asked)["sessions"], SESSIONS)

    def splits(self, symbol: str, *, known_at: dt.datetime | str | None = None) -> pl.DataFrame:
        """Return the splits of the listing that a symbol names as `Lake.splits` does.

        Raises:
            FiblakeError: As `bars` does.
        """
        asked = _written(known_at=instant_of(known_at))
        return from_json(self._json(_path("splits", symbol), **asked)["splits"], SPLITS)

    def dividends(self, symbol: str, *, known_at: dt.datetime | str | None = None) -> pl.DataFrame:
        """Return the dividends of the listing that a symbol names as `Lake.dividends` does.

        Raises:
            FiblakeError: As `bars` does.
        """
        asked = _written(known_at=instant_of(known_at))
        return from_json(self._json(_path("dividends", symbol), **asked)["dividends"], DIVIDENDS)

    def backtest(
        self,
        universe: Iterable[str] | Mapping[str, dt.date | str],
        intervals: str | Iterable[str],
        **asked: Unpack[BarsAsked],
    ) -> Bars:
        """Return bars of many symbols, with indicators, as `Lake.backtest` does.

        Raises:
            FiblakeError: As `bars` does.
        """
        return self._backtest("bars", document_of(universe, intervals, asked))

    def matrix(
        self,
        universe: Iterable[str] | Mapping[str, dt.date | str],
        intervals: str | Iterable[str],
        **asked: Unpack[MatrixAsked],
    ) -> Bars:
        """Return all intervals on one timeline as `Lake.matrix` does.

        Raises:
            FiblakeError: As `bars` does.
        """
        return self._backtest("matrix", document_of(universe, intervals, asked))

    def stream(self, channels: str | Iterable[str], *, reconnect_s: float = 600) -> Stream:
        """Return live events of some channels: prices, and bars as they form and close.

        It begins with all there is of each channel, each item as an event, and goes on with its
        changes. A connection that breaks is made again, and nothing is lost: what changed
        meanwhile follows or, where the server cannot tell, a `Gap` and all there is.

        Args:
            channels: `price:AAPL`, `bars:5m:AAPL`, `bars:5m:AAPL:extended`, `bars:13d:AAPL`;
                `price:*` and `bars:5m:*` are the whole market's.
            reconnect_s: For how long a lost connection is tried to be made again.

        Returns:
            An asynchronous iterator of `Price`, `Bar`, `Gap`, `Complete` and `Status`, and an
            asynchronous context manager that closes it.

        Raises:
            MisuseError: If there is no channel; once it runs, if one is none.
            AccessError: Once it runs: if the key does not hold, or not any more, or has not the
                scope `live`.
            NoFeedError: If nothing feeds live bars there.
            TooManyRequestsError: If too many streams of the key are open.
            ServerUnavailableError: If the server cannot be reached, or not any more.
        """
        # Imported here: only who streams needs websockets, which is an extra.
        from fiblake.client.stream import Patience, Stream  # noqa: PLC0415

        names = (channels,) if isinstance(channels, str) else tuple(dict.fromkeys(channels))
        if not names:
            fact = "No channel was given."
            raise MisuseError(fact, hint="name one or more, as price:AAPL or bars:5m:AAPL.")
        patience = Patience(self._attempts, reconnect_s)
        return Stream(self._address, self._key, names, patience, _traces())

    def watch(self, channels: str | Iterable[str], *, reconnect_s: float = 600) -> Watch:
        """Return what `stream` tells, as a plain iterator, and a context manager that closes it.

        Raises:
            FiblakeError: As `stream` does.
        """
        from fiblake.client.watch import Watch  # noqa: PLC0415 - likewise

        return Watch(self.stream(channels, reconnect_s=reconnect_s))

    def _backtest(self, kind: Kind, document: dict[str, Any]) -> Bars:
        BacktestQuery.parse(kind, document)
        asked = {name: value for name, value in document.items() if value is not None}
        question = Question(f"/v1/backtest/{kind}", document=asked)
        return Bars(self._server.table(question))

    def _json(self, path: str, **parameters: str) -> dict[str, Any]:
        answer = self._server.json(Question(path, parameters))
        if not isinstance(answer, dict):
            fact = f"{self._address.url}{path} answers with what is none of a fiblake server."
            raise ServerError(fact, hint="is that the server's URL, its path included?")
        return answer

    def _told(
        self, query: BarsQuery, ask: Callable[[Question], Iterable[pa.Table]]
    ) -> Iterator[pa.Table]:
        """Yield what answers a query, in as many questions as its symbols need.

        All are on the basis of the first. A listing under two of its symbols is told of once.
        """
        as_of = query.as_of
        seen: set[str] = set()
        for names in _names(query):
            before = pa.array(sorted(seen), pa.string())
            for table in ask(_question(replace(query, as_of=as_of), names)):
                as_of = as_of or _as_of(table)
                seen.update(pc.unique(table["listing"]).to_pylist())
                is_new = pc.invert(pc.is_in(table["listing"], before))
                yield table.filter(is_new).replace_schema_metadata(None)


def _key(given: str | None) -> SecretStr | None:
    key = read_settings().key if given is None else SecretStr(given)
    if key is not None:
        check_key(key.get_secret_value())
    return key


def _traces() -> Traces:
    settings = read_settings()
    if settings.trace_one_in:
        configure_logs(settings)
    return Traces("client", settings.trace_one_in)


def _names(query: BarsQuery) -> list[str]:
    """Return the symbols of a query as requests write them, some in each."""
    if query.symbols is None:
        return ["*"]
    _check_names(query.symbols)
    return [",".join(some) for some in _batched(sorted(query.symbols), _AT_ONCE)]


def _check_names(names: Iterable[str]) -> None:
    # In a request the one parts names, and the other is the whole market.
    for name in names:
        if "," in name or name == "*":
            fact = f"{name}: no such symbol."
            hint = "several are given as a list; None asks for the whole market."
            raise UnknownSymbolError(fact, hint=hint)


def _question(query: BarsQuery, names: str) -> Question:
    asked = _written(
        start=query.start, end=query.end, as_of=query.as_of, known_at=query.known_at
    ) | {
        "symbols": names,
        "interval": str(query.interval),
        "adjustment": query.adjustment,
        "session": query.session,
        "format": "arrow",
    }
    return Question("/v1/bars", asked)


def _written(**days: dt.date | None) -> dict[str, str]:
    """Return dates and instants as requests write them, those that are given."""
    return {
        name: written(utc(day)) if isinstance(day, dt.datetime) else day.isoformat()
        for name, day in days.items()
        if day is not None
    }


def _path(what: str, symbol: str) -> str:
    return f"/v1/{what}/{quote(symbol.strip(), safe='')}"


def _as_of(table: pa.Table) -> dt.date | None:
    told = (table.schema.metadata or {}).get(b"as_of")
    return None if told is None else dt.date.fromisoformat(told.decode())


def _batched(names: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """Yield some names at a time."""
    for begin in range(0, len(names), most):
        yield names[begin : begin + most]
