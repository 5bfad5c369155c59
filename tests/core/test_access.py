from __future__ import annotations

from dataclasses import replace

import pytest

from core.access import OPERATOR, Access, Action, Person, Role, RoleRules, action_table
from core.api.local_connections import PROXY_HEADERS, is_local, is_loopback, visitor_address
from core.errors import ClusterError, NameMissing, NotAllowed
from core.records.sessions import Account
from core.settings import PROJECT, Secret


def test_without_a_key_whoever_is_at_this_computer_may_do_everything_and_nobody_else_anything() -> None:
    access = Access()
    assert access.role(Person(over_loopback=True)) is Role.ADMIN
    assert access.role(Person(key=Secret(""))) is access.role(Person(has_key=True)) is Role.VIEWER
    with pytest.raises(NotAllowed, match="only curators may add pictures: open the page on the computer"):
        access.require(Person(), Action.ADD_PICTURES)


def test_with_a_key_only_those_who_entered_it_are_curators_and_admins_if_they_sit_here() -> None:
    access = Access(Secret("grün"))
    assert access.role(Person(key=Secret("grün"))) is Role.CURATOR
    assert access.role(Person(key=Secret("grün"), over_loopback=True)) is Role.ADMIN
    assert access.role(Person(over_loopback=True)) is Role.VIEWER
    with pytest.raises(NotAllowed, match="only curators may publish clusters: enter the curator key"):
        access.require(Person(key=Secret("blau")), Action.PUBLISH)
    with pytest.raises(NotAllowed, match="only admins may read the audit log"):
        access.require(Person(key=Secret("grün")), Action.READ_AUDIT_LOG)


def test_a_browser_that_remembers_the_key_counts_as_long_as_its_session_lives() -> None:
    live = {"7"}
    access = Access(Secret("grün"), is_live=live.__contains__)
    assert access.role(Person(session="7", has_key=True)) is Role.CURATOR
    assert access.role(Person(session="7")) is Role.VIEWER
    live.clear()
    assert access.role(Person(session="7", has_key=True)) is Role.VIEWER


def test_a_key_that_was_typed_ends_with_the_session_that_remembered_it() -> None:
    ended = {"7"}
    access = Access(Secret("grün"), has_ended=ended.__contains__)
    assert access.role(Person(session="8", key=Secret("grün"))) is Role.CURATOR
    assert access.role(Person(session="7", key=Secret("grün"))) is Role.VIEWER
    assert access.role(Person(session="7", key=Secret("grün"), over_loopback=True)) is Role.VIEWER


RULES = RoleRules(frozenset({"ann@example.org", "picture desk"}), frozenset({"archive-admins"}))


@pytest.mark.parametrize(
    ("account", "role"),
    [
        (Account("1", "Ann", "Ann@Example.org"), Role.CURATOR),
        (Account("1", "Ann", "", frozenset({"Picture Desk"})), Role.CURATOR),
        (Account("1", "Ann", "ann@example.org", frozenset({"archive-admins"})), Role.ADMIN),
        (Account("1", "ann@example.org"), Role.VIEWER),
        # Alike, or made the same by some rule of Unicode, but somebody else.
        (Account("1", "Ann", "\u0430nn@example.org"), Role.VIEWER),
        (
            Account("1", "Ann", "", frozenset({"picture de\u017fk", "pi\u00e7ture desk", "picture des\u212a"})),
            Role.VIEWER,
        ),
        (Account("ann@example.org", "Ann", ""), Role.VIEWER),
        (Account("1", "Ann", "", frozenset({"", "archive"})), Role.VIEWER),
        (None, Role.VIEWER),
    ],
)
def test_where_people_sign_in_their_account_decides_and_neither_key_nor_place(
    account: Account | None, role: Role
) -> None:
    access = Access(Secret("grün"), RULES, lambda session: session == "live")
    person = Person("Ann", True, Secret("grün"), account, "live", has_key=True)
    assert access.role(person) is role
    assert access.role(replace(person, session="ended")) is Role.VIEWER
    assert not access.asks_for_key


