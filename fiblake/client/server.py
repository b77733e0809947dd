"""One server, asked over HTTP: retries, errors, and Arrow streams as they come."""

from __future__ import annotations

import io
import random
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from fiblake.client.problems import error_of
from lake.attempts import pause
from lake.errors import FiblakeError, ServerError, ServerUnavailableError, TooManyRequestsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pydantic import SecretStr

    from fiblake.client.address import Address
    from fiblake.client.question import Asking, Question

T = TypeVar("T")
ARROW: Final = "application/vnd.apache.arrow.stream"
AGENT: Final = f"fiblake/{version('fiblake')}"
_CONNECT_S: Final = 10.0
_LONGEST_PAUSE_S: Final = 10.0
LONGEST_WAIT_S: Final = 60.0
_BUFFER_BYTES: Final = 1 << 20
_END: Final = b"\xff\xff\xff\xff\0\0\0\0"
"""Of each Arrow stream."""
_FOR_A_WHILE: Final = (502, 503, 504)


class _Passing(Exception):  # noqa: N818 - it carries one
    """An error that may be gone next time."""

    def __init__(self, error: FiblakeError) -> None:
        super().__init__(str(error))
        self.error = error


class Server:
    """Asks one server, from many threads.

    Args:
        address: Where it is.
        key: Shown with each request; None: none.
        asking: How it is asked.
    """

    def __init__(self, address: Address, key: SecretStr | None, asking: Asking) -> None:
        self._address = address
        self._asking = asking
        headers = {"User-Agent": AGENT}
        if key is not None:
            headers["Authorization"] = f"Bearer {key.get_secret_value()}"
        self._http = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(asking.timeout_s, connect=min(asking.timeout_s, _CONNECT_S)),
            # A proxy of the environment must not see what this machine asks itself.
            trust_env=not address.is_local,
        )

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def json(self, question: Question) -> Any:  # noqa: ANN401 - whatever the document holds
        """Return the JSON document that answers a question.

        Raises:
            FiblakeError: As the server tells it; ServerError if it does not answer as one.
        """
        return self._tried(question, "application/json", _document)

    def table(self, question: Question) -> pa.Table:
        """Return the table that answers a question: all of it.

        Raises:
            FiblakeError: As of `json`.
        """
        return self._tried(question, ARROW, _table)

    def pieces(self, question: Question) -> Iterator[pa.Table]:
        """Yield the table that answers a question, piece by piece as it comes.

        The first piece is there when this returns. Where the connection breaks later the next one
        is the error: half an answer does not pass for a whole one.

        Raises:
            FiblakeError: As of `json`.
        """
        return self._rest(*self._tried(question, ARROW, _begun))

    def _rest(
        self, response: httpx.Response, first: pa.Table | None, rest: Iterator[pa.Table]
    ) -> Iterator[pa.Table]:
        try:
            if first is not None:
                yield first
                yield from rest
        except (httpx.TransportError, pa.ArrowException) as error:
            raise self._broken(error) from None
        finally:
            response.close()

    def _tried(self, question: Question, accept: str, read: Callable[[httpx.Response], T]) -> T:
        """Return what is read of an answer; asks again where that can help."""
        for number in range(1, self._asking.attempts + 1):
            try:
                return self._asked(question, accept, read)
            except _Passing as passing:
                is_last = number == self._asking.attempts
                if is_last or not self._paused(number, passing.error):
                    raise passing.error from None
        raise AssertionError  # at least one attempt is made

    def _paused(self, number: int, error: FiblakeError) -> bool:
        """Wait before the next attempt; return whether there is to be one."""
        pause(number, first_s=self._asking.retry_ms / 1000, longest_s=_LONGEST_PAUSE_S)
        if isinstance(error, TooManyRequestsError):
            if error.retry_after_s > LONGEST_WAIT_S:
                return False
            time.sleep(error.retry_after_s * random.uniform(1, 1.1))  # noqa: S311 - jitter is no secret
        return True

    def _asked(self, question: Question, accept: str, read: Callable[[httpx.Response], T]) -> T:
        request = self._http.build_request(
            "GET" if question.document is None else "POST",
            self._address.url + question.path,
            params=question.parameters or None,
            json=question.document,
            headers={"Accept": accept},
        )
        try:
            response = self._http.send(request, stream=True)
            try:
                self._check(response, accept)
                return read(response)
            except BaseException:
                response.close()
                raise
        except httpx.ReadTimeout:
            # It may be at it still: asking again would make it more.
            fact = f"{self._address.url} did not answer within {self._asking.timeout_s:g} s."
            hint = "ask for less, or Client(..., timeout_s=...)."
            raise ServerUnavailableError(fact, hint=hint) from None
        except httpx.TransportError as error:
            raise _Passing(self._broken(error)) from None
        except (pa.ArrowException, orjson.JSONDecodeError) as error:
            raise self._broken(error) from None

    def _check(self, response: httpx.Response, accept: str) -> None:
        """Refuse an answer that is an error, or of another kind than was asked for."""
        status = response.status_code
        if status == httpx.codes.OK:
            kind = response.headers.get("content-type", "").partition(";")[0]
            if kind != accept:
                fact = f"{self._address.url} answers with {kind or 'nothing'}, not {accept}."
                hint = "is that the URL of a fiblake server, its path included?"
                raise ServerError(fact, hint=hint)
            return
        after = response.headers.get("retry-after")
        error = error_of(self._address.url, status, response.read(), after)
        if status in {httpx.codes.TOO_MANY_REQUESTS, *_FOR_A_WHILE}:
            raise _Passing(error)
        raise error

    def _broken(self, error: Exception) -> ServerError:
        """Return the error of an answer that did not come, or not whole."""
        why = str(error) or type(error).__name__
        if not isinstance(error, httpx.TransportError):
            fact = f"{self._address.url} answers what cannot be read: {why}."
            return ServerError(fact, hint="is the client of the server's version?")
        fact = f"{self._address.url} does not answer: {why.rstrip('.')}."
        hint = "is fiblake up running there, and is the port the one it printed?"
        if "CERTIFICATE" in why:
            hint = "its certificate is not trusted here; SSL_CERT_FILE names others that are."
        elif not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            hint = "the connection broke; its log, or that of a proxy, may say why."
        return ServerUnavailableError(fact, hint=hint)


