"""The command `fiblake infra cost`: what a month of the system on AWS costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Annotated

import typer

from fiblake.options import JsonOption
from fiblake.output import Output, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.cost import Bill

app = typer.Typer(
    name="infra",
    help="The system on AWS.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_SIZES = ("dev", "prod")
_COLUMNS = (("dev", "1x"), ("prod", "1x"), ("prod", "10x"))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Bills side by side.

    Attributes:
        seed: The published estimate, by what it belongs to, in USD a month.
        seed_users: That for many times the users, likewise.
        bills: Of the small size, and of the large one for users and for ten times as many.
    """

    seed: dict[str, float]
    seed_users: dict[str, float]
    bills: list[Bill]


@app.callback()
def infra_() -> None:
    """The system on AWS."""


@app.command("cost")
def cost_(
    *,
    size: Annotated[
        str | None,
        typer.Option("--size", help="dev or prod, line by line. Default: both, side by side."),
    ] = None,
    users: Annotated[
        str | None, typer.Option("--users", help="1x, 10x or 100x. Default: 1x, and 10x of prod.")
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option("--assume", help="Another use, as trades=2e6; may be repeated."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Reckon a month's bill from AWS's list prices."""
    from infra.cost import SEED, SEED_USERS  # noqa: PLC0415 - services' images have no infra

    output = Output(as_json=json)
    if size is not None:
        output.report(_reckoned(size, users or "1x", assume), _lines)
        return
    chosen = _COLUMNS if users is None else [(each, users) for each in _SIZES]
    bills = [_reckoned(each, times, assume) for each, times in chosen]
    titles = [f"{each} {times}" for each, times in chosen]
    compared = Comparison(dict(SEED), dict(SEED_USERS), bills)
    output.report(compared, lambda report: _side_by_side(report, titles))


def _reckoned(size: str, users: str, assume: list[str] | None) -> Bill:
    from infra.cost import bill  # noqa: PLC0415 - as above
    from infra.usage import USAGES, assumed, many  # noqa: PLC0415 - as above

    if size not in USAGES:
        return bill(size)  # which refuses it
    return bill(size, assumed(many(USAGES[size], users), assume or ()))


def _lines(report: Bill) -> Iterator[str]:
    yield f"{report.size}, USD a month, {report.region}, prices as of {report.as_published}"
    yield ""
    yield table_of(
        ("of", "what", "paid for", "each", "USD", "unit"),
        (
            (
                line.group,
                line.what,
                _short(line.quantity - line.free, 2),
                _short(line.usd_each, 10),
                f"{line.usd:,.2f}",
                line.unit,
            )
            for line in report.lines
        ),
        left=2,
    )
    yield ""
    yield f"{report.usd:,.0f} USD a month"
    yield from (f"too small: {each}" for each in report.tight)
    yield from _assumptions([report], [report.size])


def _side_by_side(report: Comparison, titles: list[str]) -> Iterator[str]:
    first = report.bills[0]
    yield f"USD a month, {first.region}, prices as of {first.as_published}"
    yield ""
    groups = list(report.seed)
    for each in report.bills:
        groups += [group for group in each.groups if group not in groups]
    rows = [
        (
            group,
            f"{report.seed[group]:,.0f}" if report.seed.get(group) else "-",
            *(
                f"{each.groups[group]:,.0f}" if group in each.groups else "-"
                for each in report.bills
            ),
        )
        for group in groups
    ]
    total = (
        "all",
        f"{sum(report.seed.values()):,.0f}",
        *(f"{each.usd:,.0f}" for each in report.bills),
    )
    yield table_of(("of", "estimate", *titles), [*rows, total])
    yield from _assumptions(report.bills, titles)
    for title, each in zip(titles, report.bills, strict=True):
        yield from (f"{title} is too small: {fact}" for fact in each.tight)


def _assumptions(bills: list[Bill], titles: list[str]) -> Iterator[str]:
    yield ""
    names = [field.name for field in fields(bills[0].usage)]
    rows = ((name, *(_short(asdict(each.usage)[name], 2) for each in bills)) for name in names)
    yield table_of(("assumed", *titles), rows)


def _short(number: float, places: int) -> str:
    text = f"{number:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
