"""Webhooks, as Standard Webhooks has them: signed, to addresses that were checked, within bounds.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
The id that is signed has full stops in it; that is safe as long as whoever receives cannot choose
it, and heeds the timestamp, as all libraries do.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import httpx
from standardwebhooks import Webhook

from lake.errors import InvalidDestinationError
from speed_layer.delivery.outcome import DELIVERED, Outcome, one_line

if TYPE_CHECKING:
    import ssl

    from database.outbox import Claimed
    from lake.addresses import Address
    from lake.clock import Clock
    from speed_layer.delivery.guard import Guard

_BODY_BYTES: Final = 2048
_BODY_S: Final = 2.0
_LINE: Final = 200
_CONNECT_SHARE: Final = 1 / 3
"""Of an attempt's time, for one of a host's addresses: another may answer."""
_AGENT: Final = f"fiblake/{version('fiblake')}"


class WebhookSender:
    """Posts envelopes to webhooks, and believes nothing of what they answer but its status.

    No redirect is followed, no proxy is asked, no cookie kept, no connection used twice.

    Args:
        guard: Tells which addresses a host has, and refuses.
        clock: Of the timestamps that are signed.
        timeout_s: For all of an attempt.
        tls: Whom to trust; None: the authorities that httpx does.
    """

    def __init__(
        self, guard: Guard, clock: Clock, timeout_s: float, tls: ssl.SSLContext | None = None
    ) -> None:
        self._guard = guard
        self._clock = clock
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            verify=tls or httpx.create_ssl_context(trust_env=False),
            trust_env=False,
            timeout=httpx.Timeout(None, connect=timeout_s * _CONNECT_SHARE),
            # How many there are is bounded by who sends; one that is kept might be of another host.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def send(self, claimed: Claimed) -> Outcome:
        """Post an envelope once."""
        if claimed.url is None or claimed.secret is None:
            return Outcome(
                f"there is no destination {claimed.destination!r} any more", is_final=True
            )
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(httpx.URL(claimed.url), claimed, claimed.secret)
        except TimeoutError:
            return Outcome(f"no answer within {self._timeout_s:g} s")
        except InvalidDestinationError as error:
            return Outcome(error.fact)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Outcome(f"no answer: {_why(error)}")

    async def close(self) -> None:
        """Close all connections."""
        self._guard.close()
        await self._client.aclose()

    async def _post(self, url: httpx.URL, claimed: Claimed, secret: str) -> Outcome:
        host = url.raw_host.decode("ascii").rstrip(".")
        is_encrypted = url.scheme == "https"
        addresses = await self._guard.addresses(host, claimed.owner, is_encrypted=is_encrypted)
        for address in addresses[:-1]:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await self._post_to(address, url, host, claimed, secret)
        return await self._post_to(addresses[-1], url, host, claimed, secret)

    async def _post_to(
        self, address: Address, url: httpx.URL, host: str, claimed: Claimed, secret: str
    ) -> Outcome:
        """Post to an address that was checked, whose certificate must be the host's."""
        request = self._client.stream(
            "POST",
            url.copy_with(host=str(address)),
            content=claimed.body.encode(),
            headers={**self._signed(claimed, secret), "host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": host},
        )
        async with request as answer:
            return await self._outcome(answer)

    def _signed(self, claimed: Claimed, secret: str) -> dict[str, str]:
        now = self._clock.now().astimezone(dt.UTC)
        return {
            "webhook-id": claimed.notification,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(claimed.notification, now, claimed.body),
            "content-type": "application/json",
            "user-agent": _AGENT,
            "accept": "*/*",
            "accept-encoding": "identity",
            "connection": "close",
        }

    async def _outcome(self, answer: httpx.Response) -> Outcome:
        if answer.is_success:
            return DELIVERED
        said = await _first_line(answer)
        told = f"{answer.status_code} {_phrase(answer.status_code)}".strip()
        if answer.is_redirect:
            said = "redirects are not followed"
        return Outcome(
            f"{told}: {said}" if said else told,
            is_final=answer.status_code == HTTPStatus.GONE,
            retry_after_s=self._retry_after(answer.headers.get("retry-after", "")),
        )

    def _retry_after(self, told: str) -> float | None:
        """Return the seconds that a header names, as such or as a date; None: it names none."""
        if told.strip().isdecimal():
            return float(told)
        try:
            at = parsedate_to_datetime(told)
        except (TypeError, ValueError, OverflowError):
            return None
        at = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
        return (at - self._clock.now()).total_seconds()


async def _first_line(answer: httpx.Response) -> str:
    """Return the first line of an answer, as far as it came soon."""
    read = b""
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(_BODY_S):
            async for part in answer.aiter_raw():
                read += part
                if len(read) >= _BODY_BYTES or b"\n" in read.lstrip():
                    break
    lines = read[:_BODY_BYTES].decode("utf-8", "replace").strip().splitlines()
    return one_line(lines[0], _LINE) if lines else ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _why(error: Exception) -> str:
    return one_line(str(error), _LINE) or type(error).__name__
