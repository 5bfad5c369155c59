from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from core.records.sessions import Account, NewSession
from core.store.sql import session_store
from core.store.sql.database import Database
from core.store.sql.session_store import SessionStore
from tests.fakes.clock import Clock

WEEK = timedelta(days=7)
ANN = Account("https://id.example 17", "Ann Lee", "ann@example.org", frozenset({"desk", "archive"}))
NEW = NewSession(WEEK, "192.168.1.7", "Firefox on Linux", ANN)


@pytest.fixture
def sessions(database: Database, clock: Clock) -> SessionStore:
    return SessionStore(database, clock)


def test_a_session_comes_back_as_it_was_begun(sessions: SessionStore, clock: Clock) -> None:
    session = sessions.create(NEW, token_hash="t")
    found = sessions.get(session)
    assert found is not None
    assert (found.account, found.name, found.with_key, found.visitor, found.browser) == (
        ANN,
        "",
        False,
        "192.168.1.7",
        "Firefox on Linux",
    )
    assert (found.created_at, found.seen_at, found.expires_at) == (clock.moment, clock.moment, clock.moment + WEEK)
    assert sessions.recognise("t") == (found, "")
    assert sessions.recognise("other") is None


def test_a_session_lives_until_it_expires_and_is_seen_when_its_cookie_comes(
    sessions: SessionStore, clock: Clock
) -> None:
    session = sessions.create(NEW, token_hash="t")
    clock.move(hours=1)
    sessions.recognise("t")
    assert [found.seen_at for found in sessions.live()] == [clock.moment]
    clock.move(days=7)
    assert sessions.recognise("t") is sessions.get(session) is None
    assert sessions.live() == []


def test_an_ended_session_is_gone_for_every_process_and_cannot_be_ended_again(
    sessions: SessionStore, database: Database, clock: Clock
) -> None:
    elsewhere = SessionStore(Database(database.path), clock)
    session, other = sessions.create(NEW, token_hash="t"), sessions.create(NEW, token_hash="u")
    assert elsewhere.end(session)
    assert sessions.recognise("t") is sessions.get(session) is None
    assert [found.id for found in sessions.live()] == [other]
    assert not sessions.end(session)
    assert not sessions.end("unknown")


def test_an_offer_lives_once_it_is_claimed_and_is_claimed_once(sessions: SessionStore, clock: Clock) -> None:
    session = sessions.create(NEW, claim_hash="c")
    assert sessions.get(session) is None
    assert not sessions.claim("d", "t", timedelta(minutes=1))
    assert sessions.claim("c", "t", timedelta(minutes=1))
    assert sessions.get(session) is not None
    assert not sessions.claim("c", "u", timedelta(minutes=1))
    assert sessions.recognise("u") is None


def test_an_old_or_ended_offer_cannot_be_claimed(sessions: SessionStore, clock: Clock) -> None:
    sessions.create(NEW, claim_hash="c")
    sessions.end(sessions.create(NEW, claim_hash="d"))
    clock.move(seconds=61)
    assert not sessions.claim("c", "t", timedelta(minutes=1))
    assert not sessions.claim("d", "u", timedelta(hours=1))


def test_no_session_has_an_empty_id(sessions: SessionStore) -> None:
    assert sessions.get("") is None


def test_room_is_made_by_forgetting_those_seen_longest_ago(
    sessions: SessionStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_store, "MAX_SESSIONS", 3)
    for token in "abc":
        clock.move(minutes=5)
        sessions.create(NEW, token_hash=token)
    clock.move(minutes=5)
    sessions.recognise("a")
    sessions.create(NEW, token_hash="d")
    assert [token for token in "abcd" if sessions.recognise(token)] == ["a", "c", "d"]


def test_one_account_makes_room_among_its_own_sessions_alone(
    sessions: SessionStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_store, "MAX_SESSIONS_OF_ACCOUNT", 2)
    sessions.create(replace(NEW, account=replace(ANN, id="other")), token_hash="z")
    for token in "abc":
        clock.move(minutes=5)
        sessions.create(NEW, token_hash=token)
    assert [token for token in "zabc" if sessions.recognise(token)] == ["z", "b", "c"]


def test_sessions_with_a_name_alone_go_before_all_others(
    sessions: SessionStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_store, "MAX_SESSIONS", 3)
    sessions.create(NEW, token_hash="a")
    sessions.create(replace(NEW, account=None, key_proof="p"), token_hash="k")
    for token in "xyz":
        clock.move(minutes=5)
        sessions.create(replace(NEW, account=None, name="Eve"), token_hash=token)
    assert [token for token in "akxyz" if sessions.recognise(token)] == ["a", "k", "z"]


def test_a_session_has_ended_when_it_did_expired_or_is_unknown_and_not_while_it_waits(
    sessions: SessionStore, clock: Clock
) -> None:
    waiting, ended = sessions.create(NEW, claim_hash="c"), sessions.create(NEW, token_hash="t")
    sessions.end(ended)
    assert [sessions.has_ended(session) for session in (waiting, ended, "unknown", "")] == [False, True, True, True]
    clock.move(days=8)
    assert sessions.has_ended(waiting)


def test_expired_sessions_leave_the_database(sessions: SessionStore, database: Database, clock: Clock) -> None:
    sessions.create(NEW, token_hash="t")
    clock.move(days=8)
    sessions.create(NEW, token_hash="u")
    with sqlite3.connect(database.path) as db:
        assert db.execute("SELECT token_hash FROM sessions").fetchall() == [("u",)]
