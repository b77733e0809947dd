"""Which addresses are public, and which are allowed besides."""

from __future__ import annotations

import ipaddress

import pytest

from lake.addresses import is_allowed, is_public, parse_address, parse_networks

PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"),
    *("2002:808:808::1", "168.63.129.17", "192.0.1.1", "2001:200::1", "3ffe::1"),
]
OTHERS = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.9.9.9", "169.254.169.254"),  # noqa: S104 - none is listened on
    *("172.16.0.1", "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "203.0.113.9"),
    *("192.0.0.9", "192.0.0.192", "192.88.99.1", "168.63.129.16", "::ffff:192.0.0.192"),
    *("3fff::1", "3fff:fff::1", "2001:20::1", "2002:a83f:8110::1", "64:ff9b::168.63.129.16"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::8.8.8.8", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1"),
    *("fd00:ec2::254", "ff02::1", "ff0e::1", "2001:db8::1", "100::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b:1::8.8.8.8"),
    *("2002:a00:1::1", "2002:7f00:1::1", "2001:0:808:808::1"),
    *("2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:127.0.0.1"),
]


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_one(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", OTHERS)
def test_no_other_is_public_in_whatever_form_it_is_written(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1", True),
        ("::ffff:127.0.0.1", True),
        ("64:ff9b::127.0.0.1", True),
        ("127.1.0.1", False),
        ("fd00::7", True),
        ("fd00::8", False),
        ("::1", False),
    ],
)
def test_what_is_in_a_network_that_is_named_is_allowed(text: str, *, expected: bool) -> None:
    allowed = parse_networks(" 127.0.0.0/24, fd00::7,")

    assert expected == is_allowed(ipaddress.ip_address(text), allowed)


def test_no_network_allows_nothing() -> None:
    assert not is_allowed(ipaddress.ip_address("127.0.0.1"), parse_networks(""))


@pytest.mark.parametrize("text", ["localhost", "10.0.0.0/33", "10.0.0.1/8", "*"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_networks(text)


def test_a_name_is_no_address() -> None:
    assert parse_address("127.1") is None
    assert parse_address("example.com") is None
