"""The API, asked as users ask it: bars, and a stream that tells a price."""

from __future__ import annotations

import datetime as dt
import threading
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from fiblake.doctor.finding import Check, Finding, fail, ok, runbook, warn
from lake.boundary import read_boundary
from lake.errors import AccessError, FiblakeError, NoFeedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from fiblake.client import Price
    from fiblake.client.watch import Watch
    from fiblake.doctor.patient import Patient

_SKEW_S: Final = 5.0
_WRONG_S: Final = 60.0
_REFUSED: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_KEY_HINT: Final = "set FIBLAKE_KEY: fiblake keys create NAME --scope read --scope live."
_FRESH: Final = dt.timedelta(minutes=2)
_REST_S: Final = 0.5


def checks(patient: Patient) -> Iterator[Check]:
    """Yield what to look at of the API."""
    yield Check("api.there", lambda: api(patient))
    yield Check("api.stream", lambda: stream(patient))


def api(patient: Patient) -> Iterator[Finding]:
    """Yield whether a server answers, is ready, agrees with the lake, and has the time."""
    import httpx  # noqa: PLC0415 - needs an extra

    with httpx.Client(
        base_url=patient.url, timeout=patient.answer_s, headers=_shown(patient)
    ) as client:
        try:
            live = client.get("/health/live")
        except httpx.TransportError:
            yield _nobody(patient)
            return
        if live.status_code != HTTPStatus.OK or '"live"' not in live.text:
            fact = f"What answers at {patient.url} is no server of fiblake: {live.status_code}."
            yield fail("api.there", fact, "check the URL.")
            return
        yield ok("api.there", f"A server answers at {patient.url}.")
        yield from _of_clock(live)
        yield _of_version(client)
        yield from _of_bars(patient, client, live.json().get("told_again"))


def stream(patient: Patient) -> Iterator[Finding]:
    """Yield whether a stream of the API tells a price; nothing where nobody answers."""
    from fiblake.client import Client  # noqa: PLC0415 - needs an extra

    if not _is_there(patient):
        return
    key = patient.settings.key
    shown = key.get_secret_value() if key else None
    try:
        with Client(patient.url, shown, attempts=1, timeout_s=patient.answer_s) as client:
            last = _last_price(client.watch("price:*", reconnect_s=0), patient.answer_s)
    except NoFeedError:
        fact = "Nothing feeds live bars there: it serves what batch has made."
        yield warn("api.stream", fact, "fiblake up --feed massive, or FIBLAKE_VIEW=redis.")
        return
    except AccessError as error:
        yield warn("api.stream", str(error).partition(" Hint: ")[0], _KEY_HINT)
        return
    yield _of_price(patient, last)


def _nobody(patient: Patient) -> Finding:
    fact = f"No server answers at {patient.url}."
    if patient.is_asked:
        hint = "see whether fiblake up runs there, and whether it can be reached."
        return fail("api.there", fact, hint, runbook("api-away"))
    return warn("api.there", fact, "fiblake up starts one; fiblake doctor URL looks at another.")


def _of_clock(answer: httpx.Response) -> Iterator[Finding]:
    try:
        there = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return
    # The machine's own clock: whatever tells the time of a market, answers are stamped by that.
    apart_s = abs(time.time() - there)
    fact = f"Its clock and this machine's are {apart_s:,.0f} s apart."
    hint = "let both machines take the time from the network (chrony, systemd-timesyncd)."
    if apart_s > _WRONG_S:
        yield fail("api.clock", fact, hint)
    elif apart_s > _SKEW_S:
        yield warn("api.clock", fact, hint)
    else:
        yield ok("api.clock", fact)


def _of_version(client: httpx.Client) -> Finding:
    check, mine = "api.version", version("fiblake")
    try:
        there = client.get("/openapi.json").json()["info"]["version"]
    except (ValueError, KeyError, TypeError):
        return warn(check, "The server does not tell its version.", "look at it by hand.")
    if there == mine:
        return ok(check, f"It is fiblake {there}, as this is.")
    fact = f"It is fiblake {there}, and this is {mine}."
    return warn(check, fact, "let all parts be of one version.")


