"""Several things at once, a bounded number of them, by threads: for what waits for others.

Threads rather than a loop of asyncio: the vendors' clients and the stores block, and a notebook has
a loop of its own already.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

_WATCH_S: Final = 1.0

Item = TypeVar("Item")
Done = TypeVar("Done")


def at_once(  # noqa: PLR0913 - what, and how
    items: Iterable[Item],
    do: Callable[[Item], Done],
    *,
    workers: int,
    ahead: int,
    stop: Callable[[], None] = lambda: None,
    watch: Callable[[], None] = lambda: None,
) -> Generator[Done, None, None]:
    """Yield what is done of each item, as it is done.

    Whoever may end before it does closes it, as by `contextlib.closing`.

    Args:
        items: What there is to do; taken as there is room.
        do: Does one of them, in a thread.
        workers: How many are done at once.
        ahead: How many may be begun and not yielded yet: what bounds memory.
        stop: Called where it ends early, by an error or because nobody takes what it yields: lets
            those at work come to their end.
        watch: Called every second or so while there is nothing to yield.
    """
    queue = iter(items)
    pending: set[Future[Done]] = set()
    with ThreadPoolExecutor(workers) as pool:
        try:
            while True:
                room = islice(queue, max(ahead - len(pending), 0))
                pending |= {pool.submit(do, item) for item in room}
                if not pending:
                    return
                done, pending = wait(pending, _WATCH_S, return_when=FIRST_COMPLETED)
                if not done:
                    watch()
                for each in done:
                    yield each.result()
        except BaseException:
            stop()
            for each in pending:
                each.cancel()
            raise
