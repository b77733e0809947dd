"""By what addresses are counted, and what of keys and tokens shows nowhere."""

from __future__ import annotations

import datetime as dt

import pytest

from serving_layer.auth.access import Token, _network
from serving_layer.auth.managing import Created, Key

NOW = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:207", "192.0.2.7"),
        ("::1", "::/64"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_an_address_is_counted_by_its_host(address: str, expected: str) -> None:
    assert expected == _network(address)


def test_a_new_key_and_a_token_do_not_show_what_is_secret_of_them() -> None:
    key = Key("ab12", "name", "owner", ["read"], "valid", NOW, None, None, None)

    assert "hidden" not in repr(Created("hidden", key))
    assert "ab12" in repr(Created("hidden", key))
    assert "hidden" not in repr(Token("hidden", NOW, ["read"]))
