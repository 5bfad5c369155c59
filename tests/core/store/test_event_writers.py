"""Several processes write, are killed, fail to add up: no event is lost, none is counted twice."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from core.errors import StoreError
from core.records.events import Event
from core.store.sql import event_log as events_module
from core.store.sql import event_rollups as rollups
from core.store.sql.event_log import EventLog
from tests.fakes.child_processes import FORKS

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
WRITING_S, WRITERS = 2.0, 4
DEADLINE_S = 60.0


def write(path: Path, name: str, results: Connection) -> None:
    """Write events for two seconds, folding often; send how many there were."""
    events_module.FOLD_EVERY = 16
    log, number, end = EventLog(path, now=lambda: NOON), 0, time.monotonic() + WRITING_S
    while time.monotonic() < end:
        log.append(Event(f"{name}{number}", "search", NOON, name, stage_ms={"total": 5.0}, gemini_usd=0.1))
        number += 1
    results.send(number)


def write_until_killed(path: Path, results: Connection) -> None:
    """Write events, and send the number of each one that was acknowledged."""
    events_module.FOLD_EVERY = 4
    log, number = EventLog(path, now=lambda: NOON), len(EventLog(path, now=lambda: NOON).latest(1_000_000))
    while True:
        log.append(Event(f"{number}", "search", NOON, stage_ms={"total": 5.0}))
        number += 1
        results.send(number)


def counts(path: Path) -> tuple[int, int]:
    """How many events are stored, and how many their sums hold."""
    log = EventLog(path, now=lambda: NOON)
    hour = log.window(NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    assert hour.requests == sum(total.requests for total in log.totals().values()) == hour.stages["total"].count
    return len(log.latest(1_000_000)), hour.requests


def test_four_processes_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    EventLog(path, now=lambda: NOON)
    pipes = {name: FORKS.Pipe(duplex=False) for name in "abcd"[:WRITERS]}
    processes = [FORKS.Process(target=write, args=(path, name, pipe[1])) for name, pipe in pipes.items()]
    for process in processes:
        process.start()
    written = {name: pipe[0].recv() for name, pipe in pipes.items() if pipe[0].poll(DEADLINE_S)}
    for process in processes:
        process.join(DEADLINE_S)
    totals = EventLog(path, now=lambda: NOON).totals()
    assert {collection: total.requests for (_, collection), total in totals.items()} == written
    assert counts(path) == (sum(written.values()), sum(written.values()))


def test_a_killed_writer_leaves_every_acknowledged_event_once(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    EventLog(path, now=lambda: NOON)
    for round_number in range(3):
        hears, tells = FORKS.Pipe(duplex=False)
        process = FORKS.Process(target=write_until_killed, args=(path, tells))
        process.start()
        tells.close()
        acknowledged = 0
        before = counts(path)[0]
        while acknowledged < before + 50 + 3 * round_number:
            assert hears.poll(DEADLINE_S), "it does not write"
            acknowledged = hears.recv()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(DEADLINE_S)
        while hears.poll(0):
            try:
                acknowledged = hears.recv()
            except EOFError:
                break
        stored, sum_rows = counts(path)
        assert stored == sum_rows
        assert acknowledged <= stored <= acknowledged + 1
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


def test_many_threads_fold_while_others_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "FOLD_EVERY", 4)
    log, seen = EventLog(tmp_path / "events.db", now=lambda: NOON), [0]
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(sum(w.requests for w in log.totals().values()))

    def append(name: str) -> None:
        for number in range(40):
            log.append(Event(f"{name}{number}", "search", NOON, stage_ms={"total": 5.0}))

    reader, writers = threading.Thread(target=read), [threading.Thread(target=append, args=(n,)) for n in "abc"]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert seen == sorted(seen)
    assert counts(tmp_path / "events.db") == (120, 120)


def test_a_fold_that_fails_costs_no_event_and_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events_module, "FOLD_EVERY", 3)
    monkeypatch.setattr(logging.getLogger("contactsheet"), "propagate", True)
    log = EventLog(tmp_path / "events.db", now=lambda: NOON)

    def full(*_: object) -> int:
        raise sqlite3.OperationalError("disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(rollups, "fold", full)
        for number in range(5):
            log.append(Event(str(number), "search", NOON, stage_ms={"total": 5.0}))
    assert "events were not added up yet" in caplog.text
    log.append(Event("5", "search", NOON, stage_ms={"total": 5.0}))
    assert counts(tmp_path / "events.db") == (6, 6)


def test_a_cost_that_is_no_number_is_refused(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db", now=lambda: NOON)
    with pytest.raises(StoreError, match=r"cost of event 1: an amount must be between 0 and 9,223,372 USD, not inf"):
        log.append(Event("1", "search", NOON, gemini_usd=float("inf")))
    log.try_append(Event("2", "search", NOON, gemini_usd=float("nan")))
    log.try_append(Event("3", "search", NOON, prompt_tokens=2**70))
    assert log.latest() == []


def test_a_long_receipt_is_kept_small_and_whole(tmp_path: Path) -> None:
    log, detail = (
        EventLog(tmp_path / "events.db", now=lambda: NOON),
        {"places": [{"asset_id": "ab" * 32, "reason": "sharp"}] * 10},
    )
    log.append(Event("1", "search", NOON, detail=detail))
    found = log.get("1")
    assert found is not None
    assert found.detail == detail
    with sqlite3.connect(tmp_path / "events.db") as db:
        (length,) = db.execute("SELECT length(detail) FROM events").fetchone()
    db.close()
    assert length < 200
