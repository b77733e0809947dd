"""The vendor as a whole: its parts put together, and the server that they answer through."""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self, Unpack

from batch_layer.local_vendor.access import Access
from batch_layer.local_vendor.catalogue import Catalogue
from batch_layer.local_vendor.control import CONTROL, Control
from batch_layer.local_vendor.errors import RefusedError, as_json, as_xml
from batch_layer.local_vendor.failing import answered_instead, spoilt
from batch_layer.local_vendor.faults import Fault, Faults
from batch_layer.local_vendor.flat_files import BUCKET, FlatFiles
from batch_layer.local_vendor.live_rest import LiveRest
from batch_layer.local_vendor.rate import Rate
from batch_layer.local_vendor.request_log import RequestLog
from batch_layer.local_vendor.rest import Rest
from batch_layer.local_vendor.s3 import Bucket
from batch_layer.local_vendor.server import Server
from lake.clock import SystemClock
from lake.errors import FiblakeError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from batch_layer.local_vendor.faults import FaultKind, How
    from batch_layer.local_vendor.live_market import LiveMarket
    from batch_layer.local_vendor.messages import Reply, Request
    from batch_layer.local_vendor.reference import Reference
    from batch_layer.local_vendor.request_log import Logged
    from batch_layer.local_vendor.restatement import Restatement
    from batch_layer.local_vendor.story import Story
    from lake.clock import Clock
    from lake.store import ObjectStore

_POLL_S: Final = 0.01
_ANY_NUMBER: Final = 1_000_000
_S3_ROOTS: Final = ("", f"/{BUCKET}")


class LocalVendor:
    """A vendor that sells the bronze of a lake, at an address of this machine.

    Args:
        store: The lake.
        host: The address to listen on.
        port: The port; 0: any free one.
        access: Which keys it accepts.
        published: The last session that is published; None: the last one in the lake.
        reference: The securities, or what the bars do not tell of them; None: nothing.
        rate: How many requests a minute the REST answers; None: any number.
        log: A file that gets a line of JSON for each request.
        clock: Tells the instants of the log.
        live: A day that passes, of which REST tells what has happened; None: there is none.

    Raises:
        EmptyLakeError: If the lake holds no bars.
        OSError: If the address or the port cannot be had.

    Example:
        >>> with LocalVendor(Lake("data").store) as vendor:  # doctest: +SKIP
        ...     RESTClient(api_key=vendor.access.key, base=vendor.url)
    """

    def __init__(  # noqa: PLR0913 - each may be left out
        self,
        store: ObjectStore,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        access: Access | None = None,
        published: dt.date | None = None,
        reference: Reference | Story | None = None,
        rate: Rate | None = None,
        log: Path | None = None,
        clock: Clock | None = None,
        live: LiveMarket | None = None,
    ) -> None:
        self.access = access or Access()
        self._catalogue = Catalogue(store, published, reference)
        self._files = FlatFiles(self._catalogue.rows, self._catalogue.edition)
        self._bucket = Bucket(self._files, self._catalogue.sessions, self.access)
        self._rate = rate or Rate(None)
        self._rest = Rest(
            self._catalogue, self.access, self._rate, LiveRest(live) if live else None
        )
        self._numbers = itertools.count(1)
        self._clock = clock or SystemClock()
        self._log = RequestLog(self._clock, log)
        self._faults = Faults()
        self._control = Control(self._log, self._catalogue, self._faults)
        self._server = Server(host, port, self._answer, self._number)
        self.url = self._server.url

    def __enter__(self) -> Self:
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(_POLL_S,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._close()

    def serve(self) -> None:
        """Answer requests in this thread, until Ctrl-C; then close."""
        try:
            with suppress(KeyboardInterrupt):
                self._server.serve_forever()
        finally:
            self._close()

    def _close(self) -> None:
        self._server.server_close()
        self._log.close()

    @property
    def requests(self) -> list[Logged]:
        """The requests so far, in the order of their answers."""
        return self._log.lines()

    @property
    def sessions(self) -> list[dt.date]:
        """The published sessions, in order."""
        return list(self._catalogue.sessions())

    @property
    def published(self) -> dt.date:
        """The last session that is published."""
        return self._catalogue.published

    @published.setter
    def published(self, session: dt.date) -> None:
        self._catalogue.published = session

    @property
    def conditions(self) -> list[dict[str, Any]]:
        """The conditions of trades, as REST tells them."""
        return self._rest.conditions.rows

    @conditions.setter
    def conditions(self, rows: list[dict[str, Any]]) -> None:
        self._rest.conditions.rows = rows

    @property
    def settings(self) -> dict[str, str]:
        """The variables by which fiblake asks this vendor."""
        return {
            "FIBLAKE_MASSIVE_URL": self.url,
            "FIBLAKE_MASSIVE_KEY": self.access.key,
            "FIBLAKE_MASSIVE_CALLS_PER_MINUTE": str(self._rate.most or _ANY_NUMBER),
            "FIBLAKE_FLATFILES_ENDPOINT": self.url,
            "FIBLAKE_FLATFILES_ACCESS_KEY_ID": self.access.access_key_id,
            "FIBLAKE_FLATFILES_SECRET_ACCESS_KEY": self.access.secret_access_key,
        }

    def fail(self, kind: FaultKind, **how: Unpack[How]) -> None:
        """Let the next requests fail, as `Fault` tells.

        Raises:
            ValueError: If there is no such fault.
        """
        self._faults.add(Fault(kind, **how))

    def heal(self) -> None:
        """Let no request fail any more; what was restated stays so."""
        self._faults.clear()

    @property
    def faults_left(self) -> float:
        """Of how many requests faults are still to come."""
        return sum(times for _, times in self._faults.left())

    def restate(self, session: dt.date, restatement: Restatement | None = None) -> None:
        """Publish a session again, with other rows; None: one bar corrected, withdrawn, late each.

        Raises:
            ValueError: If there is nothing of the kind to restate.
        """
        self._catalogue.restate(session, restatement)

    def forget(self) -> None:
        """Begin the list of requests anew; numbers go on."""
        self._log.forget()

    def _number(self, path: str) -> int:
        return 0 if path.startswith(CONTROL) else next(self._numbers)

    def _answer(self, request: Request) -> Reply:
        if request.path.startswith(CONTROL):
            return _spoken(request, self._control.answer, as_json)
        fault = self._faults.take(request)
        if _is_s3(request):
            reply = _spoken(request, partial(self._sold, self._bucket.answer, fault), as_xml)
        else:
            reply = _spoken(request, partial(self._sold, self._rest.answer, fault), as_json)
        if fault:
            reply = spoilt(fault, request, reply)
        self._log.note(request, reply.status, fault.kind if fault else "")
        return reply

    def _sold(
        self, answer: Callable[[Request], Reply], fault: Fault | None, request: Request
    ) -> Reply:
        if fault:
            instead = answered_instead(fault, is_s3=_is_s3(request), now=self._clock.now())
            if instead:
                return instead
        return answer(request)


def _is_s3(request: Request) -> bool:
    return request.path.rstrip("/") in _S3_ROOTS or request.path.startswith(f"/{BUCKET}/")


def _spoken(
    request: Request,
    answer: Callable[[Request], Reply],
    refusal: Callable[[Request, RefusedError], Reply],
) -> Reply:
    """Return an answer, or why there is none, in the same dialect."""
    try:
        return answer(request)
    except RefusedError as refused:
        return refusal(request, refused)
    except FiblakeError as error:
        failed = RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "ERROR", str(error))
        return refusal(request, failed)
