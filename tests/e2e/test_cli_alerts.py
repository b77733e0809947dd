"""The commands that keep alerts, as users see them: what they print, and what they refuse."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest

from database import open_database
from database.audit import latest
from lake.settings import Settings
from tests.alerts import fire, progressed, rule
from tests.command_line import Run, write
from tests.receiving import SECRET

BREAKOUT = {
    "symbol": "aapl",
    "name": "breakout",
    "repeat": True,
    "cooldown_seconds": 3600,
    "when": {
        "kind": "all",
        "of": [
            {"kind": "close", "interval": "13d", "relation": "above", "than": {"range": 13}},
            {"kind": "volume", "interval": "13d", "times": 1.5, "average": 20},
        ],
    },
}
WORDS = "13d closes above the high of 13 bars and 13d volume 1.5 times its 20-bar average"


@pytest.fixture
def alert(in_sample: Run) -> str:
    """The id of an alert of anyone's."""
    ran = in_sample("alerts", "create", write("rule.json", json.dumps(BREAKOUT)), "--json")
    assert (0, "") == (ran.code, ran.err)
    found: str = json.loads(ran.out)["alert"]
    return found


def test_an_alert_is_created_listed_and_shown_in_words(in_sample: Run) -> None:
    ran = in_sample("alerts", "create", write("rule.json", json.dumps(BREAKOUT)))
    alert = ran.out[:15]
    head = (
        f"{alert}: AAPL, breakout\n"
        f"fires when {WORDS}, again after 3600 s; told to log\n"
        "revision 1, of anyone, is waiting; fired 0\n"
    )

    assert re.fullmatch(r"al_[0-9a-f]{12}", alert)
    assert (0, head, "") == ran.said
    header, _, row = in_sample("alerts", "list").out.splitlines()
    assert ["alert", "symbol", "name", "fires when", "state", "last fired", "fired"] == re.split(
        r"\s{2,}", header
    )
    assert [alert, "AAPL", "breakout", WORDS, "waiting", "never", "0"] == re.split(r"\s{2,}", row)
    shown = in_sample("alerts", "show", alert).out
    assert shown.startswith(head)
    assert "AAPL" == json.loads(shown.removeprefix(head))["symbol"]
    (told,) = json.loads(in_sample("alerts", "list", "--json").out)["alerts"]
    assert json.loads(in_sample("alerts", "show", alert, "--json").out) == told
    assert [alert] == [each for each in (alert,) if each in in_sample("alerts", "list").out]
    assert "no alert yet" in in_sample("alerts", "list", "--symbol", "IBM").out


