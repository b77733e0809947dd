"""The command `fiblake vendor`: a vendor on this machine, to try the system without a key."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from fiblake.address import cannot_listen, is_loopback
from fiblake.lake import Lake
from fiblake.options import LakeOption
from fiblake.output import Output
from lake.errors import MisuseError
from serving_layer.query import parse_date

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_layer.local_vendor import LocalVendor
    from lake.store import ObjectStore

app = typer.Typer(
    name="vendor",
    help="A market-data vendor on this machine, to try fiblake without a key.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def vendor_() -> None:
    """A market-data vendor on this machine, to try fiblake without a key."""


@app.command("serve")
def serve_(  # noqa: PLR0913 - a command's options
    *,
    sample: Annotated[
        bool, typer.Option("--sample", help="Sell the sample: five stocks, 2000-2013.")
    ] = False,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0: any free one.")] = 8001,
    key: Annotated[str, typer.Option(help="The key of the REST.")] = "local-key",
    published: Annotated[
        str | None,
        typer.Option(help="The last session on sale, YYYY-MM-DD. Default: the lake's last."),
    ] = None,
    rate: Annotated[
        int | None,
        typer.Option(min=1, help="Requests a minute that the REST answers. Default: any."),
    ] = None,
    story: Annotated[
        Path | None, typer.Option(help="A JSON file of renames, reused tickers and spellings.")
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="A file that gets a line of JSON for each request.")
    ] = None,
    lake: LakeOption = None,
) -> None:
    """Sell the daily bars of a lake as Massive does, over REST and as flat files, until Ctrl-C."""
    # Imported here: no other command needs a server of its own.
    from batch_layer.local_vendor import Access, LocalVendor, Rate, read_story  # noqa: PLC0415

    output = Output()
    if not is_loopback(host):
        output.note(
            f"warning: anyone who reaches {host} can buy from this vendor, and let it fail."
        )
    told = read_story(story) if story else None
    last = parse_date(published) if published else None
    with _bronze(lake, sample=sample) as store:
        with _explained(host, port):
            vendor = LocalVendor(
                store,
                host=host,
                port=port,
                access=Access(key=key),
                published=last,
                reference=told,
                rate=Rate(rate),
                log=log,
            )
        _tell(vendor, output)
        vendor.serve()


@contextmanager
def _explained(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.filename:  # the log's
            raise
        raise cannot_listen(host, port, error) from None


@contextmanager
def _bronze(location: str | None, *, sample: bool) -> Iterator[ObjectStore]:
    if not sample:
        yield Lake(location).store
        return
    if location is not None:
        fact = "--sample sells the sample, and --lake a lake."
        raise MisuseError(fact, hint="name one of them.")
    with TemporaryDirectory(prefix="fiblake-vendor-") as folder:
        lake = Lake(folder)
        lake.import_sample()
        yield lake.store


def _tell(vendor: LocalVendor, output: Output) -> None:
    sessions = vendor.sessions
    span = f"{sessions[0]} to {sessions[-1]}" if sessions else "none"
    output.note(f"fiblake's vendor serves {vendor.url} until Ctrl-C; sessions: {span}")
    output.note("to buy from it, in another terminal:")
    output.show(*(f"export {name}={value}" for name, value in vendor.settings.items()))