def _of_bars(patient: Patient, client: httpx.Client, again: str | None) -> Iterator[Finding]:
    ready = client.get("/health/ready")
    if ready.status_code != HTTPStatus.OK:
        hint = "it goes on by itself once it has what it lacks."
        yield fail("api.ready", f"It is not ready: {_said(ready)}", hint, runbook("api-away"))
        return
    yield ok("api.ready", "It is ready.")
    symbols = client.get("/v1/symbols", params={"limit": 1})
    if symbols.status_code in _REFUSED:
        yield warn("api.bars", f"It asks for a key: {_said(symbols)}", _KEY_HINT)
        return
    listed = symbols.json().get("symbols") if symbols.is_success else None
    if not listed:
        yield fail("api.bars", f"It tells of no symbol: {_said(symbols)}", "fiblake status.")
        return
    name = listed[0]["symbol"]
    answer = client.get(f"/v1/bars/{name}", params={"interval": "1d", "limit": 1})
    if not answer.is_success:
        fact = f"Bars of {name} are not answered: {_said(answer)}"
        yield fail("api.bars", fact, "see what the server says.", runbook("api-errors"))
        return
    yield ok("api.bars", f"It answers bars of {name}.")
    yield from _of_answer(patient, answer.json(), again)


def _of_answer(patient: Patient, told: dict[str, Any], again: str | None) -> Iterator[Finding]:
    if told.get("live") == "away":
        fact = "It answers without live bars: its view does not answer."
        yield fail("api.live", fact, "mend the view: see view.", runbook("view-away"))
    boundary = read_boundary(patient.store).daily
    mine, there = str(boundary) if boundary else None, told.get("boundary")
    if again is not None:
        fact = f"It tells {again} again, and takes the lake as it was before, up to {there}."
        yield ok("api.boundary", fact)
    elif there == mine:
        yield ok("api.boundary", f"It serves what batch has committed, up to {there}.")
    else:
        fact = f"It serves up to {there}, and the lake here is committed up to {mine}."
        hint = f"does it serve {patient.settings.lake}? A new boundary takes it a few seconds."
        yield fail("api.boundary", fact, hint)


def _of_price(patient: Patient, last: Price | None) -> Finding:
    check = "api.stream"
    if last is None or last.received is None:
        if patient.is_open():
            fact, hint = "The market is open, and the stream tells no price.", "see the feed."
            return fail(check, fact, hint, runbook("feed-silent"))
        return ok(check, "The stream answers; there is no price yet.")
    fact = f"The stream tells prices: {last.symbol} at {last.price}, of {last.time}."
    if patient.is_open() and patient.now - last.received > _FRESH:
        fact = f"The market is open, and the latest price that is told is of {last.time}."
        return warn(check, fact, "see service.feed, and stream.published.", runbook("feed-silent"))
    return ok(check, fact)


def _last_price(watch: Watch, answer_s: float) -> Price | None:
    """Return the latest of the prices that are told at first; None: none is told in time."""
    from fiblake.client import Price  # noqa: PLC0415 - needs an extra

    found: list[Price] = []
    errors: list[FiblakeError] = []
    heard = threading.Event()

    def listen() -> None:
        try:
            for event in watch:
                if isinstance(event, Price):
                    found.append(event)
                    heard.set()
        except FiblakeError as error:
            errors.append(error)
            heard.set()

    threading.Thread(target=listen, daemon=True).start()
    if heard.wait(answer_s) and not errors:
        # All that there are follow the first at once.
        time.sleep(_REST_S)
    watch.close()
    if errors and not found:
        raise errors[0]
    received = [each for each in found if each.received is not None]
    return max(received, key=lambda each: str(each.received), default=None)


def _is_there(patient: Patient) -> bool:
    import httpx  # noqa: PLC0415 - needs an extra

    try:
        return httpx.get(f"{patient.url}/health/live", timeout=patient.answer_s).is_success
    except httpx.TransportError:
        return False


def _shown(patient: Patient) -> dict[str, str]:
    key = patient.settings.key
    return {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}


def _said(answer: httpx.Response) -> str:
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code}."
    return f"{answer.status_code}, {detail}"
