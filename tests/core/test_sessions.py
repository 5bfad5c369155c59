from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import Access, Person, Role, RoleRules
from core.errors import NotAllowed
from core.records.sessions import Account
from core.sessions import SessionService, account_from_claims, browser_name, session_owner
from core.settings import Secret
from core.store.sql.database import Database
from core.store.sql.rate_limits import RateLimits
from core.store.sql.session_store import SessionStore
from tests.core.test_access import Trail

KEY = Secret("sesame")
CLAIMS = {
    "iss": "https://id.example",
    "sub": "17",
    "name": "Ann Lee",
    "email": "ann@example.org",
    "email_verified": True,
    "groups": ["desk"],
}
RULES = RoleRules(frozenset({"desk"}), frozenset({"boss@example.org"}))
ADMIN = Person(is_operator=True)


def service(
    data: Path, key: Secret = KEY, rules: RoleRules | None = None, trail: Trail | None = None
) -> SessionService:
    """Sessions as one server process has them."""
    store = SessionStore(Database(data / "contactsheet.db"))
    access = Access(key, rules, lambda session: store.get(session) is not None, store.has_ended, trail or Trail())
    return SessionService(store, access, RateLimits(data / "limits.db"), timedelta(days=14), "groups")


def access_of(sessions: SessionService) -> Access:
    return sessions._access


def claimed(sessions: SessionService, person: Person) -> tuple[str, str]:
    """The id and the cookie's token of a session that a page offers and the browser claims."""
    session, code = sessions.offer(person, "")
    token = sessions.claim(code)
    assert token is not None
    return session, token


# -- signing in -------------------------------------------------------------------------------------------------------


