"""A channel, and who is told of it: whatever he missed, he ends up with what is."""

from __future__ import annotations

import datetime as dt
import json
import random
from typing import Any

import pytest

from serving_layer.stream.channel import Channel, State
from serving_layer.stream.channels import parse_channel
from serving_layer.stream.frames import FRAME_BYTES, event_head, event_json, pieces, written
from serving_layer.stream.subscriber import HIGH_BYTES, Due, Subscriber

PRICES = parse_channel("price:*")


def state(symbol: str, version: int, start: int = 0, session: int = 1) -> State:
    body = json.dumps({"symbol": symbol, "start": start, "version": version}).encode()
    return State((symbol, start), (session, version), session, body)


def loaded(name: str = "price:*", **how: Any) -> Channel:
    channel = Channel(parse_channel(name), **how)
    channel.reset([], channel.seq)
    return channel


def told(frames: list[bytes]) -> dict[tuple[str, int], int]:
    """Return what a client knows by some frames: of each item its version."""
    known: dict[tuple[str, int], int] = {}
    for frame in map(json.loads, frames):
        if frame["type"] == "snapshot":
            known = {}
        items = frame.get("prices", frame.get("bars", []))
        items += [event.get("price", event.get("bar")) for event in frame.get("events", [])]
        known |= {(each["symbol"], each["start"]): each["version"] for each in items}
    return known