def test_an_alert_is_replaced_by_what_comes_from_standard_input(
    in_sample: Run, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps(rule(symbol="IBM", expires="2100-01-01T00:00:00Z")).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    ran = in_sample("alerts", "replace", alert, "-")

    assert (0, "") == (ran.code, ran.err)
    assert [
        f"{alert}: IBM",
        "fires when price above 180, once until 2100-01-01T00:00:00Z; told to log",
        "revision 2, of anyone, is waiting; fired 0",
    ] == ran.out.splitlines()


def test_an_alert_is_muted_and_unmuted(in_sample: Run, alert: str) -> None:
    assert (0, f"{alert} is muted\n", "") == in_sample("alerts", "mute", alert).said
    instant = "2100-01-01T00:00:00Z"
    muted = in_sample("alerts", "mute", alert, "--until", instant)
    assert (0, f"{alert} is muted until {instant}\n", "") == muted.said
    assert in_sample("alerts", "mute", alert, "--until", "12h").out.startswith(f"{alert} is muted ")
    assert (0, f"{alert} is waiting\n", "") == in_sample("alerts", "unmute", alert).said


def test_an_alert_is_tried_and_its_firings_listed_after_it_was_deleted(
    in_sample: Run, alert: str
) -> None:
    assert (0, "nothing was fired\n", "") == in_sample("alerts", "firings").said
    tried = in_sample("alerts", "test", alert).out.strip()
    database = open_database(Settings())
    progressed(database, alert, fired=2)
    ids = [fire(database, "anyone", alert, number) for number in (1, 2)]
    database.close()
    assert "fired 2, last at 2026-01-05T11:30:00Z" in in_sample("alerts", "show", alert).out
    assert (0, f"{alert} is deleted\n", "") == in_sample("alerts", "delete", alert).said
    ran = in_sample("alerts", "firings", "--alert", alert)
    rows = [re.split(r"\s{2,}", line) for line in ran.out.splitlines()]

    assert ["time", "firing", "symbol", "told", "text"] == rows[0]
    assert [tried, ids[1], ids[0]] == [row[1] for row in rows[2:]]
    assert [
        *("2026-01-05T11:30:00Z", ids[0]),
        *("AAPL", "log waiting", "AAPL 181.00 above 180.00"),
    ] == rows[-1]
    limited = in_sample("alerts", "firings", "--limit", "1", "--end", "2026-01-05T12:00:00Z")
    assert ids[1] in limited.out
    assert limited.err.startswith("there are more than these 1: --cursor ")
    cursor = limited.err.split()[-1]
    behind = in_sample("alerts", "firings", "--limit", "1", "--cursor", cursor)
    assert (ids[0], "") == (behind.out.splitlines()[2].split()[1], behind.err)
    assert 2 == in_sample("alerts", "firings", "--limit", "100001").code
    (told, _) = json.loads(
        in_sample(
            "alerts", "firings", "--symbol", "aapl", "--json", "--end", "2026-01-05T12:00:00Z"
        ).out
    )["firings"]
    assert (ids[1], 182.0) == (told["firing"], told["price"])


def test_alerts_of_another_owner_are_as_if_there_were_none(in_sample: Run, alert: str) -> None:
    said = f"error: 'desk' has no alert '{alert}'. Hint: fiblake alerts list, or GET /v1/alerts."
    file = write("other.json", json.dumps(rule()))

    for command in ("show", "delete", "mute", "unmute", "test"):
        assert (1, "", said) == in_sample("alerts", command, alert, "--owner", "desk").said
    assert (1, "", said) == in_sample("alerts", "replace", alert, file, "--owner", "desk").said
    assert "no alert yet" in in_sample("alerts", "list", "--owner", "desk").out
    assert 0 == in_sample("alerts", "show", alert).code


def test_whoever_runs_the_server_sees_what_all_owners_keep_and_ends_it(
    in_sample: Run, alert: str
) -> None:
    file, secret = write("other.json", json.dumps(rule(symbol="IBM"))), write("secret", SECRET)
    made = in_sample("alerts", "create", file, "--owner", "desk", "--json")
    desks = json.loads(made.out)["alert"]
    hook = ("--url", "https://example.com/1", "--secret-file", secret, "--owner", "desk")
    in_sample("alerts", "destinations", "add", "pager", *hook)
    listed = in_sample("alerts", "list", "--everyone").out.splitlines()
    of_ibm = json.loads(in_sample("alerts", "list", "--everyone", "--symbol", "ibm", "--json").out)
    hooks = in_sample("alerts", "destinations", "list", "--everyone").out.splitlines()

    assert ["owner", "alert"] == listed[0].split()[:2]
    assert [["anyone", alert], ["desk", desks]] == [row.split()[:2] for row in listed[2:]]
    assert [("desk", desks)] == [(each["owner"], each["alert"]) for each in of_ibm["alerts"]]
    assert ["owner", "name", "url", "created"] == hooks[0].split()
    assert [["desk", "pager", "https://example.com/1"]] == [row.split()[:3] for row in hooks[2:]]
    assert 0 == in_sample("alerts", "delete", desks, "--owner", "desk").code
    assert 2 + 1 == len(in_sample("alerts", "list", "--everyone").out.splitlines())


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (
            "{",
            2,
            "This is not a rule: Invalid JSON: EOF while parsing an object at line 1 column 1",
        ),
        ("[]", 2, "This is not a rule: Input should be an object."),
        (rule(symbol="BRK/B"), 1, "BRK.B: no such symbol in the lake "),
        (
            rule(when={"kind": "price"}),
            2,
            "This is not a rule: when.price.relation: Field required",
        ),
        (rule(deliver=["pager"]), 2, "deliver: 'pager' is no destination. Allowed: log."),
        (rule(expires="2020-01-01T00:00:00Z"), 2, "expires: a rule that ends at 2020-01-01"),
    ],
)
def test_what_is_no_rule_is_said_to_be_none(
    in_sample: Run, text: Any, code: int, said: str
) -> None:
    file = write("rule.json", text if isinstance(text, str) else json.dumps(text))
    ran = in_sample("alerts", "create", file)

    assert (code, "", 1) == (ran.code, ran.out, ran.err.count("\n"))
    assert ran.err.startswith(f"error: {said}"), ran.err
    assert "no alert yet" in in_sample("alerts", "list").out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("create", "none.json"), 1, "none.json: No such file or directory."),
        (("show", "al_0"), 1, "'anyone' has no alert 'al_0'."),
        (("firings", "--alert", "al_0"), 1, "'anyone' has no alert 'al_0'."),
        (("firings", "--start", "monday"), 2, "'monday' is not an instant."),
        (("mute", "al_0", "--until", "soon"), 2, "--until 'soon' is neither. Allowed: days as"),
        (("list", "--owner", ""), 2, "--owner '' is none. Allowed: 1 to 100 characters."),
        (("list", "--owner", "a\nb"), 2, "--owner 'a\\nb' is none."),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(
    in_sample: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ran = in_sample("alerts", *arguments)

    assert (code, "", 1) == (ran.code, ran.out, ran.err.count("\n"))
    assert ran.err.startswith(f"error: {said}"), ran.err


def test_what_a_command_changes_is_noted_as_its_user_s(
    in_sample: Run, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    in_sample("alerts", "delete", alert)
    database = open_database(Settings())
    with database.read() as connection:
        entry = latest(connection, 1)[0]
    database.close()

    assert ("command:ada", "alert deleted", alert, "AAPL, of anyone") == (
        entry.actor,
        entry.action,
        entry.subject,
        entry.detail,
    )


def test_in_an_empty_lake_any_symbol_will_do(in_lake: Run) -> None:
    ran = in_lake("alerts", "create", write("rule.json", json.dumps(rule(symbol="brk/b"))))

    assert (0, "BRK.B") == (ran.code, ran.out.splitlines()[0].partition(": ")[2])


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (
            {"kind": "price", "relation": "crosses_up", "level": 1234567.89},
            "price crosses up 1234567.89",
        ),
        ({"kind": "move", "percent": 3, "window": "15m"}, "moves 3% in 15m"),
        (
            {"kind": "move", "direction": "down", "percent": 2.5, "window": "5d"},
            "moves down 2.5% in 5d",
        ),
        (
            {
                "kind": "any",
                "of": [
                    {
                        "kind": "all",
                        "of": [
                            {
                                "kind": "close",
                                "interval": "1h",
                                "relation": "crosses",
                                "than": {"average": 20},
                                "hours": "extended",
                            }
                        ],
                    },
                    {
                        "kind": "close",
                        "interval": "34d",
                        "relation": "below",
                        "than": {"range": 5},
                        "state": "forming",
                    },
                    {
                        "kind": "close",
                        "interval": "1d",
                        "relation": "above",
                        "than": {"level": 180},
                    },
                ],
            },
            (
                "(1h extended close crosses its 20-bar average)"
                " or forming 34d closes below the low of 5 bars or 1d closes above 180"
            ),
        ),
    ],
)
def test_conditions_are_told_in_words(in_sample: Run, when: dict[str, Any], words: str) -> None:
    ran = in_sample("alerts", "create", write("rule.json", json.dumps(rule(when=when))))

    assert f"fires when {words}, once; told to log" == ran.out.splitlines()[1]
