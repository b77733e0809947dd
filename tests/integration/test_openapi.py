"""What OpenAPI tells holds: every operation of the app, by itself, is asked what nobody would.

Each is asked what the lake has, what its schema allows, and what it forbids. No answer may be a
defect, of a status or a form that is not told, or against its schema.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, strategies
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

from fiblake import Lake
from lake.clock import SetClock
from lake.live import LiveBars
from lake.settings import Settings
from serving_layer.app import create_app
from speed_layer.views import open_view
from tests.access import Guarded, MakeGuarded, serving
from tests.alerts import Owner, fire
from tests.live import bar, bars_of, price, prices_of

EXAMPLES = 6
"""Of each operation and kind."""
SUCCESSES = {200, 201, 202, 204}
KINDS = ("known", "allowed", "forbidden")
KNOWN: dict[str, list[Any]] = {
    "symbol": ["AAPL", "IBM", "aapl"],
    "symbols": ["AAPL", "AAPL,MSFT"],
    "ticker": ["AAPL"],
    "universe": [["AAPL"], ["IBM", "MSFT"], {"listed_on": "2013-01-02"}],
    "interval": ["1d", "13d"],
    "intervals": [["13d"], ["1d", "34d"]],
    "columns": [["close"]],
    "indicators": [["sma_20"], []],
    "start": ["2012-12-03"],
    "end": ["2013-02-28"],
    "as_of": ["2013-03-28"],
    "known_at": ["2026-01-05T12:00:00Z"],
    "when": [{"kind": "price", "relation": "above", "level": 180}],
    "active": [None, {"days": ["mon"], "start": "09:30:00"}],
    "expires": [None, "2027-01-01T00:00:00Z"],
    "until": [None, "2027-01-01T00:00:00Z"],
    "deliver": [["log"]],
    "destination": ["pager", "other"],
    "url": ["https://example.com/alerts"],
    "secret": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
}
"""What parameters take that are named so, of the lake that is asked: it is not come upon."""
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@dataclass
class Asker:
    """Asks a server, as who may do all.

    Attributes:
        url: Of the server.
        key: Which may do all.
        known: Values by the names of parameters; of one method alone by `DELETE alert`.
        statuses: Of the answers, by operation.
    """

    url: str
    key: str
    known: dict[str, list[Any]]
    statuses: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        self._session = requests.Session()
        self._session.headers["X-API-Key"] = self.key

    def wrong(self, operation: Any, kind: str) -> str:
        """Return what is wrong with an operation; empty: nothing."""
        mode = GenerationMode.NEGATIVE if kind == "forbidden" else GenerationMode.POSITIVE

        @hypothesis.settings(
            max_examples=EXAMPLES,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[hypothesis.Phase.generate],
        )
        @hypothesis.given(strategies.data())
        def ask(data: strategies.DataObject) -> None:
            case = data.draw(operation.as_strategy(mode))
            if kind == "known":
                self._make_known(data, case)
            answer = case.call_and_validate(session=self._session, checks=CHECKS)
            self.statuses[operation.label].add(answer.status_code)

        try:
            ask()
        except Unsatisfiable:
            assert kind == "forbidden"  # it may forbid nothing
        except FailureGroup as failed:
            return "\n".join(map(str, failed.exceptions))
        return ""

    def close(self) -> None:
        self._session.close()

    def _make_known(self, data: strategies.DataObject, case: Case[Any]) -> None:
        """Let a case ask for what there is, and not for what goes with nothing else."""
        for name in [name for name in case.query if name not in self.known]:
            del case.query[name]
        parts: list[Any] = [case.path_parameters, case.query, case.body]
        for values in [each for each in parts if isinstance(each, dict)]:
            for name in [name for name in self.known if name in values]:
                known = self.known.get(f"{case.method} {name}", self.known[name])
                values[name] = data.draw(strategies.sampled_from(known))


@pytest.fixture
def live(clock: SetClock) -> Iterator[LiveBars]:
    """A realtime view with a symbol of the lake, and one of its own."""
    view = open_view(Settings(view="memory"), clock)
    names = ("AAPL", "NEW")
    view.put(
        bars_of(*(bar(name, interval=each) for name in names for each in ("1m", "1d"))),
        prices_of(*map(price, names)),
    )
    yield view
    view.close()


@pytest.fixture
def asker(make_guarded: MakeGuarded, sample_lake: Lake, live: LiveBars) -> Iterator[Asker]:
    guarded = make_guarded(rate_key_burst=10**6, rate_address_burst=10**6)
    key, other = guarded.key(), guarded.key("read")
    app = create_app(sample_lake.reader, live, access=guarded.access)
    with serving(app) as host:
        url = f"http://{host}"
        asked = {"universe": ["AAPL"], "intervals": ["13d"], "start": "2013-01-02"}
        headers = {"X-API-Key": key.secret}
        told = requests.post(f"{url}/v1/backtest/bars", json=asked, headers=headers, timeout=60)
        known = {
            "key": [other.key.key],
            "dataset": [told.json()["dataset"]],
            **alerts_of(guarded),
            **KNOWN,
        }
        asker = Asker(url, key.secret, known)
        yield asker
        asker.close()


def alerts_of(guarded: Guarded) -> dict[str, list[Any]]:
    """Return the ids of an alert of the key's owner, of those to be deleted, and of a firing."""
    owner = Owner(guarded, "test")
    alert = owner.created()["alert"]
    return {
        "alert": [alert],
        "DELETE alert": [owner.created()["alert"] for _ in range(EXAMPLES)],
        "firing": [fire(guarded.database, "test", alert, deliver=("pager", "other"))],
    }


def faults(asker: Asker) -> dict[tuple[str, str], str]:
    """Return what is wrong, by operation and kind of request."""
    schema = schemathesis.openapi.from_url(f"{asker.url}/openapi.json")
    schema.config.generation.update(with_security_parameters=False)
    operations: list[Any] = [each.ok() for each in schema.get_all_operations()]  # type: ignore[union-attr]
    return {
        (each.label, kind): said
        for each in operations
        for kind in KINDS
        if (said := asker.wrong(each, kind))
    }


def test_every_operation_answers_as_openapi_tells(asker: Asker) -> None:
    found = faults(asker)

    assert [] == list(found), "\n\n".join(found.values())
    ours = {name: seen for name, seen in asker.statuses.items() if " /v1/" in name}
    assert len(ours) >= 20
    assert {} == {name: seen for name, seen in ours.items() if not seen & SUCCESSES}


def test_an_operation_that_answers_otherwise_is_seen() -> None:
    app = FastAPI()

    @app.get("/another-status")
    def another_status() -> Response:
        return Response(status_code=418)

    @app.get("/another-form")
    def another_form() -> Response:
        return Response("text", media_type="text/plain")

    @app.get("/another-schema", responses={200: {"model": int}})
    def another_schema() -> JSONResponse:
        return JSONResponse("one")

    @app.get("/a-defect", responses={"5XX": {}})
    def a_defect() -> JSONResponse:
        return JSONResponse({}, 500)

    with serving(app) as host:
        asker = Asker(f"http://{host}", "", {})
        found = faults(asker)
        asker.close()

    assert {f"GET {route.path}" for route in app.routes if isinstance(route, APIRoute)} == {
        label for label, _ in found
    }
