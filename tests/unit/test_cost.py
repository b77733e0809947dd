"""The bill: prices, what is free, and a case reckoned by hand."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from fiblake.cli import app
from infra.capacity import CAPACITIES
from infra.charges import Charge, System, charges
from infra.cost import SEED, SEED_USERS, bill, priced
from infra.prices import Price, Prices, read_prices
from infra.size import SIZES
from infra.usage import USAGES, assumed, many
from lake.errors import MisuseError
from tests.cost_page import PAGE, renewed

NOTHING = replace(
    USAGES["dev"], **dict.fromkeys(["symbols", "trades", "subscribers", "requests"], 0.0)
)


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["infra", "cost", *words])

    assert 0 == result.exit_code, result.output
    return result.stdout


def test_a_line_is_quantity_times_price_less_what_is_free() -> None:
    prices = Prices("us-east-1", "2025-06", {"x": Price(2.0, "piece", "https://a", free=10)})
    found = [*priced([Charge("a", "b", "x", 8), Charge("a", "c", "x", 5)], prices)]

    assert [(8, 0.0), (2, 6.0)] == [(line.free, line.usd) for line in found]


def test_a_thing_without_a_price_is_refused() -> None:
    with pytest.raises(MisuseError, match="none of 'gold'"):
        list(priced([Charge("a", "b", "gold", 1)], read_prices()))


def test_what_dev_costs_as_reckoned_by_hand() -> None:
    groups = bill("dev", NOTHING).groups

    # One task of a core and 4 GB; an instance of 11.68 and 20 GB; a balancer; two addresses of the
    # balancer and one of the task; a firewall with four rules; three keys and three secrets.
    assert 730 * (0.04048 + 4 * 0.004445) == pytest.approx(groups["services"])
    assert 730 * 0.016 + 20 * 0.115 == pytest.approx(groups["PostgreSQL"])
    assert 730 * 0.0225 == pytest.approx(groups["load balancer"])
    assert 730 * 3 * 0.005 == pytest.approx(groups["network"])
    assert 5 + 4 * 1.00 == pytest.approx(groups["firewall"])
    assert 3 * 1.00 + 3 * 0.40 + 28 * 0.03 == pytest.approx(groups["secrets and keys"])


def test_what_prod_s_engine_and_redis_cost_as_reckoned_by_hand() -> None:
    groups = bill("prod").groups

    assert 5 * 730 * 0.11 + 4 * 50 * 0.10 == pytest.approx(groups["stream engine"])
    assert 2 * 730 * 0.052 == pytest.approx(groups["Redis"])


def test_the_small_size_costs_less_than_the_published_estimate() -> None:
    assert 305 == sum(SEED.values()) == SEED_USERS["1x"]
    assert bill("dev").usd < 305


def test_more_users_cost_more_and_the_market_the_same() -> None:
    usage = USAGES["prod"]
    few, more = bill("prod", usage), bill("prod", many(usage, "10x"))

    assert few.usd < more.usd < 10 * few.usd
    assert few.groups["streams"] == more.groups["streams"]
    assert few.groups["CDN"] < more.groups["CDN"]


def test_what_a_size_cannot_take_is_told() -> None:
    usage = replace(USAGES["prod"], trades=1e9, subscribers=1e6)

    assert ["events", "bars", "streams"] == [
        re.findall("events|bars|streams", fact)[-1] for fact in bill("prod", usage).tight
    ]


@pytest.mark.parametrize("size", sorted(SIZES))
def test_each_charge_has_a_price_and_each_price_a_source(size: str) -> None:
    prices = read_prices()
    for charge in charges(System(SIZES[size], CAPACITIES[size], USAGES[size])):
        price = prices.price(charge.price)
        assert price.source.startswith("https://aws.amazon.com/")
        assert charge.quantity >= 0
        assert price.usd > 0


@pytest.mark.parametrize(
    ("said", "fact"),
    [
        (["gold=1"], "'gold=1' assumes nothing. Allowed: symbols="),
        (["trades"], "'trades': '' is not so much. Allowed: a number from 0"),
        (["trades=-1"], "'trades=-1': '-1' is not so much"),
        (["trades=nan"], "'nan' is not so much"),
    ],
)
def test_an_assumption_that_cannot_be_is_refused(said: list[str], fact: str) -> None:
    with pytest.raises(MisuseError, match=re.escape(fact)):
        assumed(USAGES["dev"], said)


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (["--size", "huge"], "'huge' is not a size. Allowed: dev, prod."),
        (["--users", "3x"], "'3x' is no number of users. Allowed: 1x, 10x, 100x."),
    ],
)
def test_the_command_refuses_what_cannot_be(words: list[str], fact: str) -> None:
    result = CliRunner().invoke(app, ["infra", "cost", *words])

    assert fact in str(result.exception)


def test_the_command_tells_json_of_all_lines() -> None:
    told = json.loads(run("--size", "dev", "--assume", "trades=0", "--json"))

    assert 0 == told["usage"]["trades"]
    assert told["usd"] == pytest.approx(sum(line["usd"] for line in told["lines"]))
    assert told["usd"] < json.loads(run("--size", "dev", "--json"))["usd"]


def test_the_page_shows_what_the_commands_print() -> None:
    page = PAGE.read_text("utf-8")

    assert 3 == page.count("$ fiblake infra cost")
    assert renewed(page) == page, "python -m tests.cost_page writes it anew"
