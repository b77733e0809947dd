"""Massive's dialect of refusals, of keys and of schemas."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from polygon.exceptions import BadResponse
from pydantic import TypeAdapter

from fiblake import Lake
from serving_layer.dialects.massive_reference import DividendsAnswer, SplitsAnswer, TickersAnswer
from serving_layer.dialects.massive_rest import Aggregates
from tests.access import FOREIGN, Guarded
from tests.dialects import Doors, doors, doors_of
from tests.massive_doors import ALL, aggregates, client, refusal

OFFERED = "Allowed: minute 1, 5, 15; hour 1, 2, 4; day 1, 3, 5, 8, 13, 21, 34."
RANGE = "/v2/aggs/ticker/AAPL/range"
TIME = "is no time. Allowed: YYYY-MM-DD, or milliseconds since 1970."


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{RANGE}/2/day/2005-01-01/2005-12-31", f"2 day is not offered. {OFFERED}"),
        (f"{RANGE}/1/week/2005-01-01/2005-12-31", f"1 week is not offered. {OFFERED}"),
        (f"{RANGE}/99999999999999999999/day/2005-01-01/2005-12-31", OFFERED),
        (f"{RANGE}/1/day/2005-02-30/2005-12-31", f"'2005-02-30' {TIME}"),
        (f"{RANGE}/1/day/2005-01-01/9999-12-31", f"'9999-12-31' {TIME}"),
        (f"{RANGE}/1/day/99999999999999999999/2005-12-31", TIME),
        (f"{RANGE}/1/day/%00/2005-12-31", TIME),
        (f"{RANGE}/1/day/2005-12-31/2005-01-01", "2005-12-31 is after 2005-01-01."),
        (f"{RANGE}/1/day/2005-01-01/2005-12-31?limit=50001", "less than or equal to 50000"),
        (f"{RANGE}/1/day/2005-01-01/2005-12-31?sort=up", "sort='up': Input should be 'asc'"),
        (f"{RANGE}/1/day/2005-01-01/2005-12-31?adjust=1", "'adjust' is not offered. Allowed: adj"),
        (f"{RANGE}/1/day/2005-01-01/2005-12-31?cursor=zz", "'zz' is not a cursor. Allowed: that"),
        (f"{RANGE}/1/day/2005-01-01/2005-12-31?cursor=bGltaXQ9MA==", "is not a cursor"),
        ("/v2/aggs/ticker/A%00/prev", "'A\\x00' is no symbol. Hint: write it as AAPL."),
        ("/v2/aggs/grouped/locale/us/market/stocks/2005-02-30", "'2005-02-30' is not a date."),
        ("/v3/reference/dividends?frequency=4", "'frequency' is not offered. Allowed: ticker,"),
        ("/v3/reference/splits?limit=1001", "less than or equal to 1000"),
        ("/v3/reference/tickers?date=soon", "a date is written YYYY-MM-DD"),
    ],
)
def test_what_cannot_be_is_one_clear_error(sample_doors: Doors, path: str, text: str) -> None:
    status, word, told = refusal(sample_doors, path)

    assert (400, "ERROR") == (status, word)
    assert text in told


def test_what_is_not_there_is_not_found(sample_doors: Doors, lake: Lake) -> None:
    with doors_of(lake) as empty:
        of_none = refusal(empty, f"{RANGE}/1/day/2005-01-01/2005-12-31")

    assert (404, "NOT_FOUND", "Not Found. Hint: see /docs.") == refusal(
        sample_doors, "/v2/aggs/nothing"
    )
    assert (404, "NOT_FOUND") == of_none[:2]
    assert "is empty. Hint: fiblake import" in of_none[2]
    assert [] == aggregates(sample_doors, "NOPE", "13d")
    assert (414, "ERROR") == refusal(sample_doors, f"/v2/aggs/ticker/{'A' * 20_000}/prev")[:2]


def test_answers_are_as_the_schema_tells(sample_doors: Doors) -> None:
    models: dict[str, Any] = {
        f"{RANGE}/13/day/2012-01-01/2013-12-31": Aggregates,
        "/v2/aggs/ticker/AAPL/prev": Aggregates,
        "/v2/aggs/grouped/locale/us/market/stocks/2005-02-25": Aggregates,
        "/v3/reference/tickers": TickersAnswer,
        "/v3/reference/splits": SplitsAnswer,
        "/v3/reference/dividends": DividendsAnswer,
    }
    for path, model in models.items():
        answer = sample_doors.get(path)
        told: Any = TypeAdapter(model).validate_json(answer.content)
        assert set(json.loads(answer.content)) <= {each.name for each in fields(model)}
        assert "OK" == told.status


def test_a_key_is_shown_as_their_clients_show_it(guarded: Guarded) -> None:
    read, alerts = guarded.key("read").secret, guarded.key("alerts").secret
    path = f"{RANGE}/13/day/2005-01-01/2005-12-31"
    with doors(guarded.app) as opened:
        found = list(client(opened, read).list_aggs("AAPL", 34, "day", **ALL, limit=1700))
        in_query = opened.get(path, params={"apiKey": read, "limit": 13})
        with pytest.raises(BadResponse, match="The key is not one of this server's"):
            list(client(opened, FOREIGN).list_aggs("AAPL", 13, "day", **ALL))
        none = refusal(opened, path)
        lacking = [
            refusal(opened, each, headers={"Authorization": f"Bearer {key}"})
            for each, key in ((path, alerts), ("/v2/last/trade/AAPL", read))
        ]

    assert 97 == len(found)
    assert 200 == in_query.status_code
    assert read not in in_query.text
    assert (401, "ERROR") == none[:2]
    assert none[2].startswith("No key was shown.")
    assert [(403, "NOT_AUTHORIZED")] * 2 == [each[:2] for each in lacking]
