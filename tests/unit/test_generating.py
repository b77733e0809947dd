"""The made-up market: how many bars it has, and that they are such as a market's are."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from batch_layer.generating.bits import Bits, bell, uniform, whole
from batch_layer.generating.listings import draw_listings
from batch_layer.generating.market import MarketYear, generate_years
from lake.session import SessionTable

PUBLISHED_BARS = 22_609_541
PUBLISHED_SYMBOLS = 5_350
PUBLISHED_SESSIONS = 16_047
WORDS = [
    [15825243025739251895, 16847576363718489566],
    [1907892566637678813, 18333939812147880667],
]
DIGEST = "1247e628cd2edfaeb6facb828e565d7f7811ac400467de0d40d45c20678723c7"
FRACTIONS = {(2, 1), (4, 1), (3, 2), (1, 2), (1, 4), (1, 8)}


def bars_drawn(symbols: int, sessions: int, seed: int) -> int:
    listings = draw_listings(symbols, sessions, seed)
    return int((listings.last - listings.first + 1).sum())


def between(sessions: SessionTable, first: dt.date, last: dt.date) -> Sequence[dt.date]:
    return [sessions[ordinal] for ordinal in sessions.ordinals(first, last)]


@pytest.fixture(scope="module")
def market(sessions: SessionTable) -> MarketYear:
    """A hundred symbols through thirty years, as if they were one."""
    days = between(sessions, dt.date(1962, 1, 2), dt.date(1991, 12, 31))
    years = list(generate_years(100, days, seed=3))
    return MarketYear(
        bars=pl.concat(year.bars for year in years).sort("symbol", "session"),
        splits=pl.concat(year.splits for year in years),
        dividends=pl.concat(year.dividends for year in years),
    )


@pytest.mark.parametrize("seed", [7, 0, 1, 12_345, 2**70])
def test_the_published_market_is_met_whatever_the_seed(seed: int) -> None:
    drawn = bars_drawn(PUBLISHED_SYMBOLS, PUBLISHED_SESSIONS, seed)

    # Halts take three in a thousand of these.
    assert abs(drawn * 0.997 / PUBLISHED_BARS - 1) < 0.005


@pytest.mark.parametrize(("symbols", "sessions"), [(60, 3_000), (10_000, 16_047), (500, 252)])
def test_other_markets_have_as_many_bars_for_their_size(symbols: int, sessions: int) -> None:
    assert 0.25 < bars_drawn(symbols, sessions, seed=7) / (symbols * sessions) < 0.28


def test_listings_are_few_in_the_beginning_and_ever_more() -> None:
    listings = draw_listings(PUBLISHED_SYMBOLS, PUBLISHED_SESSIONS, seed=7)
    days = range(0, PUBLISHED_SESSIONS, 2_000)

    alive = [int(((listings.first <= day) & (listings.last >= day)).sum()) for day in days]

    assert 0 < alive[0] < 50
    assert sorted(alive) == alive
    assert 3_000 < alive[-1] < PUBLISHED_SYMBOLS


def test_listings_trade_within_the_market_for_a_session_at_least() -> None:
    listings = draw_listings(1_000, 300, seed=7)

    assert (listings.first >= 0).all()
    assert (listings.first <= listings.last).all()
    assert (listings.last < 300).all()


def test_a_market_of_one_symbol_and_one_session_has_its_bar(sessions: SessionTable) -> None:
    (year,) = generate_years(1, between(sessions, dt.date(2020, 1, 2), dt.date(2020, 1, 2)), 7)

    assert 1 == year.bars.height
    assert year.splits.is_empty()


@pytest.mark.parametrize("symbols", [1, 5_350, 12_001, 100_000])
def test_tickers_are_unique_letters_in_order(symbols: int) -> None:
    tickers = draw_listings(symbols, 100, seed=7).tickers.tolist()

    assert symbols == len(set(tickers))
    assert sorted(tickers) == tickers
    assert all(ticker.isalpha() and ticker.isupper() and len(ticker) <= 4 for ticker in tickers)


def test_random_words_are_those_of_every_machine() -> None:
    words = Bits(7, 2020).words(2, 2)

    assert WORDS == words.tolist()


def test_what_is_cut_from_words_is_as_promised() -> None:
    words = Bits(7, 0).words(100_000)
    drawn, numbers = bell(words), whole(words, 3, 20)

    assert abs(drawn.mean()) < 0.02
    assert abs(drawn.std() - 1) < 0.02
    assert set(range(20)) == set(numbers.tolist())
    assert 0 < uniform(words, 1).min() < uniform(words, 1).max() < 1
    top = np.array([2**64 - 1, 0], np.uint64)
    assert [1 - 2**-17, 2**-17] == uniform(top, 2).tolist()
    assert bell(top)[0] == -bell(top)[1]


def test_a_seed_makes_the_same_market_on_every_machine(sessions: SessionTable) -> None:
    days = between(sessions, dt.date(2019, 11, 1), dt.date(2020, 3, 31))
    digest = hashlib.sha256()
    for year in generate_years(20, days, seed=7):
        digest.update(f"{year.bars.rows()}{year.splits.rows()}{year.dividends.rows()}".encode())

    assert DIGEST == digest.hexdigest()


def test_another_seed_makes_another_market(sessions: SessionTable) -> None:
    days = between(sessions, dt.date(2020, 1, 2), dt.date(2020, 3, 31))

    (one,), (other,) = generate_years(20, days, 1), generate_years(20, days, 2)

    assert not one.bars.equals(other.bars)


def test_every_bar_keeps_the_rules_of_a_bar(market: MarketYear) -> None:
    rules = {
        "low": (pl.col("low") > 0) & (pl.col("low") <= pl.min_horizontal("open", "close")),
        "high": pl.col("high") >= pl.max_horizontal("open", "close"),
        "vwap": pl.col("vwap").is_between("low", "high"),
        "volume": (pl.col("volume") >= 1) & (pl.col("volume") == pl.col("volume").round()),
        "trades": (pl.col("trades") >= 1) & (pl.col("trades") <= pl.col("volume")),
    }
    prices = ("open", "high", "low", "close", "vwap")
    rules |= {name: pl.col(name) == pl.col(name).round(4) for name in prices}

    assert market.bars.height > 150_000
    broken = market.bars.select((~rule).sum().alias(name) for name, rule in rules.items())
    assert dict.fromkeys(rules, 0) == broken.row(0, named=True)


def test_prices_are_paid_in_cents_from_a_dollar_on(market: MarketYear) -> None:
    for name in ("open", "high", "low", "close"):
        price = market.bars[name]
        assert price.filter(price >= 1).equals(price.filter(price >= 1).round(2))
        assert (price < 1).any()


def test_a_bar_is_there_once_and_each_listing_has_one(market: MarketYear) -> None:
    assert market.bars.select("symbol", "session").is_unique().all()
    assert 100 == market.bars["symbol"].n_unique()


def test_a_price_falls_at_a_split_by_its_ratio_and_volume_rises(market: MarketYear) -> None:
    factor = pl.col("split_to") / pl.col("split_from")
    around = (
        market.bars.with_columns(
            before=pl.col("close").shift().over("symbol"),
            volume_before=pl.col("volume").rolling_mean(20).shift().over("symbol"),
            volume_after=pl.col("volume").rolling_mean(20).shift(-19).over("symbol"),
        )
        .join(market.splits, left_on=["symbol", "session"], right_on=["symbol", "effective"])
        .drop_nulls()
    )

    assert around.height > 20
    assert set(market.splits.select("split_to", "split_from").unique().rows()) <= FRACTIONS
    change = around.select(pl.col("open") * factor / pl.col("before"))["open"]
    assert 0.9 < change.min() < change.max() < 1.1  # type: ignore[operator]
    rise = around.select(pl.col("volume_after") / pl.col("volume_before") / factor).to_series()
    assert 0.5 < rise.min() < rise.max() < 2  # type: ignore[operator]


def test_a_listing_is_halted_now_and_then(market: MarketYear, sessions: SessionTable) -> None:
    bars = market.bars.with_columns(
        ordinal=pl.col("session").replace_strict(
            {day: ordinal for ordinal, day in enumerate(sessions.dates)}
        )
    )
    gap = pl.col("ordinal").diff().over("symbol") - 1
    missing = bars.select(gap.alias("gap")).drop_nulls().filter(pl.col("gap") > 0)["gap"]

    assert set(range(1, 6)) == set(missing.to_list())
    assert 0.001 < missing.sum() / bars.height < 0.005


def test_dividends_are_paid_each_quarter_by_some_on_days_they_trade(market: MarketYear) -> None:
    paid = market.dividends.join(
        market.bars, left_on=["symbol", "ex_date"], right_on=["symbol", "session"]
    )

    assert paid.height == market.dividends.height > 500
    assert (paid["amount"] > 0).all()
    share = paid["amount"] / paid["close"]
    assert 0.003 < share.min() < share.max() < 0.008  # type: ignore[operator]
    assert 20 < paid["symbol"].n_unique() < 60
