"""Ask a service how it is, as containers do: `python -m lake.health_check URL`.

Exit codes: 0 it is well, 1 it is not or does not answer, 2 misused. It needs little of the standard
library, and nothing else: a container asks this every few seconds.
"""

from __future__ import annotations

import http.client
import sys
from http import HTTPStatus
from typing import Final

_TIMEOUT_S: Final = 4
_PREFIX: Final = "http://"


def main(arguments: list[str]) -> int:
    """Return the exit code of the answer to one question."""
    if len(arguments) != 1 or not arguments[0].startswith(_PREFIX):
        url = "http://127.0.0.1:9100/health/live"
        _say(f"{' '.join(arguments) or 'Nothing'} is no address to ask. Hint: {url}")
        return 2
    host, _, path = arguments[0].removeprefix(_PREFIX).partition("/")
    try:
        connection = http.client.HTTPConnection(host, timeout=_TIMEOUT_S)
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        _say(f"{arguments[0]} does not answer: {error}")
        return 1
    # What Docker keeps of it is what `docker inspect` shows.
    _say(answer.read(4096).decode(errors="replace"))
    return 0 if answer.status == HTTPStatus.OK else 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