def test_who_signs_in_is_recognised_by_the_cookie_with_the_role_of_their_account(tmp_path: Path) -> None:
    trail = Trail()
    sessions = service(tmp_path, rules=RULES, trail=trail)
    token = sessions.sign_in(CLAIMS, "192.168.1.7", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Firefox/140.0")
    recognised = sessions.recognise(token)
    assert recognised is not None
    session = sessions.get(recognised.id)
    assert session is not None
    assert session.account == Account("https://id.example 17", "Ann Lee", "ann@example.org", frozenset({"desk"}))
    assert (session.visitor, session.browser, sessions.standing(session)) == (
        "192.168.1.7",
        "Firefox on Linux",
        "curator",
    )
    assert trail.lines == [["Ann Lee", "sign in", "", "as curator", "done"]]


def test_a_cookie_saved_before_signing_out_signs_nobody_in(tmp_path: Path) -> None:
    trail = Trail()
    sessions, elsewhere = service(tmp_path, rules=RULES, trail=trail), service(tmp_path, rules=RULES)
    token = sessions.sign_in(CLAIMS, "", "")
    recognised = elsewhere.recognise(token)
    assert recognised is not None
    ann = Person(account=account_from_claims(CLAIMS, "groups"), session=recognised.id)
    assert access_of(elsewhere).role(ann) is Role.CURATOR
    sessions.end(ann)
    assert sessions.recognise(token) is elsewhere.recognise(token) is None
    assert access_of(elsewhere).role(ann) is Role.VIEWER  # a tab that was open
    assert [line[1] for line in trail.lines] == ["sign in", "sign out"]
    sessions.end(ann)
    assert len(trail.lines) == 2


def test_two_sign_ins_are_two_sessions(tmp_path: Path) -> None:
    sessions = service(tmp_path, rules=RULES)
    tokens = [sessions.sign_in(CLAIMS, "", "") for _ in range(2)]
    sessions.end_token(tokens[0])
    assert [sessions.recognise(token) is not None for token in tokens] == [False, True]


def test_the_database_holds_nothing_that_makes_a_cookie(tmp_path: Path) -> None:
    sessions = service(tmp_path)
    _, token = claimed(sessions, Person("Ada", key=KEY))
    with sqlite3.connect(tmp_path / "contactsheet.db") as db:
        stored = [str(value) for row in db.execute("SELECT * FROM sessions") for value in row]
    assert token not in stored
    assert not [value for value in stored if KEY.reveal() in value]
    assert not any(sessions.recognise(value) for value in stored)


@pytest.mark.parametrize(
    ("change", "email"),
    [
        ({}, "ann@example.org"),
        ({"email_verified": "true"}, "ann@example.org"),
        ({"email_verified": False}, ""),
        ({"email_verified": None}, ""),
        ({"email_verified": "false"}, ""),
        ({"email_verified": 1.5}, ""),
        ({"email": ["ann@example.org"]}, ""),
    ],
)
def test_an_address_counts_only_where_the_provider_has_verified_it(change: Mapping[str, Any], email: str) -> None:
    assert account_from_claims({**CLAIMS, **change}, "groups").email == email


@pytest.mark.parametrize(
    ("claims", "path", "groups"),
    [
        ({"groups": ["a", "b"]}, "groups", {"a", "b"}),
        ({"roles": "a"}, "roles", {"a"}),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", {"a"}),
        ({"https://example.org/roles": ["a"]}, "https://example.org/roles", {"a"}),
        ({"groups": ["a", 7, None, ["b"], ""]}, "groups", {"a"}),
        ({"groups": {"a": 1}}, "groups", set()),
        ({"groups": None}, "groups", set()),
        ({"realm_access": "x"}, "realm_access.roles", set()),
        ({}, "groups", set()),
    ],
)
def test_groups_are_read_from_the_claim_that_the_setting_names(
    claims: Mapping[str, Any], path: str, groups: set[str]
) -> None:
    assert account_from_claims({**claims, "sub": "1"}, path).groups == groups


@pytest.mark.parametrize("name", ["email", "groups"])
@pytest.mark.parametrize("text", ["boss@x.org\u200b", "\x07boss@x.org", " boss@x.org", "boss@x\n.org"])
def test_what_decides_a_role_is_taken_as_it_stands_or_not_at_all(name: str, text: str) -> None:
    account = account_from_claims({**CLAIMS, name: text}, "groups")
    assert (account.email if name == "email" else account.groups) in ("", frozenset())


@pytest.mark.parametrize("sub", [None, "", 7, ["x"], " ", "ann ", "a\u200bnn"])
def test_nobody_in_particular_cannot_sign_in(sub: Any) -> None:
    with pytest.raises(NotAllowed, match="did not say who signed in"):
        account_from_claims({**CLAIMS, "sub": sub}, "groups")


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.text(), st.lists), max_size=5))
def test_whatever_a_provider_claims_is_an_account_on_one_line(claims: dict[str, Any]) -> None:
    account = account_from_claims({**CLAIMS, **claims, "sub": "x", "iss": "y"}, "groups")
    assert "\n" not in account.name + account.email + "".join(account.groups)
    assert account.id == "y x"


# -- names and keys ---------------------------------------------------------------------------------------------------


def test_a_browser_remembers_a_name_and_that_the_key_was_entered(tmp_path: Path) -> None:
    sessions = service(tmp_path)
    session, token = claimed(sessions, Person("Ada", key=KEY))
    recognised = service(tmp_path).recognise(token)
    assert recognised is not None
    assert (recognised.id, recognised.has_key) == (session, True)
    found = sessions.get(session)
    assert found is not None
    assert (found.name, found.with_key) == ("Ada", True)


@pytest.mark.parametrize("entered", [Secret(), Secret("wrong")])
def test_without_the_key_a_browser_remembers_a_name_alone(tmp_path: Path, entered: Secret) -> None:
    sessions = service(tmp_path)
    _, token = claimed(sessions, Person("Eve", key=entered))
    recognised = sessions.recognise(token)
    assert recognised is not None
    assert not recognised.has_key


