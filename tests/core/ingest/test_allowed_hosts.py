from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ingest.http.allowed_hosts import AllowedHosts, Network, hostname, is_public, request_path
from core.ingest.http.fetch_errors import AddressRefused

PRIVATE = (
    "10.0.0.1 172.16.3.4 172.31.255.255 192.168.1.1 127.0.0.1 127.8.8.8 0.0.0.0 169.254.169.254 100.64.0.1 192.0.0.5 "
    "192.0.2.7 198.18.0.1 198.51.100.3 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 192.88.99.1 "
    ":: ::1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 fe80::1 fe80::1%1 fc00::1 fd12::1 fec0::1 ff02::1 2001:db8::1 2001::1 "
    "100::1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b:1::1 2002:0a00:0001::1 2002:7f00:0001::1"
)
PUBLIC = "8.8.8.8 151.101.1.181 172.32.0.1 2a04:4e42::1 2606:4700::1111 64:ff9b::8.8.8.8"


@pytest.mark.parametrize("address", PRIVATE.split())
def test_addresses_that_are_not_of_the_public_internet_are_refused(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC.split())
def test_addresses_of_the_public_internet_are_allowed(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_inside_an_ipv6_one_is_never_judged_more_kindly(number: int) -> None:
    inner = IPv4Address(number)
    assert not is_public(IPv6Address(f"::ffff:{inner}"))
    assert is_public(IPv6Address(f"64:ff9b::{inner}")) == is_public(inner)
    assert is_public(inner) or not is_public(IPv6Address((0x2002 << 112) | (number << 80) | 1))


def allowed_hosts(*addresses: str) -> AllowedHosts:
    return AllowedHosts(frozenset({"images.unsplash.com"}), Network(lambda host, port: addresses))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://images.unsplash.com/a", "not an address that can be fetched"),
        ("file:///etc/passwd", "not an address that can be fetched"),
        ("https://images.unsplash.com:99999/a", "not an address that can be fetched"),
        ("https://[::1/a", "not an address that can be fetched"),
        ("https://elsewhere.example/a", "a host that is not allowed"),
        ("https://127.0.0.1/a", "a host that is not allowed"),
        ("https://images.unsplash.com.evil.example/a", "a host that is not allowed"),
        ("https://images.unsplash.com@evil.example/a", "a host that is not allowed"),
        ("https://someone:secret@images.unsplash.com/a", "a host that is not allowed"),
        ("", "not an address that can be fetched"),
    ],
)
def test_only_https_to_a_host_of_the_list_is_allowed(url: str, reason: str) -> None:
    with pytest.raises(AddressRefused, match=reason) as refused:
        allowed_hosts("8.8.8.8").parse(url)
    assert "secret" not in str(refused.value)


def test_a_host_is_compared_without_case_and_final_dot() -> None:
    parts = allowed_hosts("8.8.8.8").parse("https://IMAGES.Unsplash.com./a?b=c")
    assert hostname(parts) == "images.unsplash.com"


def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    parts = urlsplit("https://images.unsplash.com/a")
    assert allowed_hosts("8.8.8.8", "2606:4700::1111").resolve(parts).addresses == ("8.8.8.8", "2606:4700::1111")
    with pytest.raises(AddressRefused, match=r"not public \(images.unsplash.com is 10.0.0.1\)"):
        allowed_hosts("8.8.8.8", "10.0.0.1").resolve(parts)
    with pytest.raises(AddressRefused, match="is nowhere"):
        allowed_hosts().resolve(parts)


def test_the_default_network_is_the_public_internet_over_https_alone() -> None:
    assert (Network().schemes, Network().allowed) == (("https",), is_public)


def test_what_a_request_line_cannot_hold_is_encoded() -> None:
    path = request_path(urlsplit("https://h/ä b?q=x y&w=%20"))
    assert path == "/%C3%A4%20b?q=x%20y&w=%20"
    assert request_path(urlsplit("https://h")) == "/"
