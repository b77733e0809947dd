"""Live bars that batch has covered are kept in the lake before the view forgets them."""

from __future__ import annotations

import datetime as dt
from typing import Final

import polars as pl
from polars.testing import assert_frame_equal

from lake import keys
from lake.boundary import move_boundary, read_boundary
from lake.interval import DAILY, MINUTE
from lake.parquet import read_frame
from lake.schemas import LIVE_BARS
from lake.store import LocalStore
from speed_layer.covering import Covering, all_bars
from speed_layer.views.memory import MemoryView
from tests.live import NO_PRICES, SESSION, bar, bars_of, price, prices_of, vanished

NEXT: Final = dt.date(2026, 1, 6)
DAY: Final = bar(interval="1d", version=9)
LATER: Final = bar(session=NEXT, start=bar()["start"] + 86_400_000_000)
PRICES: Final = prices_of(price())


def kept(store: LocalStore, session: dt.date = SESSION) -> pl.DataFrame:
    return read_frame(store, keys.live_bars(session), LIVE_BARS)[0]


def test_what_batch_covered_is_kept_and_then_forgotten(store: LocalStore) -> None:
    view = MemoryView()
    view.put(bars_of(bar(), DAY, LATER), PRICES)
    covering = Covering(view, store)
    move_boundary(store, read_boundary(store), minute=SESSION)
    covering.forget()

    assert_frame_equal(bars_of(DAY, bar()).sort("interval"), kept(store).sort("interval"))
    assert_frame_equal(bars_of(LATER), view.bars("AAPL", MINUTE))
    assert_frame_equal(bars_of(DAY), view.bars("AAPL", DAILY))


def test_what_was_kept_stays_until_a_higher_version_is_known(store: LocalStore) -> None:
    first, second = MemoryView(), MemoryView()
    first.put(bars_of(bar(version=4), bar("MSFT", version=4)), prices_of(price(), price("MSFT")))
    Covering(first, store).keep()
    second.put(bars_of(bar(version=2), bar("MSFT", version=6)), prices_of(price(), price("MSFT")))
    Covering(second, store).keep()

    assert [4, 6] == kept(store)["version"].to_list()


def test_what_vanished_since_it_was_kept_is_kept_no_more(store: LocalStore) -> None:
    view = MemoryView()
    view.put(bars_of(bar(), bar("MSFT")), prices_of(price(), price("MSFT")))
    Covering(view, store).keep()
    view.put(bars_of(vanished(version=8)), prices_of(price(version=8, price=None)))
    Covering(view, store).keep()

    assert ["MSFT"] == kept(store)["symbol"].to_list()


def test_a_view_that_was_filled_anew_may_lack_what_is_final_but_not_what_was_forming(
    store: LocalStore,
) -> None:
    """Killed amid the day, and started with nothing but what was recorded.

    kept      AAPL final   AAPL forming   MSFT forming
    cancelled              x
    known                                 MSFT final
    """
    later = bar()["start"] + 60_000_000
    first, second = MemoryView(), MemoryView()
    over, forming = bar(version=5, state="final"), bar(start=later, version=4)
    first.put(bars_of(over, forming, bar("MSFT", 4)), prices_of(price(), price("MSFT")))
    Covering(first, store).keep()
    ended = bar("MSFT", 5, state="final")
    second.put(bars_of(ended), prices_of(price("MSFT")))
    Covering(second, store).keep()

    assert_frame_equal(bars_of(over, ended), kept(store))


def test_keeping_the_same_again_writes_nothing(store: LocalStore) -> None:
    view = MemoryView()
    view.put(bars_of(bar()), PRICES)
    Covering(view, store).keep()
    before = store.fingerprints(keys.LIVE_BARS)
    Covering(view, store).keep()

    assert before == store.fingerprints(keys.LIVE_BARS)


def test_a_boundary_that_did_not_move_lets_the_view_be(store: LocalStore) -> None:
    view = MemoryView()
    covering = Covering(view, store)
    covering.forget()
    view.put(bars_of(bar()), PRICES)
    covering.forget()

    assert {} == store.fingerprints(keys.LIVE_BARS)


def test_an_empty_view_has_no_bars() -> None:
    view = MemoryView()
    view.put(bars_of(), NO_PRICES)

    assert_frame_equal(bars_of(), all_bars(view))
