"""What waits for a socket of a dialect, and what is relayed to it: bounded, in order."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

from serving_layer.dialects.audience import Audience
from serving_layer.dialects.dialect import Said, Topic
from serving_layer.dialects.massive_messages import Massive
from serving_layer.dialects.outbox import Item, Outbox
from serving_layer.dialects.relay import Relay
from tests.events import heartbeat, trades

MASSIVE = Massive()


def outbox(**most: int) -> Outbox:
    return Outbox(b",".join, **most)


def frames(box: Outbox) -> list[bytes]:
    found = []
    while (frame := box.take()) is not None:
        found.append(frame)
    return found


def a_bar(name: str, message: bytes) -> Item:
    return Item(name, name, message)


def a_trade(name: str, message: bytes) -> Item:
    return Item(name, None, message)


def test_answers_come_first_and_of_bars_the_latest_alone() -> None:
    box = outbox()
    box.put_all([a_trade("A", b"t1"), a_trade("A", b"t2")])
    box.put_all([a_bar("A", b"a1"), a_bar("B", b"b1")])
    box.put(a_bar("A", b"a2"))
    box.answer([b"x", b"y"])

    assert [b"x", b"y", b"a2,b1,t1,t2"] == frames(box)
    assert [] == frames(box)


def test_frames_have_some_64_kib() -> None:
    box = outbox()
    box.put_all([a_trade("A", b"x" * 1024)] * 150)

    assert [64, 64, 22] == [frame.count(b",") + 1 for frame in frames(box)]


def test_too_many_trades_are_the_end_and_not_left_out() -> None:
    box = outbox(most_trades=2)
    box.put_all([a_trade("A", b"1"), a_trade("A", b"2")])
    assert box.ended is None

    box.put(a_trade("A", b"3"))
    assert Said.SLOW is box.ended
    box.put_all([a_bar("A", b"a")])
    assert [] == frames(box)


def test_too_many_answers_are_the_end_too() -> None:
    box = outbox()
    box.answer([b"x"] * 5_000)
    assert box.ended is None

    box.answer([b"x"] * 15_001)
    assert Said.SLOW is box.ended


def test_who_waits_is_woken_by_news_and_by_the_end() -> None:
    async def wait() -> list[list[bytes]]:
        box, found = outbox(), []
        happenings = [partial(box.put, a_bar("A", b"a")), partial(box.end, Said.AWAY)]
        for happens in happenings:
            waiting = asyncio.create_task(box.wait())
            await asyncio.sleep(0)
            assert not waiting.done()
            happens()
            await asyncio.wait_for(waiting, 30)
            found.append(frames(box))
        return found

    assert [[b"a"], []] == asyncio.run(wait())


def test_each_socket_is_told_of_what_it_subscribed_to_once() -> None:
    audience = Audience(MASSIVE)
    both, one, other = outbox(), outbox(), outbox()
    audience.add(both, [Topic("trades", "*"), Topic("trades", "A")])
    audience.add(one, [Topic("trades", "A")])
    audience.add(other, [Topic("minutes", "A")])
    told = [a_trade("A", b"a"), a_trade("B", b"b")]
    audience.tell("trades", told)

    assert [[b"a,b"], [b"a"], []] == [frames(each) for each in (both, one, other)]
    assert ({"*", "A"}, {"A"}) == (audience.symbols("trades"), audience.symbols("minutes"))

    audience.remove(both, [Topic("trades", "*"), Topic("trades", "B")])
    audience.remove(one, [Topic("trades", "A")])
    audience.tell("trades", told)
    assert [[b"a"], [], []] == [frames(each) for each in (both, one, other)]

    audience.end(Said.AWAY, "trades")
    assert [Said.AWAY, None, None] == [each.ended for each in (both, one, other)]


def test_the_relay_tells_each_who_listens_and_keeps_order() -> None:
    relay = Relay()
    relay.kind = "trade"
    woken = threading.Event()
    relay.publish(trades(["BEFORE"]))
    one, other = relay.listen(woken.set), relay.listen(lambda: None)

    def publish() -> None:
        for each in range(1_000):
            relay.publish(trades([f"S{each}"], first=each))

    thread = threading.Thread(target=publish)
    thread.start()
    got: list[int] = []
    while len(got) < 1_000:
        assert woken.wait(30)
        woken.clear()
        got += [each for frame in one.take()[0] for each in frame["sequence"].to_list()]
    thread.join()

    assert list(range(1_000)) == got
    assert 1_000 == sum(frame.height for frame in other.take()[0])


def test_the_relay_tells_of_its_feeds_kind_alone() -> None:
    relay = Relay()
    ear = relay.listen(lambda: None)
    relay.publish(trades(["A"]))
    relay.kind = "second"
    relay.publish(trades(["A"]))
    relay.kind = "trade"
    relay.publish(heartbeat(3))

    assert ([], 0) == ear.take()
    ear.close()
    relay.publish(trades(["A"]))
    assert ([], 0) == ear.take()


def test_who_listens_too_slowly_holds_up_nobody_and_learns_what_was_lost() -> None:
    relay = Relay(most=3)
    relay.kind = "trade"
    news: list[int] = []
    ear = relay.listen(lambda: news.append(1))
    for each in range(3):
        relay.publish(trades(["A", "B"], first=each))

    frames_, lost = ear.take()
    assert ([[0, 1]], 4) == ([frame["sequence"].to_list() for frame in frames_], lost)
    assert [1] == news
    relay.publish(trades(["A"]))
    assert (1, 0) == (len(ear.take()[0]), 0)
