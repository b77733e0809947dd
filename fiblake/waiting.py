"""What a command says where another process does the same, which it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fiblake.output import Output
    from lake.lease import Holder


def waits_for(output: Output, source: str) -> Callable[[Holder], None]:
    """Return what notes who fetches from a source at the moment."""

    def wait(holder: Holder) -> None:
        output.note(f"process {holder.pid} on {holder.host} fetches from {source}: waiting for it")

    return wait