class _Body(io.RawIOBase):
    """The body of an answer as a file, read as it comes."""

    def __init__(self, response: httpx.Response) -> None:
        self._chunks = response.iter_bytes()
        self._rest = self._tail = b""

    @property
    def is_whole(self) -> bool:
        """Whether the mark of an Arrow stream's end was the last that came."""
        return self._tail == _END

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any buffer
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest, self._tail = chunk, (self._tail + chunk)[-len(_END) :]
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _finish(body: io.BufferedReader[_Body]) -> None:
    """Read an answer to its end: only then the connection can be used again.

    Raises:
        RemoteProtocolError: If it is not whole: without chunks, as of HTTP/1.0, nothing else tells.
    """
    body.read()
    if not body.raw.is_whole:
        fact = "the answer ended before its end"
        raise httpx.RemoteProtocolError(fact)


def _document(response: httpx.Response) -> Any:  # noqa: ANN401 - whatever it holds
    return orjson.loads(response.read())


def _table(response: httpx.Response) -> pa.Table:
    body = io.BufferedReader(_Body(response), _BUFFER_BYTES)
    table = pa.ipc.open_stream(body).read_all()
    _finish(body)
    return table


def _begun(
    response: httpx.Response,
) -> tuple[httpx.Response, pa.Table | None, Iterator[pa.Table]]:
    body = io.BufferedReader(_Body(response), _BUFFER_BYTES)
    pieces = _whole_listings(pa.ipc.open_stream(body), body)
    return response, next(pieces, None), pieces


def _whole_listings(
    batches: Iterable[pa.RecordBatch], body: io.BufferedReader[_Body]
) -> Iterator[pa.Table]:
    """Yield tables that none of the listings is in two of, as the server had them in pieces."""
    kept: list[pa.RecordBatch] = []
    for batch in batches:
        listings = batch.column("listing")
        if kept and kept[-1].column("listing")[-1] != listings[0]:
            yield _table_of(kept)
            kept = []
        others = pc.not_equal(listings, listings[-1]).to_numpy(zero_copy_only=False)
        # Where the last listing begins: what is before it is whole.
        begin = int(np.flatnonzero(others)[-1]) + 1 if others.any() else 0
        if begin:
            yield _table_of([*kept, batch.slice(0, begin)])
            kept = []
        kept.append(batch.slice(begin))
    _finish(body)
    if kept:
        yield _table_of(kept)


def _table_of(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    return pa.Table.from_batches(batches)
