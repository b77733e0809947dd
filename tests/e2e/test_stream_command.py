"""The stream of `fiblake up`, while a day is told again."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.streaming import Client

FIBLAKE = str(Path(sys.executable).with_name("fiblake"))
CHANNELS = ("price:*", "bars:1m:AAPL", "bars:5m:AAPL", "bars:1d:AAPL", "bars:13d:AAPL")


def test_a_day_that_is_told_again_is_heard_until_the_server_goes_away(
    sample_lake_folder: Path,
) -> None:
    options = ["--port", "0", "--lake", str(sample_lake_folder), "--feed", "replay:sample@1200x"]
    with subprocess.Popen([FIBLAKE, "up", *options], stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        said = server.stderr.readline()
        found = re.search(r"http://([^/\s]+)", said)
        assert found is not None, said
        with Client(found[1]) as client:
            client.subscribe(*CHANNELS)
            for name in CHANNELS:
                seq = client.seqs[name]
                client.until_known(lambda it, name=name, seq=seq: it.seqs[name] > seq)  # type: ignore[misc]
            complete = client.until("complete", lambda told: told["interval"] == "5m")
            final = client.items["bars:5m:AAPL"]["AAPL", complete["start"]]
            assert ("bars:5m:AAPL", "final") == (complete["channel"], final["state"])
            assert "2013-03-01" == client.items["bars:1d:AAPL"]["AAPL", "2013-03-01"]["through"]
            moving = list(client.items["bars:13d:AAPL"].values())[-1]
            assert ("2013-03-01", "forming") == (moving["through"], moving["state"])
            server.terminate()
            assert 1001 == client.ended()[0]
        assert 0 == server.wait(30)
