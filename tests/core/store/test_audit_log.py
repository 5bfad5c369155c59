from __future__ import annotations

import logging
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.access import Access, Account, Action, Person
from core.errors import ClusterError, StoreError
from core.records.audit import AuditFilter
from core.settings import PROJECT
from core.store.sql.audit_log import LONGEST, AuditLog
from core.store.sql.database import Database

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
ADA = Person("Ada", over_loopback=True, visitor="192.0.2.7")
APPEND_ONLY = "the audit log is append-only"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "contactsheet.db"


@pytest.fixture
def audit(path: Path, clock: Clock) -> AuditLog:
    return AuditLog(Database(path), clock)


def targets(audit: AuditLog, **wanted: object) -> list[str]:
    return [entry.target for entry in audit.search(AuditFilter(**wanted))]  # type: ignore[arg-type]


# -- what is written ------------------------------------------------------------------------------------------------


def test_an_entry_says_who_did_what_when_from_where_and_how_it_ended(audit: AuditLog, clock: Clock) -> None:
    ann = Person("Bob", account=Account("https://id.example 17", "Ann"), visitor="192.0.2.9")
    entry = audit.begin(ann, "publish", "birds", "revision 7")
    (begun,) = audit.search()
    assert (begun.at, begun.actor, begun.identity, begun.visitor) == (
        NOW,
        "Ann",
        "account:https://id.example 17",
        "192.0.2.9",
    )
    assert (begun.action, begun.collection, begun.target, begun.outcome) == (
        "publish",
        "birds",
        "revision 7",
        "under way",
    )
    clock.now += timedelta(minutes=1)
    audit.finish(entry, "done")
    assert audit.search() == [replace(begun, outcome="done")]


def test_an_action_that_fails_is_recorded_with_the_kind_of_its_error_alone(audit: AuditLog) -> None:
    with (
        pytest.raises(ClusterError, match="violet evening"),
        Access(audit=audit).acting(ADA, Action.PRUNE, "c"),
    ):
        raise ClusterError("no cluster is called ‘a violet evening’: choose it again")
    assert [entry.outcome for entry in audit.search()] == ["not done: cluster error"]


def test_what_is_no_write_of_a_service_is_recorded_whole(audit: AuditLog) -> None:
    audit.record(ADA, "sign-in failed", outcome="not done: not an account of this server")
    audit.record(ADA, "sign in")
    assert [(entry.action, entry.outcome) for entry in audit.search()] == [
        ("sign in", "done"),
        ("sign-in failed", "not done: not an account of this server"),
    ]


def test_texts_are_one_line_of_bounded_length(audit: AuditLog) -> None:
    hostile = "a\x1b[2J\nb\u202ec\ud800" + "x" * 5_000
    audit.finish(audit.begin(replace(ADA, visitor=hostile), hostile, hostile, hostile), hostile)
    (entry,) = audit.search()
    for text in (entry.visitor, entry.action, entry.collection, entry.target, entry.outcome):
        assert text.startswith("a [2J b c x")
        assert text.endswith("x…")
        assert len(text) <= 300


