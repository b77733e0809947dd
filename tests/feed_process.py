"""A feed in a process of its own, to be killed: argv is lake, spool, socket and REST."""

from __future__ import annotations

import math
import signal
import sys
import threading
from pathlib import Path

from lake.health_server import HealthServer
from lake.store import LocalStore
from speed_layer.feed import Feed, Health, Limits, Recorder
from speed_layer.feed.massive import Massive, Plan
from tests.feeding import Listing, hours, judge


def main(lake: str, spool: str, socket: str, rest: str) -> None:
    health = Health()
    plan = Plan(
        socket,
        rest,
        "local-key",
        reader="own",
        settle_s=0.3,
        fill_hours=math.inf,
        first_pause_s=0.1,
    )
    limits = Limits(seconds=0.2, size=20_000)
    recorder = Recorder(LocalStore(Path(lake)), "massive", Path(spool), hours(), limits)
    with HealthServer(health) as server, recorder:
        source = Massive(plan, health, recorder.known("trade"), days=hours())
        feed = Feed(source, judge(), Listing(), recorder=recorder, health=health)
        stop = threading.Thread(target=feed.stop)
        signal.signal(signal.SIGTERM, lambda *_: stop.start())
        print(server.url, flush=True)  # noqa: T201 - read by the test
        feed.run()
    # The lake has everything now.


if __name__ == "__main__":
    main(*sys.argv[1:])
