"""What a Redis server publishes, brought to a subscriber: over restarts, and with gaps told."""

from __future__ import annotations

import random
import struct
import threading
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from speed_layer.views.redis_server import LONGEST_PAUSE_S, is_passing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis.client import PubSub

    from speed_layer.views.mailbox import Mailbox
    from speed_layer.views.redis_server import RedisServer

_SIZES: Final = struct.Struct("<BH")
_BARS: Final = ord("b")
_LOOK_S: Final = 0.2
"""How often it looks whether it was closed."""


class Listener:
    """A thread that listens to a channel for one mailbox.

    It reads as fast as Redis tells, so that no slow subscriber fills the server's buffers. When
    the connection is lost it listens again, and tells the mailbox that there is a gap.

    Raises:
        ViewError: If Redis does not answer now.
    """

    def __init__(self, server: RedisServer, channel: str, mailbox: Mailbox) -> None:
        self._server = server
        self._channel = channel
        self._mailbox = mailbox
        self._is_closed = threading.Event()
        # Before the thread: what is put from now on is heard.
        first = server.ask(self._listening)
        self._thread = threading.Thread(target=self._run, args=(first,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, and let go of its connection."""
        self._is_closed.set()
        self._thread.join()

    def _run(self, listening: PubSub) -> None:
        failures = 0
        while not self._is_closed.is_set():
            try:
                if failures:
                    listening = self._listening()
                    self._mailbox.tell_gap()
                    failures = 0
                self._bring(listening)
            except RedisError as error:
                listening.close()
                failures += 1
                if not is_passing(error) or failures >= self._server.attempts:
                    self._mailbox.fail(self._server.told(error))
                    return
                self._is_closed.wait(self._pause_s(failures))
        listening.close()

    def _listening(self) -> PubSub:
        listening: PubSub = self._server.client.pubsub()
        try:
            listening.subscribe(self._channel)
            while (told := listening.get_message(timeout=_LOOK_S)) is None:
                pass  # the first message says that it is subscribed
        except BaseException:
            listening.close()
            raise
        if told["type"] != "subscribe":
            self._take(told["data"])
        return listening

    def _bring(self, listening: PubSub) -> None:
        while not self._is_closed.is_set():
            told = listening.get_message(ignore_subscribe_messages=True, timeout=_LOOK_S)
            if told is not None:
                self._take(told["data"])

    def _take(self, message: bytes) -> None:
        rows = list(_rows(message))
        bars, prices = (rows, []) if message[0] == _BARS else ([], rows)
        self._mailbox.offer(bars, prices)

    def _pause_s(self, failures: int) -> float:
        limit_s = min(self._server.first_pause_s * 2 ** (failures - 1), LONGEST_PAUSE_S)
        return random.uniform(0, limit_s)  # noqa: S311 - jitter is no secret


def _rows(message: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield symbol and record of each row of a message."""
    at = 1
    while at < len(message):
        symbol_bytes, record_bytes = _SIZES.unpack_from(message, at)
        at += _SIZES.size
        end = at + symbol_bytes
        yield message[at:end].decode(), message[end : end + record_bytes]
        at = end + record_bytes
