"""The command `fiblake vendor`: a vendor on this machine, to try the system without a key."""

from __future__ import annotations

import signal
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from batch_layer.fetching.sample import sample_session
from fiblake.address import cannot_listen, is_loopback
from fiblake.lake import Lake
from fiblake.options import LakeOption
from fiblake.output import Output
from lake.clock import SystemClock
from lake.errors import MisuseError
from lake.instant import microseconds
from serving_layer.query import parse_date

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_layer.local_vendor import LiveMarket, LiveSocket, LocalVendor

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
    live: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="A port where trades of the present are told, too."),
    ] = None,
    lake: LakeOption = None,
) -> None:
    """Sell the daily bars of a lake as Massive does, over REST and as flat files, until Ctrl-C."""
    # Imported here: no other command needs a server of its own.
    from batch_layer.local_vendor import Access, LocalVendor, Rate, read_story  # noqa: PLC0415

    output = _begun(host, is_odd=live is not None and not sample)
    sell = partial(
        LocalVendor,
        host=host,
        port=port,
        access=Access(key=key),
        published=parse_date(published) if published else None,
        reference=read_story(story) if story else None,
        rate=Rate(rate),
        log=log,
    )
    with _bronze(lake, sample=sample) as opened:
        market = _present(opened) if live is not None else None
        with _explained(host, port):
            vendor = sell(opened.store, live=market)
        with _told(market, vendor, host, live or 0) as socket:
            _tell(vendor, output, socket)
            vendor.serve()


def _begun(host: str, *, is_odd: bool) -> Output:
    if is_odd:
        fact = "--live tells trades at the prices of the sample."
        raise MisuseError(fact, hint="--sample --live 8002.")
    output = Output()
    if not is_loopback(host):
        output.note(
            f"warning: anyone who reaches {host} can buy from this vendor, and let it fail."
        )
    # As Ctrl-C does: a container's first process is spared a signal without a handler.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return output


def _present(lake: Lake) -> LiveMarket:
    """Return a market that is where its day is at the moment."""
    from batch_layer.generating.trading.present import present_trades  # noqa: PLC0415 - likewise
    from batch_layer.local_vendor import LiveMarket  # noqa: PLC0415 - likewise

    now = lake.clock.now()
    trades = present_trades(sample_session()[1], lake.importer().sessions(), now)
    market = LiveMarket(trades)
    market.advance(int((trades["received"] <= microseconds(now)).sum()))
    return market


@contextmanager
def _told(
    market: LiveMarket | None, vendor: LocalVendor, host: str, port: int
) -> Iterator[LiveSocket | None]:
    """Yield what tells a market's trades as they happen; None where there is no market."""
    from batch_layer.local_vendor import LiveSocket  # noqa: PLC0415 - likewise

    if market is None:
        yield None
        return
    since = microseconds(SystemClock().now())
    socket = LiveSocket(market, vendor.access, host=host, port=port, speed=1.0, since=since)
    with ExitStack() as stack:
        with _explained(host, port):
            stack.enter_context(socket)
        yield socket


@contextmanager
def _explained(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.filename:  # the log's
            raise
        raise cannot_listen(host, port, error) from None


@contextmanager
def _bronze(location: str | None, *, sample: bool) -> Iterator[Lake]:
    if not sample:
        yield Lake(location)
        return
    if location is not None:
        fact = "--sample sells the sample, and --lake a lake."
        raise MisuseError(fact, hint="name one of them.")
    with TemporaryDirectory(prefix="fiblake-vendor-") as folder:
        lake = Lake(folder)
        lake.import_sample()
        yield lake


def _tell(vendor: LocalVendor, output: Output, socket: LiveSocket | None) -> None:
    sessions = vendor.sessions
    span = f"{sessions[0]} to {sessions[-1]}" if sessions else "none"
    output.note(f"fiblake's vendor serves {vendor.url} until Ctrl-C; sessions: {span}")
    output.note("to buy from it, in another terminal:")
    settings = vendor.settings | ({"FIBLAKE_MASSIVE_SOCKET": socket.url} if socket else {})
    output.show(*(f"export {name}={value}" for name, value in settings.items()))