def test_the_command_line_may_do_everything() -> None:
    for access in (Access(), Access(Secret("x")), Access(sign_in=RULES)):
        assert access.role(OPERATOR) is Role.ADMIN


@pytest.mark.parametrize("action", [action for action in Action if action.needs_name], ids=lambda a: a.label)
def test_what_others_read_is_never_signed_by_nobody(action: Action) -> None:
    with pytest.raises(NameMissing, match="give your name first"):
        Access().require(Person(" \n", over_loopback=True), action)
    Access().require(Person("Ada", over_loopback=True), action)


class Trail:
    """An audit log in a list."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = []

    def begin(self, person: Person, action: str, collection: str, target: str) -> int:
        self.lines.append([person.author, action, collection, target, "begun"])
        return len(self.lines) - 1

    def finish(self, entry: int, outcome: str) -> None:
        self.lines[entry][-1] = outcome

    def record(
        self, person: Person, action: str, collection: str = "", target: str = "", outcome: str = "done"
    ) -> None:
        self.lines.append([person.author, action, collection, target, outcome])


def test_an_action_has_its_line_before_it_is_done_and_what_is_refused_has_none() -> None:
    trail = Trail()
    access, ada = Access(audit=trail), Person("Ada", over_loopback=True)
    with access.acting(ada, Action.PUBLISH, "demo", "revision 7"):
        assert trail.lines == [["Ada", "publish", "demo", "revision 7", "begun"]]
    with pytest.raises(ClusterError), access.acting(ada, Action.PUBLISH, "demo", "revision 8"):
        raise ClusterError("there is no revision 8")
    with pytest.raises(KeyboardInterrupt), access.acting(ada, Action.DELETE_COLLECTION, "demo"):
        raise KeyboardInterrupt
    with pytest.raises(NotAllowed), access.acting(Person("Eve"), Action.PUBLISH, "demo", "revision 7"):
        raise AssertionError
    assert [line[-1] for line in trail.lines] == ["done", "not done: cluster error", "broken off"]


def test_an_author_has_a_name_of_bounded_length_and_is_never_unnamed() -> None:
    assert Person("  Ada \n Archive ").author == "Ada Archive"
    assert len(Person("x" * 500).author) == 60
    assert Person(over_loopback=True).author == "someone at this computer"
    assert Person(key=Secret("x")).author == Person(has_key=True).author == "someone with the curator key"
    assert Person().author == "a visitor"


def test_an_account_speaks_for_itself_whatever_name_is_typed() -> None:
    ann = Person("Bob", account=Account("https://id.example 17", "Ann", "ann@example.org"))
    assert ann.author == "Ann"
    assert ann.identity != Person("Ann").identity
    assert Person(account=Account("https://id.example 17", "")).author == "https://id.example 17"


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


@pytest.mark.parametrize(
    ("client", "named", "visitor"),
    [
        ("192.168.1.7", (), "192.168.1.7"),
        ("::ffff:192.168.1.7", (), "192.168.1.7"),
        ("2001:db8:1:2:3:4:5:6", (), "2001:db8:1:2::"),
        ("::1", (), "::1"),
        (None, (), ""),
        ("test", (), ""),
        ("127.0.0.1", ("192.168.1.7",), "192.168.1.7"),
        ("127.0.0.1", ("10.9.9.9, 192.168.1.7",), "192.168.1.7"),
        ("127.0.0.1", ("10.9.9.9", "192.168.1.7"), "192.168.1.7"),
        ("127.0.0.1", ("unknown",), "127.0.0.1"),
        ("127.0.0.1", ("",), "127.0.0.1"),
    ],
)
def test_a_visitor_is_the_address_that_the_nearest_proxy_saw(
    client: str | None, named: tuple[str, ...], visitor: str
) -> None:
    assert visitor_address(client, named) == visitor


def test_the_guide_shows_every_action_and_who_may() -> None:
    assert f"<!-- actions -->\n{action_table()}\n<!-- /actions -->" in (PROJECT / "docs" / "sharing.md").read_text()
