"""What may be a destination of alerts."""

from __future__ import annotations

import base64

import pytest

from lake.addresses import Networks, parse_networks
from lake.alerts.destination import check_destination, without_secrets
from lake.errors import InvalidDestinationError
from tests.receiving import SECRET

URL = "https://example.com/hooks/1?a=b"
LOOPBACK = parse_networks("127.0.0.0/8,::1")
NONE = parse_networks("")


def test_a_destination_keeps_its_secret_to_itself() -> None:
    made = check_destination("Phone.of_me-1", URL, f"{SECRET}\n", NONE)

    assert ("Phone.of_me-1", URL, SECRET) == (made.name, made.url, made.secret)
    assert SECRET not in repr(made)


@pytest.mark.parametrize(
    "url",
    ["https://8.8.8.8/", "https://[2606:4700::1111]:8443/x", "https://xn--bcher-kva.example/"],
)
def test_a_public_host_may_be_told(url: str) -> None:
    assert url == check_destination("a", url, SECRET, NONE).url


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/x", "https://localhost/", "http://[::1]:9/", "http://inner.example/"],
)
def test_what_is_allowed_may_be_told_without_encryption(url: str) -> None:
    assert url == check_destination("a", url, SECRET, LOOPBACK).url


@pytest.mark.parametrize("name", ["", "log", "LOG", "sns", "a b", "-a", "a/b", "é", "a" * 65])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidDestinationError, match=r"destination"):
        check_destination(name, URL, SECRET, NONE)


@pytest.mark.parametrize(
    ("url", "allowed", "said"),
    [
        ("example.com", NONE, "is not the URL of a destination"),
        ("ftp://example.com/", NONE, "is not the URL of a destination"),
        ("https:///x", NONE, "is not the URL of a destination"),
        ("https://example.com:0/", NONE, "is not the URL of a destination"),
        ("https://example.com:99999/", NONE, "is not the URL of a destination"),
        ("https://example.com/#part", NONE, "is not the URL of a destination"),
        ("https://example.com/a b", NONE, "is not the URL of a destination"),
        ("https://example.com\\@10.0.0.1/", NONE, "is not the URL of a destination"),
        ("https://bücher.example/", NONE, "is not the URL of a destination"),
        (f"https://example.com/{'a' * 2048}", NONE, "too long. Allowed: 2048"),
        ("http://example.com/", NONE, "not encrypted. Allowed: https"),
        ("http://8.8.8.8/", LOOPBACK, "not encrypted. Allowed: https"),
        ("https://127.0.0.1/", NONE, "127.0.0.1 is not an address of the public internet"),
        ("https://localhost./", NONE, "localhost is not an address of the public internet"),
        ("https://a.localhost/", NONE, "a.localhost is not an address of the public internet"),
        ("https://10.0.0.1/", LOOPBACK, "10.0.0.1 is not an address of the public internet"),
        ("https://169.254.169.254/latest", NONE, "not an address of the public internet"),
        ("https://[::ffff:10.0.0.1]/", NONE, "not an address of the public internet"),
        ("https://127.1/", NONE, "'127.1' is not a host"),
        ("https://2130706433/", NONE, "is not a host"),
        ("https://0x7f.0.0.1/", NONE, "is not a host"),
        ("https://0177.0.0.1/", NONE, "is not a host"),
        ("https://0x7f000001./", NONE, "is not a host"),
    ],
)
def test_a_url_that_cannot_be_is_refused(url: str, allowed: Networks, said: str) -> None:
    with pytest.raises(InvalidDestinationError) as refused:
        check_destination("a", url, SECRET, allowed)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://me:hidden@example.com/", "https://hidden@example.com/", "ftp://me:hidden@a/"]
)
def test_a_url_with_a_user_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(InvalidDestinationError) as refused:
        check_destination("a", url, SECRET, NONE)

    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        SECRET,
        f"https://example.com/hook?secret={SECRET}",
        f"https://{SECRET}.example.com/",
        f"https://{SECRET.upper()}.1/",
        f"https://example.com/{SECRET} ",
    ],
)
def test_a_secret_given_as_the_url_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(InvalidDestinationError) as refused:
        check_destination("a", url, SECRET, NONE)

    assert "whsec" not in str(refused.value).lower()


def test_a_secret_given_as_the_name_is_refused_without_being_told() -> None:
    with pytest.raises(InvalidDestinationError, match="not the name") as refused:
        check_destination(SECRET, URL, SECRET, NONE)

    assert "whsec" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"no destination {SECRET!r}.", "no destination 'whsec_***'."),
        (f"{SECRET.upper()} and {SECRET}", "whsec_*** and whsec_***"),
        ("as whsec_ab%2Fc+d/e== is", "as whsec_*** is"),
        ("a file of whsec_..., whsec_ and base64", "a file of whsec_..., whsec_ and base64"),
        ('echo "whsec_$(openssl rand)"', 'echo "whsec_$(openssl rand)"'),
    ],
)
def test_no_secret_is_left_in_what_is_shown(text: str, shown: str) -> None:
    assert shown == without_secrets(text)


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_of_24_to_64_bytes_may_be(size: int) -> None:
    secret = f"whsec_{base64.b64encode(bytes(size)).decode()}"

    assert secret == check_destination("a", URL, secret, NONE).secret


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "hidden",
        "whsec_",
        "whsec_hidden",
        SECRET.removeprefix("whsec_"),
        f"whsec_{base64.b64encode(bytes(23)).decode()}",
        f"whsec_{base64.b64encode(bytes(65)).decode()}",
        f"{SECRET}*",
    ],
)
def test_another_secret_is_refused_without_being_told(secret: str) -> None:
    with pytest.raises(InvalidDestinationError, match="not the secret of a webhook") as refused:
        check_destination("a", URL, secret, NONE)

    assert "hidden" not in str(refused.value)
    assert not secret.removeprefix("whsec_") or secret not in str(refused.value)
