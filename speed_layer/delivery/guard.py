"""Which addresses a webhook's name leads to, if all of them may be told."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

import structlog

from lake.addresses import is_allowed, is_public, parse_address
from lake.errors import InvalidDestinationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lake.addresses import Address, Networks

_LOOKS_AT_ONCE: Final = 64
_OWNERS_LOOKS: Final = 8
"""Of these, for one owner's webhooks, those included whose attempts have ended meanwhile."""
_log = structlog.get_logger(__name__)


def look_up(host: str) -> list[str]:
    """Return the addresses of a host, as the machine's resolver tells them, the best first.

    Raises:
        OSError: If there are none, or it does not know.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError:
        msg = "its name is none"
        raise OSError(msg) from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Guard:
    """Looks names up, and refuses those that lead to where no stranger may send this machine.

    What it returns is to be connected to as it is: a name that is looked up again may lead
    elsewhere by then.

    Args:
        allowed: Networks that may be told though they are not public.
        look_up: Returns a host's addresses; it may take its time.
    """

    def __init__(
        self, allowed: Networks, look_up: Callable[[str], Sequence[str]] = look_up
    ) -> None:
        self._allowed = allowed
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(_LOOKS_AT_ONCE, thread_name_prefix="fiblake-look-up")
        self._looking: dict[str, asyncio.Future[Sequence[str]]] = {}
        # Each is held by those who look up and those who wait for it, and by nobody else.
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def addresses(self, host: str, owner: str, *, is_encrypted: bool) -> list[Address]:
        """Return the addresses of a host that may be told.

        Args:
            host: A name or an address.
            owner: Whose webhook it is: so many of theirs are looked up at once, others wait.
            is_encrypted: Whether it is to be told by https: only that goes to what is public.

        Raises:
            InvalidDestinationError: If one of them may not be.
            OSError: If there are none.
        """
        told = [parse_address(each) for each in await self._looked_up(host, owner)]
        found = [each for each in told if each is not None]
        if not found or len(found) < len(told):
            msg = "its name leads nowhere"
            raise OSError(msg)
        for each in found:
            self._check(host, each, is_encrypted=is_encrypted)
        return found

    def close(self) -> None:
        """Look nothing up any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _looked_up(self, host: str, owner: str) -> Sequence[str]:
        # Once at a time: a resolver that takes long for one name must not take all threads.
        if host not in self._looking:
            places = self._places.setdefault(owner, asyncio.Semaphore(_OWNERS_LOOKS))
            await places.acquire()
            if host in self._looking:  # another began meanwhile
                places.release()
            else:
                self._begin(host, places)
        return await asyncio.shield(self._looking[host])

    def _begin(self, host: str, places: asyncio.Semaphore) -> None:
        loop = asyncio.get_running_loop()
        looking = loop.run_in_executor(self._threads, self._look_up, host)
        looking.add_done_callback(lambda done: self._known(host, places, done))
        self._looking[host] = looking

    def _known(
        self, host: str, places: asyncio.Semaphore, done: asyncio.Future[Sequence[str]]
    ) -> None:
        del self._looking[host]
        places.release()  # not when its attempt ended: the thread is taken until now
        if not done.cancelled():
            done.exception()  # whoever waited has it; if nobody does any more, nobody misses it

    def _check(self, host: str, address: Address, *, is_encrypted: bool) -> None:
        if is_allowed(address, self._allowed):
            return
        if not is_public(address):
            # The address itself is for the operator: it may tell of a network that is not theirs.
            _log.info("a webhook leads into a private network", host=host, address=str(address))
            fact = f"{host} leads to an address that is not of the public internet."
            raise InvalidDestinationError(fact)
        if not is_encrypted:
            fact = f"http to {host} is not encrypted."
            raise InvalidDestinationError(fact)
