"""Bars over the stream: when a start is complete, and bars of sessions that batch commits."""

from __future__ import annotations

from typing import Any

from fiblake import Lake
from speed_layer.views import MemoryView
from tests.live import MINUTE, NO_PRICES, OPEN, SESSION, bar, bars_of, price, prices_of
from tests.streaming import MON, TUE, Client, day, streaming


def five(symbol: str, at: int, version: int, state: str = "forming") -> dict[str, Any]:
    start = OPEN + 5 * at * MINUTE
    return bar(symbol, version, interval="5m", start=start, state=state)


def test_a_start_is_complete_after_its_last_bar_is_final(
    held_view: MemoryView, stream_host: str
) -> None:
    # 09:30    A forming ── final
    #          B forming ──────────── final       C late ── final
    held_view.put(bars_of(five("A", 0, 2), five("B", 0, 2)), prices_of(price("A"), price("B")))
    with Client(stream_host) as one, Client(stream_host) as all_of_them:
        one.subscribe("bars:5m:A")
        all_of_them.subscribe("bars:5m:*")
        held_view.put(bars_of(five("A", 0, 3, "final"), five("A", 1, 2)), NO_PRICES)
        one.until_known(lambda it: len(it.items["bars:5m:A"]) == 2)
        held_view.put(bars_of(five("B", 0, 3, "final")), NO_PRICES)
        told = one.until("complete")
        assert {
            "type": "complete",
            "channel": "bars:5m:A",
            "interval": "5m",
            "start": "2026-01-05T14:30:00Z",
            "end": "2026-01-05T14:35:00Z",
            "symbols": 2,
        } == told
        assert "bars:5m:*" == all_of_them.until("complete")["channel"]
        states = {each["state"] for each in all_of_them.items["bars:5m:*"].values()}
        assert {"final", "forming"} == states

        held_view.put(bars_of(five("C", 0, 2)), NO_PRICES)
        held_view.put(bars_of(five("C", 0, 3, "final")), NO_PRICES)
        assert 3 == all_of_them.until("complete")["symbols"]
        assert ("C", "2026-01-05T14:30:00Z") in all_of_them.items["bars:5m:*"]


def test_what_was_complete_before_anybody_asked_is_not_told(
    held_view: MemoryView, stream_client: Client
) -> None:
    held_view.put(bars_of(five("A", 0, 3, "final")), prices_of(price("A")))
    stream_client.subscribe("bars:5m:A", "bars:5m:*")
    held_view.put(bars_of(five("A", 1, 3, "final")), NO_PRICES)

    assert "2026-01-05T14:35:00Z" == stream_client.until("complete")["start"]


def test_a_start_of_the_last_bar_ends_with_its_hours(
    held_view: MemoryView, stream_client: Client
) -> None:
    stream_client.subscribe("bars:4h:A", "bars:1d:*")
    stream_client.until_known(lambda it: "bars:1d:*" in it.items)
    afternoon = OPEN + 240 * MINUTE
    held_view.put(bars_of(bar("A", 3, interval="4h", start=afternoon, state="final")), NO_PRICES)
    assert "2026-01-05T21:00:00Z" == stream_client.until("complete")["end"]

    held_view.put(bars_of({**day("A", SESSION, 5.0, 3), "state": "final"}), NO_PRICES)
    told = stream_client.until("complete", lambda each: each["interval"] == "1d")
    assert ("2026-01-05", "2026-01-06T01:00:00Z") == (told["start"], told["end"])


def bars_through(client: Client, channel: str) -> list[tuple[str, str, float]]:
    held_view = client.items[channel].values()
    return [(each["start"], each["through"], each["close"]) for each in held_view]


