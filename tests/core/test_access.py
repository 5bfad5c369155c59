from __future__ import annotations

import pytest

from core.access import OPERATOR, PROXY_HEADERS, Access, Person, is_local, is_loopback
from core.errors import NotAllowed
from core.settings import Secret


def test_without_a_key_those_on_this_computer_are_curators_and_nobody_else() -> None:
    access = Access(Secret())
    assert access.is_curator(Person(over_loopback=True))
    assert not access.is_curator(Person(over_loopback=False, key=Secret("")))
    with pytest.raises(NotAllowed, match="only curators may add pictures: open the page on the computer"):
        access.require_curator(Person(), "add pictures")


def test_with_a_key_only_those_who_entered_it_are_curators() -> None:
    access = Access(Secret("grün"))
    assert access.is_curator(Person(key=Secret("grün")))
    assert not access.is_curator(OPERATOR)
    with pytest.raises(NotAllowed, match="enter the curator key"):
        access.require_curator(Person(key=Secret("blau")), "publish")


def test_an_author_has_a_name_of_bounded_length() -> None:
    assert Person("  Ada \n Archive ").author == "Ada Archive"
    assert Person().author == "unnamed"
    assert len(Person("x" * 500).author) == 60


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("127.0.0.1", True),
        ("127.0.0.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        (None, False),
        ("", False),
        ("10.0.0.5", False),
        ("::ffff:10.0.0.5", False),
        ("::2", False),
        ("test", False),
    ],
)
def test_only_this_computers_own_addresses_are_loopback(address: str | None, own: bool) -> None:
    assert is_loopback(address) is own


BROWSER_HEADERS = ("host", "origin", "connection", "upgrade", "user-agent", "cookie", "sec-websocket-key", "accept")


@pytest.mark.parametrize(
    ("client", "host", "extra", "local"),
    [
        ("127.0.0.1", "localhost", (), True),
        ("::1", "::1", (), True),
        ("127.0.0.1", "127.0.0.1", (), True),
        (None, "localhost", (), False),
        ("", "localhost", (), False),
        ("192.168.1.7", "localhost", (), False),
        ("127.0.0.1", "192.168.1.7", (), False),
        ("127.0.0.1", "photos.example", (), False),
        ("127.0.0.1", "localhost.photos.example", (), False),
        ("127.0.0.1", "", (), False),
        *(("127.0.0.1", "localhost", (name,), False) for name in sorted(PROXY_HEADERS)),
        *(
            ("127.0.0.1", "localhost", (name,), False)
            for name in ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "cf-connecting-ip", "cf-ray")
        ),
    ],
)
def test_local_is_who_connects_over_loopback_to_a_loopback_name_and_through_no_proxy(
    client: str | None, host: str, extra: tuple[str, ...], local: bool
) -> None:
    assert is_local(client, host, (*BROWSER_HEADERS, *extra)) is local
