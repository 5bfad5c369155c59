"""The event log: what is written is read back, by several writers at once, and never at the cost of an answer."""

from __future__ import annotations

import logging
import sqlite3
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import StoreError
from core.records.events import Event
from core.records.money import PICO_PER_USD, usd
from core.store.sql.event_log import STAGES, EventLog
from tests.fakes.child_processes import FORKS

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
COUNTS = st.integers(0, 2**62)
USD = st.integers(0, 1_000 * PICO_PER_USD).map(usd)
EVENTS = st.builds(
    Event,
    uid=st.just(""),
    kind=st.sampled_from(["search", "refine", "late"]),
    at=st.integers(0, 4 * 10**12).map(lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)),
    collection=st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True),
    outcome=st.sampled_from(["ok", "fallback", "error"]),
    reason=st.sampled_from(["", "timeout"]),
    stage_ms=st.dictionaries(st.sampled_from(STAGES), st.floats(0, 1e9)),
    prompt_tokens=COUNTS,
    cached_tokens=COUNTS,
    output_tokens=COUNTS,
    thought_tokens=COUNTS,
    clip_usd=USD,
    compute_usd=USD,
    gemini_usd=USD,
    model=st.sampled_from(["", "gemini-3.5-flash-lite"]),
    cache_hit=st.booleans(),
    detail=st.dictionaries(st.text(), st.none() | st.text() | st.floats(-1e9, 1e9) | st.lists(st.text()), max_size=4),
)


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    return EventLog(tmp_path / "events.db")


def event(uid: str) -> Event:
    return Event(uid, "search", NOON)


@settings(deadline=None, max_examples=60)
@given(EVENTS)
def test_an_event_is_read_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, event: Event) -> None:
    log = EventLog(tmp_path_factory.getbasetemp() / "events.db")
    written = replace(event, uid=uuid.uuid4().hex)
    log.append(written)
    assert log.get(written.uid) == log.latest(1)[0] == written


def test_the_newest_come_first_and_an_unknown_one_is_none(log: EventLog) -> None:
    for number in range(5):
        log.append(event(str(number)))
    assert [found.uid for found in log.latest(3)] == ["4", "3", "2"]
    assert log.get("9") is None


def test_halves_of_characters_are_written_too(log: EventLog) -> None:
    odd = replace(event("1"), collection="c\udcff", detail={"query": "red \udcff"})
    log.append(odd)
    assert log.get("1") == replace(odd, collection="c\\udcff")


def test_a_log_that_cannot_be_written_costs_nobody_their_answer(
    log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise StoreError("disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(log, "append", full)
        patch.setattr(logging.getLogger("contactsheet"), "propagate", True)
        log.try_append(event("1"))
    assert "an event could not be written" in caplog.text
    assert log.latest() == []
    log.try_append(event("1"))
    assert len(log.latest()) == 1


def test_an_event_is_written_once(log: EventLog) -> None:
    log.append(event("1"))
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        log.append(event("1"))


def test_many_threads_lose_no_event(log: EventLog) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log.append(event(str(number))), range(80)))
    assert len(log.latest(1_000)) == 80


def _append(path: Path, name: str) -> None:
    log = EventLog(path)
    for number in range(40):
        log.append(event(f"{name}{number}"))


def test_several_processes_lose_no_event(tmp_path: Path) -> None:
    processes = [FORKS.Process(target=_append, args=(tmp_path / "events.db", name)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len({found.uid for found in EventLog(tmp_path / "events.db").latest(1_000)}) == 120
