"""What UDF says of each answer, and what TradingView's adapter makes of it: no library is needed.

Source: https://www.tradingview.com/charting-library-docs/latest/connecting_data/UDF and
.../Symbology. The rules are those that a chart relies on, each an assertion.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any, Final
from zoneinfo import available_timezones

RESOLUTION: Final = re.compile(r"[1-9]\d*|[1-9]?\d*[DWM]")
"""Minutes as a number alone; days, weeks and months with their letter."""
_HOURS: Final = re.compile(r"([01]\d|2[0-3])[0-5]\d-([01]\d|2[0-3])[0-5]\d")
_DATE: Final = re.compile(r"\d{8}")
_DAY_S: Final = 86_400
_SUPPORTS: Final = (
    *("supports_search", "supports_group_request", "supports_marks"),
    *("supports_timescale_marks", "supports_time"),
)
Answer = Any


def check_config(told: Answer) -> None:
    """Hold `/config` to the rules."""
    assert [bool] * len(_SUPPORTS) == [type(told[name]) for name in _SUPPORTS]
    # Either symbols can be searched and resolved one by one, or they come by groups.
    assert told["supports_search"] != told["supports_group_request"]
    assert all({"value", "name", "desc"} == set(each) for each in told["exchanges"])
    assert all({"value", "name"} == set(each) for each in told["symbols_types"])
    assert told["supported_resolutions"]
    assert all(RESOLUTION.fullmatch(each) for each in told["supported_resolutions"])


def check_time(body: str) -> int:
    """Hold `/time` to the rules: seconds, and nothing else."""
    assert re.fullmatch(r"\d{9,10}", body)
    return int(body)


def check_search(told: Answer) -> None:
    """Hold `/search` to the rules."""
    assert isinstance(told, list)
    for each in told:
        assert {"symbol", "full_name", "description", "exchange", "type"} <= set(each)
        assert all(isinstance(value, str) for value in each.values())
        assert f"{each['exchange']}:{each['symbol']}" == each["full_name"]


def check_symbol(told: Answer) -> None:
    """Hold `/symbols` to the rules."""
    texts = ("name", "ticker", "description", "type", "exchange", "listed_exchange", "session")
    assert all(isinstance(told[name], str) and told[name] for name in texts)
    assert told["timezone"] in available_timezones()
    assert (told["exchange"],) * 2 == (told["exchange-traded"], told["exchange-listed"])
    assert _HOURS.fullmatch(told["session"])
    assert (int, int) == (type(told["minmov"]), type(told["pricescale"]))
    assert re.fullmatch("10*", str(told["pricescale"]))
    assert {bool} == {type(told[f"has_{name}"]) for name in ("intraday", "daily")}
    assert told["format"] in {"price", "volume"}
    assert told["data_status"] in {"streaming", "endofday", "delayed_streaming"}
    _check_resolutions(told)
    _check_holidays(told)


def _check_resolutions(told: Answer) -> None:
    """Multipliers are bare numbers of what the resolutions name, and need their flags."""
    assert all(RESOLUTION.fullmatch(each) for each in told["supported_resolutions"])
    assert all(each.isdigit() for each in told["intraday_multipliers"] + told["daily_multipliers"])
    days = [f"{each}D" for each in told["daily_multipliers"]]
    assert set(told["supported_resolutions"]) == {*told["intraday_multipliers"], *days}
    assert told["has_intraday"] == bool(told["intraday_multipliers"])
    assert told["has_daily"] == bool(days)


def _check_holidays(told: Answer) -> None:
    holidays = [each for each in told["session_holidays"].split(",") if each]
    assert all(_DATE.fullmatch(each) for each in holidays)
    assert sorted(set(holidays)) == holidays
    for correction in filter(None, told["corrections"].split(";")):
        hours, _, days = correction.partition(":")
        assert _HOURS.fullmatch(hours)
        assert hours != told["session"]
        dates = days.split(",")
        assert all(_DATE.fullmatch(each) for each in dates)
        assert not set(dates) & set(holidays)


def check_history(body: str, resolution: str, to: int) -> list[dict[str, float]]:
    """Hold `/history` to the rules, and return its bars as TradingView's adapter hands them on."""
    told = json.loads(body)
    if told["s"] == "no_data":
        assert set(told) <= {"s", "nextTime"}
        assert isinstance(told.get("nextTime", 0), int)
        return []
    assert {"s", "t", "o", "h", "l", "c", "v"} == set(told)
    assert "ok" == told["s"]
    columns = [told[name] for name in "tohlcv"]
    # An answer without bars is `no_data`, and columns are as long as each other.
    assert 1 == len({len(column) for column in columns})
    assert told["t"]
    assert sorted(set(told["t"])) == told["t"]
    assert told["t"][-1] < to
    assert all(type(each) is int for each in told["t"])
    if resolution.endswith("D"):
        assert {0} == {each % _DAY_S for each in told["t"]}
    bars = [dict(zip("tohlcv", row, strict=True)) for row in zip(*columns, strict=True)]
    assert all(bar["l"] <= min(bar["o"], bar["c"]) for bar in bars)
    assert all(max(bar["o"], bar["c"]) <= bar["h"] for bar in bars)
    return bars


def check_error(body: str) -> str:
    """Hold an error to the rules, and return what it says."""
    told = json.loads(body)
    assert {"s", "errmsg"} == set(told)
    assert "error" == told["s"]
    text: str = told["errmsg"]
    return text


def seconds(day: dt.date) -> int:
    """Return midnight UTC of a date, in seconds since 1970."""
    return int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp())