def test_an_outcome_that_cannot_be_written_does_not_undo_what_was_done(
    audit: AuditLog, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Access(audit=audit).acting(ADA, Action.EMPTY_BIN, "c"), sqlite3.connect(path) as db:
        db.execute("DROP TABLE audit")
    with caplog.at_level(logging.ERROR):
        audit.finish(1, "done")
    assert "an outcome could not be recorded" in caplog.text


def test_what_cannot_be_recorded_is_not_done(audit: AuditLog, path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE audit")
    with pytest.raises(StoreError, match="nothing was changed"), Access(audit=audit).acting(ADA, Action.EMPTY_BIN, "c"):
        raise AssertionError


# -- append only ----------------------------------------------------------------------------------------------------


COPY = "at_ms, actor, identity, visitor, action, collection, target, outcome"
FORBIDDEN = [
    "DELETE FROM audit",
    "DELETE FROM audit WHERE outcome IS NULL",
    "UPDATE audit SET outcome = 'not done' WHERE id = 1",
    "UPDATE audit SET outcome = NULL WHERE id = 1",
    "UPDATE audit SET outcome = NULL WHERE id = 2",
    "UPDATE audit SET actor = 'Eve', outcome = 'done' WHERE id = 2",
    *(
        f"UPDATE audit SET {column} = 'x', outcome = 'done' WHERE id = 2"
        for column in ("identity", "visitor", "action", "collection", "target")
    ),
    "UPDATE audit SET at_ms = 0, outcome = 'done' WHERE id = 2",
    "UPDATE audit SET id = 9, outcome = 'done' WHERE id = 2",
    "UPDATE OR REPLACE audit SET id = 1, outcome = 'done' WHERE id = 2",
    f"INSERT OR REPLACE INTO audit (id, {COPY}) SELECT 1, {COPY} FROM audit WHERE id = 2",
    f"REPLACE INTO audit (id, {COPY}) SELECT 2, {COPY} FROM audit WHERE id = 1",
    f"INSERT INTO audit (id, {COPY}) SELECT 2, {COPY} FROM audit WHERE id = 1 ON CONFLICT DO UPDATE SET target = 'x'",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_no_connection_changes_or_deletes_an_entry(audit: AuditLog, path: Path, statement: str) -> None:
    audit.record(ADA, "publish", "c", "revision 1")
    audit.begin(ADA, "publish", "c", "revision 2")
    before = audit.search()
    db = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match=APPEND_ONLY):
        db.execute(statement)
    db.commit()
    db.close()
    assert audit.search() == before


def test_an_end_is_recorded_once(audit: AuditLog) -> None:
    entry = audit.begin(ADA, "publish", "c", "revision 1")
    audit.finish(entry, "done")
    audit.finish(entry, "not done: cluster error")
    assert [found.outcome for found in audit.search()] == ["done"]


# -- many processes -------------------------------------------------------------------------------------------------


def process(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.fakes.audited", str(path), name, str(count)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)


def test_an_action_whose_process_was_killed_stays_as_broken_off(audit: AuditLog, path: Path, clock: Clock) -> None:
    killed = process(path, "Ada", 0)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "begun\n"
    killed.kill()
    assert killed.wait(60) == -signal.SIGKILL
    killed.stdout.close()
    (entry,) = audit.search()
    assert (entry.actor, entry.action, entry.collection) == ("Ada", "delete collection", "c")
    clock.now = entry.at + LONGEST
    assert [found.outcome for found in audit.search()] == ["under way"]
    clock.now += timedelta(seconds=1)
    assert [found.outcome for found in audit.search()] == ["broken off"]
    assert len(audit.search(AuditFilter("broken OFF"))) == 1


def test_two_processes_that_append_at_once_lose_nothing(audit: AuditLog, path: Path) -> None:
    both = [process(path, name, 200) for name in ("Ada", "Bob")]
    for one in both:
        assert one.wait(120) == 0
        assert one.stdout is not None
        one.stdout.close()
    found = audit.search(limit=1_000)
    assert Counter((entry.actor, entry.outcome) for entry in found) == {("Ada", "done"): 200, ("Bob", "done"): 200}
    assert {entry.target for entry in found} == {f"revision {number}" for number in range(200)}


# -- what is found --------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(audit: AuditLog, clock: Clock) -> AuditLog:
    for number, (name, action, target) in enumerate(
        [("Ada", "publish", "revision 1"), ("Bob", "remove", "3 pictures"), ("Ada", "save", ""), ("Ada", "remove", "%")]
    ):
        clock.now = NOW + timedelta(hours=number)
        audit.record(replace(ADA, name=name), action, f"c_{number}", target)
    return audit


@pytest.mark.parametrize(
    ("wanted", "collections"),
    [
        (AuditFilter(), ["c_3", "c_2", "c_1", "c_0"]),
        (AuditFilter("ada"), ["c_3", "c_2", "c_0"]),
        (AuditFilter("192.0.2.7"), ["c_3", "c_2", "c_1", "c_0"]),
        (AuditFilter(" pictures\n"), ["c_1"]),
        (AuditFilter("name:Bob"), ["c_1"]),
        (AuditFilter("20 13:30"), ["c_1"]),
        (AuditFilter("done"), ["c_3", "c_2", "c_1", "c_0"]),
        (AuditFilter("%"), ["c_3"]),
        (AuditFilter("c_"), ["c_3", "c_2", "c_1", "c_0"]),
        (AuditFilter("c__"), []),
        (AuditFilter("_0"), ["c_0"]),
        (AuditFilter("\\"), []),
        (AuditFilter("' OR 1 = 1 --"), []),
        (AuditFilter(action="remove"), ["c_3", "c_1"]),
        (AuditFilter("ada", "remove"), ["c_3"]),
        (AuditFilter(action="remove%"), []),
        (AuditFilter(action="\udc80"), []),
        (AuditFilter("ada\udc80"), ["c_3", "c_2", "c_0"]),
        (AuditFilter(since=NOW + timedelta(hours=1)), ["c_3", "c_2", "c_1"]),
        (AuditFilter(until=NOW + timedelta(hours=1)), ["c_0"]),
        (AuditFilter("ada", "", NOW + timedelta(hours=1), NOW + timedelta(hours=3)), ["c_2"]),
    ],
    ids=ascii,
)
def test_entries_are_found_by_text_action_and_time(
    filled: AuditLog, wanted: AuditFilter, collections: list[str]
) -> None:
    assert [entry.collection for entry in filled.search(wanted)] == collections


def test_the_actions_in_the_log_are_listed(filled: AuditLog) -> None:
    assert filled.actions() == ["publish", "remove", "save"]


def test_a_hundred_thousand_entries_are_searched_and_paged(audit: AuditLog, path: Path, clock: Clock) -> None:
    """Many at one moment, so that pages break between entries of the same time."""
    first_ms = round(NOW.timestamp() * 1000)
    rows = ((first_ms + number // 7, f"Person {number % 50}", f"revision {number}") for number in range(100_000))
    with sqlite3.connect(path) as db:
        db.executemany(
            "INSERT INTO audit (at_ms, actor, identity, visitor, action, collection, target, outcome)"
            " VALUES (?, ?, 'name:x', '192.0.2.7', 'publish', 'c', ?, 'done')",
            rows,
        )
    db.close()
    clock.now = NOW + timedelta(days=1)

    def timed(what: str, search: Callable[[], list[str]]) -> list[str]:
        started = time.perf_counter()
        found = search()
        print(f"{what}: {(time.perf_counter() - started) * 1000:.0f} ms")
        return found

    def one_page(wanted: AuditFilter, before_id: int = 0) -> list[str]:
        return [entry.target for entry in audit.search(wanted, 50, before_id)]

    newest = [f"revision {number}" for number in range(99_999, 99_949, -1)]
    assert timed("newest", lambda: one_page(AuditFilter())) == newest
    assert timed("of one action", lambda: one_page(AuditFilter(action="publish"))) == newest
    assert timed("of a time", lambda: one_page(AuditFilter(since=NOW))) == newest
    assert timed("the oldest", lambda: one_page(AuditFilter("revision 31"), 33))[0] == "revision 31"
    assert timed("a rare text", lambda: one_page(AuditFilter("revision 123"))) != []
    assert timed("a text that is nowhere", lambda: one_page(AuditFilter("nowhere"))) == []
    assert timed("actions", audit.actions) == ["publish"]
    seen, before_id = list[int](), 0
    while found := audit.search(AuditFilter("person 7"), 300, before_id):
        seen += [entry.id for entry in found]
        before_id = found[-1].id
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 2_000
