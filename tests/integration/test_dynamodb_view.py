"""The view in DynamoDB: throttling, lost answers, exact numbers, and what is past its time."""

from __future__ import annotations

import datetime as dt
from functools import partial
from http import HTTPStatus
from typing import cast

import boto3
import pytest
from polars.testing import assert_frame_equal

from lake.clock import SetClock
from lake.errors import ViewRefusedError, ViewUnavailableError
from lake.interval import MINUTE as ONE_MINUTE
from lake.settings import Settings
from speed_layer.views import View
from speed_layer.views.dynamodb import DynamoDBView
from tests.fault_proxy import Cut, Fault, FaultProxy, JsonAnswer, Request
from tests.live import (
    MINUTE,
    NO_BARS,
    NO_PRICES,
    OPEN,
    SESSION,
    OpenView,
    bar,
    bars_of,
    price,
    prices_of,
    vanished,
)

THROTTLED = JsonAnswer.error(HTTPStatus.BAD_REQUEST, "ProvisionedThroughputExceededException")
ASKED_TO_WAIT = JsonAnswer.error(HTTPStatus.BAD_REQUEST, "ThrottlingException")
BROKEN = JsonAnswer.error(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalServerError")
DENIED = JsonAnswer.error(HTTPStatus.BAD_REQUEST, "AccessDeniedException")
DAY = dt.timedelta(days=1)
ROWS = bars_of(*(bar(start=OPEN + n * MINUTE) for n in range(12)))


def puts(request: Request) -> bool:
    return request.operation == "PutItem"


@pytest.fixture
def open_proxied(
    open_dynamodb: OpenView, fault_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> OpenView:
    """Open a view behind `fault_proxy`."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", fault_proxy.url)
    return open_dynamodb


@pytest.fixture
def view(open_proxied: OpenView, clock: SetClock) -> DynamoDBView:
    return cast("DynamoDBView", open_proxied(clock))


@pytest.mark.parametrize(
    "fault", [THROTTLED, ASKED_TO_WAIT, BROKEN, Cut(-1), Cut(1)], ids=lambda each: repr(each)[:40]
)
def test_what_fails_for_a_while_is_put_in_the_end(
    view: DynamoDBView, fault_proxy: FaultProxy, fault: Fault
) -> None:
    fault_proxy.fail(fault, times=5, when=puts)

    view.put(ROWS, prices_of(price()))

    fault_proxy.fail(fault, times=5, when=puts)
    view.put(ROWS, prices_of(price()))

    assert 0 == fault_proxy.pending
    assert_frame_equal(ROWS, view.bars("AAPL", ONE_MINUTE))
    assert_frame_equal(prices_of(price()), view.price())


def test_what_fails_for_ever_is_given_up_on_and_the_rest_is_put(
    open_proxied: OpenView, clock: SetClock, fault_proxy: FaultProxy
) -> None:
    view = open_proxied(clock, dynamodb_attempts=2, dynamodb_workers=1)
    fault_proxy.fail(THROTTLED, times=4, when=puts)

    with pytest.raises(ViewUnavailableError, match=r"2 of 12 writes failed.*at 2 attempts"):
        view.put(ROWS, NO_PRICES)

    assert_frame_equal(ROWS[2:], view.bars("AAPL", ONE_MINUTE))

    view.put(ROWS, NO_PRICES)

    assert_frame_equal(ROWS, view.bars("AAPL", ONE_MINUTE))


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN, Cut(-1), Cut(1)])
def test_reads_are_repeated_too(view: DynamoDBView, fault_proxy: FaultProxy, fault: Fault) -> None:
    view.put(bars_of(bar()), prices_of(price()))
    reads = (partial(view.bars, "AAPL", ONE_MINUTE), view.price, partial(view.price, ["AAPL"]))

    for read in reads:
        fault_proxy.fail(fault, times=2)
        assert 1 == read().height
    assert 0 == fault_proxy.pending


def test_what_is_not_allowed_is_refused_at_once(
    view: DynamoDBView, fault_proxy: FaultProxy
) -> None:
    fault_proxy.fail(DENIED, times=1)
    fault_proxy.forget()

    with pytest.raises(ViewRefusedError, match="AccessDeniedException"):
        view.price()
    assert 1 == len(fault_proxy.seen)


def test_what_a_batch_leaves_is_asked_for_again(
    view: DynamoDBView, fault_proxy: FaultProxy
) -> None:
    symbols = [f"S{n}" for n in range(3)]
    view.put(bars_of(*map(bar, symbols)), prices_of(*map(price, symbols)))
    keys = [{"symbol": {"S": name}, "time": {"S": "latest"}} for name in symbols]
    left = {f"{view.filling}ticks": {"Keys": keys[1:], "ConsistentRead": True}}
    none = JsonAnswer(HTTPStatus.OK, {"Responses": {}, "UnprocessedKeys": left})
    fault_proxy.fail(none, when=lambda request: request.operation == "BatchGetItem")

    assert symbols[1:] == view.price(symbols)["symbol"].to_list()

    requests = [
        {
            "DeleteRequest": {
                "Key": {"series": {"S": f"{name}#1m#regular"}, "start": {"N": str(OPEN)}}
            }
        }
        for name in symbols[1:]
    ]
    some = JsonAnswer(HTTPStatus.OK, {"UnprocessedItems": {f"{view.filling}bars": requests}})
    fault_proxy.fail(some, when=lambda request: request.operation == "BatchWriteItem")
    view.forget(daily=None, minute=SESSION)

    assert [1, 0, 0] == [view.bars(name, ONE_MINUTE).height for name in symbols]


def test_a_batch_that_leaves_all_for_ever_is_given_up_on(
    open_proxied: OpenView, fault_proxy: FaultProxy
) -> None:
    view = open_proxied(dynamodb_attempts=3)
    keys = [{"symbol": {"S": "A"}, "time": {"S": "latest"}}]
    left = {f"{view.filling}ticks": {"Keys": keys}}
    table = f"{view.filling}ticks"
    none = JsonAnswer(HTTPStatus.OK, {"Responses": {table: []}, "UnprocessedKeys": left})
    fault_proxy.fail(none, times=3)

    with pytest.raises(ViewUnavailableError, match="asks to slow down"):
        view.price(["A"])


@pytest.mark.parametrize(
    "number", [1e-9, 0.1 + 0.2, 1 / 3, 5e-130, 1.7976931348623157e125, 123456789.123456789, 0.0]
)
def test_numbers_are_exact(view: DynamoDBView, number: float) -> None:
    row, told = bar(close=number, volume=number, vwap=number), price(price=number)

    view.put(bars_of(row), prices_of(told))

    assert_frame_equal(bars_of(row), view.bars("AAPL", ONE_MINUTE), check_exact=True)
    assert_frame_equal(prices_of(told), view.price(), check_exact=True)


def test_recent_prices_are_kept_for_a_day_and_the_latest_for_longer(
    view: DynamoDBView, clock: SetClock
) -> None:
    told = [price(version=version) for version in (1, 2, 3)]
    view.put(NO_BARS, prices_of(told[2], told[0]))
    clock.instant += dt.timedelta(hours=12)
    view.put(NO_BARS, prices_of(told[1], price("MSFT")))

    assert_frame_equal(prices_of(*told), view.recent("AAPL"))

    clock.instant += dt.timedelta(hours=12)

    assert_frame_equal(prices_of(told[1]), view.recent("AAPL"))
    assert_frame_equal(prices_of(told[2], price("MSFT")), view.price())

    clock.instant += 7 * DAY

    assert_frame_equal(NO_PRICES, view.price())
    assert_frame_equal(NO_PRICES, view.price(["AAPL"]))


def test_what_is_past_its_time_but_not_deleted_yet_can_be_put_again(
    view: DynamoDBView, clock: SetClock
) -> None:
    view.put(bars_of(vanished(version=4)), prices_of(price(version=4)))
    clock.instant += 7 * DAY
    view.put(bars_of(bar(version=2)), prices_of(price(version=2)))

    assert_frame_equal(bars_of(bar(version=2)), view.bars("AAPL", ONE_MINUTE))
    assert_frame_equal(prices_of(price(version=2)), view.price())


def test_answers_of_many_pages_are_read_whole(view: DynamoDBView) -> None:
    long = "x" * 200_000  # a page ends after a megabyte
    told = [price(f"S{n:02}", source=long) for n in range(8)]
    recent = [price("AAPL", version=n, source=long) for n in range(1, 9)]

    view.put(NO_BARS, prices_of(*told))
    view.put(NO_BARS, prices_of(*recent))

    assert_frame_equal(prices_of(recent[-1], *told), view.price())
    assert_frame_equal(prices_of(*recent), view.recent("AAPL"))


@pytest.mark.usefixtures("dynamodb_environment")
def test_without_its_tables_it_is_refused(views: list[View]) -> None:
    view = DynamoDBView(Settings(dynamodb_prefix="nobodys-"))
    views.append(view)

    with pytest.raises(ViewRefusedError, match="ResourceNotFound"):
        view.put(bars_of(bar()), NO_PRICES)
    with pytest.raises(ViewRefusedError, match="FIBLAKE_DYNAMODB_PREFIX"):
        view.bars("AAPL", ONE_MINUTE)


def test_without_a_region_it_is_refused() -> None:
    with pytest.raises(ViewRefusedError, match="region"):
        DynamoDBView(Settings())


def test_bars_are_found_by_interval_and_time(view: DynamoDBView) -> None:
    rows = [bar(name, start=OPEN + n * MINUTE) for n in range(3) for name in ("A", "B")]
    view.put(bars_of(*rows, bar("C", interval="5m")), NO_PRICES)

    client = boto3.Session().client("dynamodb")
    found = client.query(
        TableName=f"{view.filling}bars",
        IndexName="by-interval",
        KeyConditionExpression="#i = :i AND #s >= :s",
        ExpressionAttributeNames={"#i": "interval", "#s": "start"},
        ExpressionAttributeValues={":i": {"S": "1m"}, ":s": {"N": str(OPEN + MINUTE)}},
    )["Items"]
    client.close()

    assert ["A", "A", "B", "B"] == sorted(item["series"]["S"][0] for item in found)
    assert {"series", "start", "interval"} == set(found[0])


def test_nothing_put_asks_nothing(view: DynamoDBView, fault_proxy: FaultProxy) -> None:
    fault_proxy.forget()
    view.put(NO_BARS, NO_PRICES)

    assert [] == fault_proxy.seen
