"""A process killed (SIGKILL) while it saves, publishes or writes a draft leaves the state before or after, whole."""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.store.sql.database import Database
from core.store.sql.draft_store import DraftStore
from core.store.sql.revision_store import RevisionStore
from tests.core.store.test_revision_store import same_clustering
from tests.fakes.child_processes import FORKS
from tests.fakes.killed_saving import act_announced, clustering_of, history_of, publish_other, save_next, write_next

DEADLINE_S = 60.0
AT_WORK, MOST_ATTEMPTS, LONGEST_MS = 10, 100, 12.0
ROW = "one row of many"


@dataclass(frozen=True)
class Subject:
    """What is done again and again: how often it was committed, whether all of it is whole, and doing it once more."""

    action: str
    count: Callable[[], int]
    whole: Callable[[], bool]
    once_more: Callable[[], int]


def saving(database: Database) -> Subject:
    revisions = RevisionStore(database)
    save_next(revisions)

    def whole() -> bool:
        found = revisions.list("c", limit=3)
        parents = all(r.parent == (r.id - 1 or None) for r in found)
        return parents and all(same_clustering(revisions.clustering(r.id), clustering_of(r.id)) for r in found)

    return Subject("save", lambda: len(revisions.list("c", limit=-1)), whole, lambda: save_next(revisions))


def publishing(database: Database) -> Subject:
    revisions = RevisionStore(database)
    for _ in range(2):
        save_next(revisions)

    def whole() -> bool:
        log, published = revisions.publications("c", limit=-1), revisions.published("c")
        chain = [p.revision for p in log[1:]] == [p.replaced for p in log[:-1]]
        return chain and (published.id if published else None) == (log[0].revision if log else None)

    return Subject(
        "publish", lambda: len(revisions.publications("c", limit=-1)), whole, lambda: publish_other(revisions)
    )


def drafting(database: Database) -> Subject:
    drafts = DraftStore(database)
    draft_id = drafts.create("c", None, history_of(0), "Ada", "name:Ada").id

    def whole() -> bool:
        draft = drafts.get(draft_id)
        return draft.history == history_of(draft.version)

    return Subject("draft", lambda: drafts.get(draft_id).version, whole, lambda: write_next(drafts))


def strike(path: Path, action: str, linger_at: int, delay_ms: float = 0.0) -> list[str]:
    """Kill a process as it lingers at a step, or (0) `delay_ms` after its second transaction began: all it told."""
    reading, writing = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=act_announced, args=(path, action, linger_at, writing))
    process.start()
    writing.close()
    told, deadline = b"", time.monotonic() + DEADLINE_S
    while told.count(b"step ") < linger_at or (linger_at == 0 and told.count(b"BEGIN IMMEDIATE") < 2):
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        part = os.read(reading.fileno(), 1 << 16) if ready else b""
        assert part, f"it ended or hung after {told[-200:]!r}"
        told += part
    time.sleep(delay_ms / 1000)
    process.kill()
    while part := os.read(reading.fileno(), 1 << 16):
        told += part
    reading.close()
    process.join(DEADLINE_S)
    assert process.exitcode == -signal.SIGKILL
    return told.decode().splitlines()


def steps(told: list[str]) -> list[str]:
    return [line.removeprefix("step ") for line in told if line.startswith("step ")]


def is_inside(told: list[str]) -> bool:
    """Whether the process was killed between the begin of a transaction that writes and its connection's end."""
    return next((s for s in reversed(steps(told)) if s in ("BEGIN IMMEDIATE", "closed")), "") == "BEGIN IMMEDIATE"


def stops(path: Path, action: str) -> list[int]:
    """The numbers of the steps to linger at: each from before the begin to after the close, of many rows three."""
    names = steps(strike(path, action, 0))
    begin = names.index("BEGIN IMMEDIATE")
    numbers = range(begin, names.index("closed", begin) + 2)
    rows = [number for number in numbers if names[number - 1] == ROW]
    return [n for n in numbers if names[n - 1] != ROW or n in (rows[0], rows[len(rows) // 2], rows[-1])]


def judge(subject: Subject, before: int, told: list[str]) -> str:
    """Check what a killed process left behind, and say which state it is."""
    done = [int(line.removeprefix("done ")) for line in told if line.startswith("done ")]
    committed, after = steps(told).count("committed"), subject.count()
    in_commit = steps(told)[-1] == "COMMIT"
    assert committed <= after - before <= committed + in_commit, (before, after, told[-5:])
    assert after >= max(done, default=0)
    assert subject.whole()
    return "new" if after - before > len(done) else "old"


@pytest.mark.parametrize("make", [saving, publishing, drafting])
def test_a_kill_leaves_the_state_before_or_after_and_whole(make: Callable[[Database], Subject], tmp_path: Path) -> None:
    database = Database(tmp_path / "contactsheet.db")
    subject, rng, hits = make(database), random.Random(7), Counter[str]()

    def kill(how: str, linger_at: int, delay_ms: float) -> list[str]:
        before = subject.count()
        told = strike(database.path, subject.action, linger_at, delay_ms)
        hits[f"{how}, {'inside' if is_inside(told) else 'outside'}"] += 1
        print(f"{subject.action}: killed {how} at {steps(told)[-1]!r}, found the {judge(subject, before, told)} state")
        return told

    for number in stops(database.path, subject.action):
        assert len(steps(kill("lingering", number, 0.0))) == number
    for _ in range(MOST_ATTEMPTS):
        kill("at work", 0, rng.uniform(0, LONGEST_MS))
        if hits["at work, inside"] >= AT_WORK:
            break
    print(f"{subject.action}: {sum(hits.values())} kills: {dict(hits)}")
    assert hits["at work, inside"] >= AT_WORK
    before = subject.count()
    subject.once_more()
    assert subject.count() == before + 1
    with sqlite3.connect(database.path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_log_that_ends_anywhere_holds_the_old_or_the_new_revision_whole(tmp_path: Path) -> None:
    """As after a power cut, or a kill within the writing of one commit: SQLite's log is cut off at many lengths."""
    path, rng, states = tmp_path / "contactsheet.db", random.Random(3), Counter[str]()
    revisions = RevisionStore(Database(path))
    save_next(revisions)
    with sqlite3.connect(path) as held_open:
        held_open.execute("SELECT count(*) FROM revisions").fetchone()  # while it is open, the log stays
        save_next(revisions)
        log = path.with_name("contactsheet.db-wal").read_bytes()
        shutil.copy(path, tmp_path / "without-log.db")
    held_open.close()
    for length in sorted({0, len(log) - 1, len(log), *(rng.randrange(len(log)) for _ in range(40))}):
        copy = tmp_path / f"{length}.db"
        shutil.copy(tmp_path / "without-log.db", copy)
        copy.with_name(f"{length}.db-wal").write_bytes(log[:length])
        found = RevisionStore(Database(copy))
        newest = found.newest("c")
        assert newest is not None
        assert same_clustering(found.clustering(newest.id), clustering_of(newest.id))
        states["new" if newest.id == 2 else "old"] += 1
        assert save_next(found) == newest.id + 1
    print(f"a log of {len(log)} bytes cut off: {dict(states)}")
    assert set(states) == {"old", "new"}