def test_a_new_key_ends_what_the_old_one_allowed(tmp_path: Path) -> None:
    _, token = claimed(service(tmp_path), Person("Ada", key=KEY))
    for key in (Secret("another"), Secret()):
        recognised = service(tmp_path, key).recognise(token)
        assert recognised is not None
        assert not recognised.has_key


def test_a_code_is_good_once_and_is_not_the_cookie(tmp_path: Path) -> None:
    sessions = service(tmp_path)
    _, code = sessions.offer(Person("Ada"), "")
    assert sessions.recognise(code) is None
    token = sessions.claim(code)
    assert token is not None
    assert code not in token
    assert sessions.claim(code) is sessions.claim(token) is sessions.claim("") is None


def test_a_new_cookie_ends_the_one_before(tmp_path: Path) -> None:
    sessions = service(tmp_path)
    session, token = claimed(sessions, Person("Ada"))
    ada = Person("Ada", key=KEY, session=session)
    _, with_key = claimed(sessions, ada)
    assert sessions.recognise(token) is None
    assert sessions.recognise(with_key) is not None


def test_the_key_is_kept_when_someone_who_is_remembered_gets_a_new_cookie(tmp_path: Path) -> None:
    sessions = service(tmp_path)
    session, _ = claimed(sessions, Person("Ada", key=KEY))
    _, token = claimed(sessions, Person("Ada B", session=session, has_key=True))
    recognised = sessions.recognise(token)
    assert recognised is not None
    assert recognised.has_key


def test_a_forged_claim_to_have_the_key_is_not_remembered(tmp_path: Path) -> None:
    sessions = service(tmp_path)
    _, token = claimed(sessions, Person("Eve", session="ended", has_key=True))
    recognised = sessions.recognise(token)
    assert recognised is not None
    assert not recognised.has_key


def test_another_name_is_remembered_under_the_same_cookie(tmp_path: Path) -> None:
    sessions = service(tmp_path)
    session, token = claimed(sessions, Person("Ada"))
    sessions.rename(Person("Ada Byron", session=session))
    found = sessions.get(session)
    assert found is not None
    assert found.name == "Ada Byron"
    assert sessions.recognise(token) is not None


# -- admins -----------------------------------------------------------------------------------------------------------


def test_an_admin_lists_and_ends_sessions_and_leaves_a_line(tmp_path: Path) -> None:
    trail = Trail()
    sessions = service(tmp_path, rules=RULES, trail=trail)
    token = sessions.sign_in(CLAIMS, "", "")
    (session,) = sessions.live(ADMIN)
    assert session_owner(session) == "Ann Lee (ann@example.org)"
    assert sessions.revoke(ADMIN, session.id)
    assert sessions.recognise(token) is None
    assert not sessions.revoke(ADMIN, session.id)
    assert [line[1:4:2] for line in trail.lines[1:]] == [
        ["revoke session", f"Ann Lee (ann@example.org) ({session.id})"],
        ["revoke session", f"one that has ended ({session.id})"],
    ]


def test_nobody_else_sees_or_ends_sessions(tmp_path: Path) -> None:
    sessions = service(tmp_path)
    session, token = claimed(sessions, Person("Ada", key=KEY))
    for person in (Person("Bob", key=KEY), Person("Eve"), replace(ADMIN, is_operator=False)):
        with pytest.raises(NotAllowed, match="only admins may see who is signed in"):
            sessions.live(person)
        with pytest.raises(NotAllowed, match="only admins may end the sessions of others"):
            sessions.revoke(person, session)
    assert sessions.recognise(token) is not None


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36",
            "Chrome on Windows",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", "Safari on macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("curl/8.5.0", "unknown"),
        ("", "unknown"),
        ("<script>Firefox/1", "Firefox"),
    ],
)
def test_a_browser_is_named_in_a_few_words_of_our_own(agent: str, name: str) -> None:
    assert browser_name(agent) == name