def test_bars_of_sessions_move_with_ticks_and_when_batch_commits(
    own_sample_lake: Lake, held_view: MemoryView, csv_file: Any
) -> None:
    # lake     ... |02-19 ...     Fri 03-01|
    # live                                  Mon         13 sessions to 03-07
    with streaming(own_sample_lake, held_view) as host, Client(host) as client:
        client.subscribe("bars:13d:AAPL", "bars:1d:AAPL")
        assert "2013-03-01" == client.frames[-1]["boundary"]
        assert [("2013-01-30", "2013-02-15"), ("2013-02-19", "2013-03-01")] == [
            each[:2] for each in bars_through(client, "bars:13d:AAPL")
        ]
        assert ["2013-02-28", "2013-03-01"] == [
            start for start, *_ in bars_through(client, "bars:1d:AAPL")
        ]

        held_view.put(bars_of(day("AAPL", MON, 500.0, 2)), NO_PRICES)
        moved = ("2013-02-19", "2013-03-04", 500.0)
        client.until_known(lambda it: bars_through(it, "bars:13d:AAPL")[-1] == moved)
        client.until_known(lambda it: len(it.items["bars:1d:AAPL"]) == 3)
        live = client.items["bars:1d:AAPL"]["AAPL", "2013-03-04"]
        assert (500.0, 4, "forming") == (live["close"], live["version"], live["state"])
        assert {"AAPL"} == {symbol for symbol, _ in client.items["bars:13d:AAPL"]}

        rows = [f"{name},2013-03-04,500,501,500,501,100" for name in ("AAPL", "IBM")]
        own_sample_lake.import_files(csv_file("symbol,date,open,high,low,close,volume", *rows))
        own_sample_lake.resample()
        status = client.until("status")
        assert ("merged", "2013-03-04") == (status["live"], status["boundary"])
        committed = ("2013-02-19", "2013-03-04", 501.0)
        client.until_known(lambda it: bars_through(it, "bars:13d:AAPL")[-1] == committed)
        client.until_known(
            lambda it: it.items["bars:1d:AAPL"]["AAPL", "2013-03-04"]["close"] == 501.0
        )
        # What the view still says of that day is batch's business now.
        held_view.put(bars_of(day("AAPL", MON, 777.0, 4), day("AAPL", TUE, 502.0, 2)), NO_PRICES)
        client.until_known(lambda it: ("AAPL", "2013-03-05") in it.items["bars:1d:AAPL"])
        through = ("2013-02-19", "2013-03-05", 502.0)
        client.until_known(lambda it: bars_through(it, "bars:13d:AAPL")[-1] == through)
        assert 501.0 == client.items["bars:1d:AAPL"]["AAPL", "2013-03-04"]["close"]


def test_a_correction_that_batch_commits_is_told(
    own_sample_lake: Lake, held_view: MemoryView, csv_file: Any
) -> None:
    # lake     ... |02-19 ...     Fri 03-01|     with another close, and no session more
    with streaming(own_sample_lake, held_view) as host, Client(host) as client:
        client.subscribe("bars:13d:AAPL", "bars:1d:AAPL")
        rows = [f"{name},2013-03-01,500,601,500,600,100" for name in ("AAPL", "IBM")]
        own_sample_lake.import_files(csv_file("symbol,date,open,high,low,close,volume", *rows))
        own_sample_lake.resample()

        corrected = ("2013-02-19", "2013-03-01", 600.0)
        client.until_known(lambda it: bars_through(it, "bars:13d:AAPL")[-1] == corrected)
        client.until_known(
            lambda it: it.items["bars:1d:AAPL"]["AAPL", "2013-03-01"]["close"] == 600.0
        )
        assert "status" not in {each["type"] for each in client.frames}


def test_a_symbol_that_only_the_view_knows_has_bars_of_sessions(
    sample_lake: Lake, held_view: MemoryView
) -> None:
    with streaming(sample_lake, held_view) as host, Client(host) as client:
        client.subscribe("bars:3d:NEW", "bars:1d:NEW")
        assert {"bars:3d:NEW": {}, "bars:1d:NEW": {}} == client.items
        held_view.put(bars_of(day("NEW", MON, 7.0, 2)), NO_PRICES)
        client.until_known(lambda it: all(map(bool, it.items.values())))

        assert [7.0] == [each["close"] for each in client.items["bars:3d:NEW"].values()]