class Pipe:
    """An outlet that takes so many bytes when it is asked to."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.waiting = 0
        self.is_open = True
        self.ends: list[tuple[int, str]] = []

    def write(self, text: bytes) -> None:
        self.frames.append(text)
        self.waiting += len(text)

    def end(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))
        self.is_open = False

    async def ended(self) -> None:
        """It is told at once."""


def test_each_change_counts_and_what_is_no_news_does_not() -> None:
    channel = loaded()
    first = channel.seq
    assert {"channel": "price:*", "seq": first + 1, "price": json.loads(state("A", 1).body)} == (
        json.loads(channel.put(state("A", 1)) or b"")
    )
    assert None is channel.put(state("A", 1))
    assert None is channel.put(state("A", 0))
    assert None is not channel.put(state("A", 2))
    assert first + 2 == channel.seq


def test_who_was_told_up_to_a_seq_lacks_the_latest_state_of_what_changed_since() -> None:
    # seq     1   2   3   4
    # items   A   B   C   A
    channel = loaded()
    for each in (state("A", 1), state("B", 1), state("C", 1), state("A", 2)):
        channel.put(each)

    since = [json.loads(each) for each in channel.since(channel.seq - 3)]
    assert [("B", 1), ("C", 1), ("A", 2)] == [
        (each["price"]["symbol"], each["price"]["version"]) for each in since
    ]
    assert [] == channel.since(channel.seq)


def test_what_was_let_go_cannot_be_resumed() -> None:
    channel = loaded(most=2)
    begun = channel.seq
    for symbol in "ABC":
        channel.put(state(symbol, 1))

    assert not channel.can_resume(begun)
    assert channel.can_resume(begun + 1)
    assert not channel.can_resume(channel.seq + 1)
    assert 2 == len(channel.since(begun + 1))


def test_it_begins_with_what_was_read_and_what_was_heard_meanwhile() -> None:
    channel = Channel(PRICES, 100)
    channel.put(state("A", 5))
    channel.put(state("B", 5))
    channel.reset([state("A", 4), state("B", 6), state("C", 1)], 100)

    assert {("A", 0): 5, ("B", 0): 6, ("C", 0): 1} == told(list(channel.snapshot(None)))
    assert not channel.can_resume(channel.seq - 1)
    assert channel.can_resume(channel.seq)


def test_after_a_loss_what_is_not_there_any_more_is_not_told() -> None:
    channel = loaded()
    channel.put(state("A", 5))
    lost_at = channel.seq
    channel.put(state("B", 5))
    channel.reset([state("C", 1)], lost_at)

    assert {("B", 0): 5, ("C", 0): 1} == told(list(channel.snapshot(None)))


def test_a_snapshot_of_the_market_is_of_its_last_two_starts() -> None:
    channel = loaded("bars:1m:*")
    for start in (60, 120, 180):
        channel.put(state("A", 1, start))
    channel.put(state("B", 1, 120))

    assert {("A", 120), ("A", 180), ("B", 120)} == told(list(channel.snapshot(None))).keys()


def test_who_is_cut_off_amid_a_snapshot_cannot_resume() -> None:
    channel = loaded()
    body = b'{"symbol":"%b","start":0,"version":1,"more":"' + b"x" * 1_000 + b'"}'
    for symbol in (f"S{n}" for n in range(800)):
        channel.put(State((symbol, 0), (1, 1), 1, body % symbol.encode()))
    frames = list(map(json.loads, channel.snapshot(None)))
    seqs = [frame["seq"] for frame in frames[:1]]
    seqs += [event["seq"] for frame in frames[1:] for event in frame["events"]]

    assert len(frames) > 2
    assert not any(map(channel.can_resume, seqs[:-1]))
    assert sorted(seqs) == seqs
    assert channel.seq == seqs[-1]


def test_who_is_cut_off_once_it_is_resumed_can_resume_again() -> None:
    channel, pipe = loaded(), Pipe()
    channel.put(state("A", 1))
    seq = channel.seq
    channel.put(state("A", 2))
    subscriber = Subscriber(pipe, 0.0)
    subscriber.due[channel] = Due("resumed", seq)
    subscriber.flush(0.0, lambda _: None)

    resumed, changes = map(json.loads, pipe.frames)
    assert ("resumed", seq) == (resumed["type"], resumed["seq"])
    assert [seq + 1] == [event["seq"] for event in changes["events"]]


def test_a_snapshot_tells_the_boundary_of_bars() -> None:
    bars = json.loads(loaded("bars:13d:A").snapshot(dt.date(2013, 3, 1))[0])
    prices = json.loads(loaded().snapshot(dt.date(2013, 3, 1))[0])

    assert ("2013-03-01", []) == (bars["boundary"], bars["bars"])
    assert {"type", "channel", "seq", "prices"} == prices.keys()


def gone(key: tuple[str, int]) -> bytes:
    return written({"start": key[1], "gone": True})


def test_bars_that_are_read_anew_are_told_where_they_differ() -> None:
    channel = loaded("bars:13d:A")
    channel.update([state("A", 1, 1), state("A", 1, 2)], lambda _: b"{}", channel.seq)
    news = channel.update(
        [state("A", 1, 1)._replace(rank=(1, 9)), state("A", 2, 2)], lambda _: b"{}", channel.seq
    )
    assert [2] == [json.loads(each)["bar"]["version"] for each in news]

    # 1 is too old to be told; 3 has vanished; 4 came while they were read.
    channel.update([state("A", 2, 2), state("A", 1, 3)], lambda _: b"{}", channel.seq)
    begun = channel.seq
    channel.put(state("A", 1, 4))
    news = channel.update([state("A", 2, 2)], gone, begun)
    assert [{"start": 3, "gone": True}] == [json.loads(each)["bar"] for each in news]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_a_subscriber_ends_up_with_what_is(seed: int) -> None:
    rolled = random.Random(seed)  # noqa: S311 - dice, no secret
    channel, pipe = loaded(most=50), Pipe()
    subscriber = Subscriber(pipe, 0.0)
    subscriber.due[channel] = Due("snapshot")
    for version in range(1, 2_000):
        seq = channel.seq
        event = channel.put(state(f"S{rolled.randrange(60)}", version))
        assert event is not None
        subscriber.look(0.0)
        if subscriber.is_behind:
            subscriber.due.setdefault(channel, Due("changes", seq))
        else:
            subscriber.out.append(event)
        if rolled.random() < 0.01:
            subscriber.lose(channel)
            channel.reset([each.state for each in channel._items.values()], channel.seq)  # noqa: SLF001
        subscriber.flush(0.0, lambda _: None)
        # It takes some, or nothing for a while.
        pipe.waiting = rolled.choice([0, pipe.waiting, HIGH_BYTES + 1])
    pipe.waiting = 0
    subscriber.flush(0.0, lambda _: None)

    now = told(list(channel.snapshot(None)))
    known = told(pipe.frames)
    assert now == {key: known[key] for key in now}
    kinds = {json.loads(frame)["type"] for frame in pipe.frames}
    assert {"snapshot", "changes", "gap"} == kinds


def test_what_waits_for_a_stalled_one_is_one_seq_a_channel() -> None:
    channel, pipe = loaded(), Pipe()
    subscriber = Subscriber(pipe, 0.0)
    pipe.waiting = HIGH_BYTES + 1
    for version in range(1_000):
        seq = channel.seq
        channel.put(state(f"S{version % 10}", version))
        subscriber.look(float(version))
        subscriber.due.setdefault(channel, Due("changes", seq))
        subscriber.flush(float(version), lambda _: None)

    assert [] == pipe.frames
    assert 1 == len(subscriber.due)
    # Something was taken when the pipe was seen for the first time, at soonest.
    assert 0.0 == subscriber.taken_at
    pipe.waiting = 0
    subscriber.flush(1_000.0, lambda _: None)
    assert {990 + n for n in range(10)} == set(told(pipe.frames).values())


def test_a_start_is_complete_after_all_that_is_due() -> None:
    channel, pipe = loaded("bars:5m:*"), Pipe()
    subscriber = Subscriber(pipe, 0.0)
    pipe.waiting = HIGH_BYTES + 1
    seq = channel.seq
    channel.put(state("A", 1, 60))
    subscriber.due[channel] = Due("changes", seq)
    subscriber.complete(channel, 60, b'{"type":"complete","symbols":1}')
    subscriber.complete(channel, 60, b'{"type":"complete","symbols":2}')
    subscriber.flush(0.0, lambda _: None)
    assert [] == pipe.frames

    pipe.waiting = 0
    subscriber.flush(0.0, lambda _: None)
    kinds = [json.loads(frame) for frame in pipe.frames]
    assert ["changes", "complete"] == [each["type"] for each in kinds]
    assert 2 == kinds[1]["symbols"]


def test_events_come_in_frames_of_a_size() -> None:
    head = event_head("price:*", "price")
    events = [event_json(head, seq, b'"' + b"x" * 1_000 + b'"') for seq in range(300)]
    subscriber, pipe = Subscriber(Pipe(), 0.0), Pipe()
    subscriber.outlet = pipe
    subscriber.out = pieces(events)
    subscriber.flush(0.0, lambda _: None)

    assert len(pipe.frames) > 4
    assert all(len(frame) <= FRAME_BYTES for frame in pipe.frames)
    seqs = [event["seq"] for frame in pipe.frames for event in json.loads(frame)["events"]]
    assert list(range(300)) == seqs
