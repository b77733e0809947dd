"""Which IP addresses are of the public internet, and which a user has allowed besides.

Source: the registries of special addresses that `ipaddress` knows (RFC 6890), and the forms in
which an IPv6 address carries one of IPv4: RFC 4291 (mapped, compatible), RFC 3056 (6to4), RFC 4380
(Teredo), RFC 5214 (ISATAP), RFC 6052 (NAT64). What `ipaddress` calls public, in some versions or in
all, though it is no host's of the internet, is listed here: the version of Python does not matter.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Address: TypeAlias = IPv4Address | IPv6Address
Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]

_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")
_TEREDO: Final = IPv6Network("2001::/32")
_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)
_LOW: Final = 0xFFFF_FFFF
_INNER: Final = (
    IPv4Network("192.0.0.0/24"),  # RFC 6890, protocols' own; Oracle's cloud has its metadata there
    IPv4Network("192.88.99.0/24"),  # RFC 7526: whatever relay of 6to4 is the nearest
    # https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
    IPv4Network("168.63.129.16/32"),
    IPv6Network("2001::/23"),  # RFC 2928, protocols' own
    IPv6Network("3fff::/20"),  # RFC 9637, of documentation
    IPv6Network("fec0::/10"),  # RFC 3879: of a site
)


def parse_networks(text: str) -> Networks:
    """Return the networks that a text names, with commas between them; a lone address is one.

    Raises:
        ValueError: If a part of it names none.
    """
    named = [each.strip() for each in text.split(",") if each.strip()]
    return tuple(ipaddress.ip_network(each) for each in named)


def parse_address(text: str) -> Address | None:
    """Return the address that a text writes, as `192.0.2.7` or `2001:db8::7`; None: none."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Return whether an address is one of the public internet's, and carries no other within it."""
    meant = _meant(address)
    return _is_global(meant) and all(map(_is_global, _carried(meant)))


def is_allowed(address: Address, allowed: Networks) -> bool:
    """Return whether an address is in one of some networks."""
    meant = _meant(address)
    return any(meant in network for network in allowed)


def _meant(address: Address) -> Address:
    """Return the address of IPv4 that one of IPv6 only writes in another way, or itself."""
    if isinstance(address, IPv4Address):
        return address
    # Where there is IPv6 alone, the others' addresses come in the form of NAT64.
    is_translated = address in _NAT64
    return IPv4Address(int(address) & _LOW) if is_translated else address.ipv4_mapped or address


def _is_global(address: Address) -> bool:
    # Some of these are called global too: what is for many, or for one link, is no host's.
    is_special = (
        address.is_multicast
        or address.is_private
        or address.is_reserved
        or address.is_link_local
        or address.is_loopback
        or address.is_unspecified
        or any(address in network for network in _INNER)
    )
    return address.is_global and not is_special


def _carried(address: Address) -> Iterator[IPv4Address]:
    """Yield the addresses of IPv4 that one of IPv6 may be taken to, on its way."""
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    if address.sixtofour:
        yield address.sixtofour
    if address in _TEREDO:
        yield IPv4Address(number >> 64 & _LOW)
        yield IPv4Address(~number & _LOW)
    is_isatap = number >> 32 & _LOW in _ISATAP
    if is_isatap or address in _COMPATIBLE:
        yield IPv4Address(number & _LOW)
