"""Windows say what the events themselves say, however they are cut, rolled up and thinned out."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.records.events import COST_SERVICES, STAGES, TOKEN_TYPES, Event, EventWindow
from core.records.latency_sketch import LatencySketch
from core.records.money import PICO_PER_USD, pico_usd, usd
from core.store.sql import event_log as events_module
from core.store.sql import event_retention as retention_module
from core.store.sql import migrations
from core.store.sql.event_log import EventLog
from core.store.sql.event_retention import Retention
from core.store.sql.event_rollups import DAY_MS, HOUR_MS, MINUTE_MS
from core.store.sql.event_windows import split_span

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
USD = st.integers(0, PICO_PER_USD).map(usd)
TOKEN_COUNTS = st.integers(0, 10_000)
EVENTS = st.builds(
    Event,
    uid=st.uuids().map(lambda uid: uid.hex),
    kind=st.sampled_from(["search", "late", "cut"]),
    at=st.integers(-90_000_000, 0).map(lambda ms: NOON + timedelta(milliseconds=ms)),
    collection=st.sampled_from(["", "demo", "c"]),
    outcome=st.sampled_from(["ok", "fallback", "error"]),
    reason=st.sampled_from(["timeout", "quota"]),
    stage_ms=st.dictionaries(st.sampled_from(STAGES), st.floats(0, 5_000)),
    prompt_tokens=TOKEN_COUNTS,
    cached_tokens=TOKEN_COUNTS,
    output_tokens=TOKEN_COUNTS,
    thought_tokens=TOKEN_COUNTS,
    clip_usd=USD,
    compute_usd=USD,
    gemini_usd=USD,
    cache_hit=st.booleans(),
    images=st.integers(0, 30),
)
MOMENTS = st.integers(-100_000_000, 1_000_000).map(lambda ms: NOON + timedelta(milliseconds=ms))


def expected(events: Iterable[Event], since: datetime, until: datetime) -> EventWindow:
    """The window of events, counted one by one."""
    inside = [e for e in events if since <= e.at < until]
    outcomes = Counter(e.outcome for e in inside)
    return EventWindow(
        since,
        until,
        len(inside),
        outcomes["error"],
        outcomes["fallback"],
        dict(Counter(e.reason for e in inside if e.outcome != "ok")),
        dict(Counter((e.kind, e.outcome) for e in inside)),
        {
            stage: LatencySketch.from_values(e.stage_ms[stage] for e in inside if stage in e.stage_ms)
            for stage in STAGES
        },
        {token: sum(getattr(e, f"{token}_tokens") for e in inside) for token in TOKEN_TYPES},
        {service: usd(sum(pico_usd(getattr(e, f"{service}_usd")) for e in inside)) for service in COST_SERVICES},
        sum(e.cache_hit for e in inside),
        sum(e.images for e in inside),
    )


def filled(folder: Path, events: Sequence[Event], folded: int) -> EventLog:
    """A log that holds these events, the first of them in its roll-ups."""
    path = folder / "events.db"
    path.unlink(missing_ok=True)
    log = EventLog(path, now=lambda: NOON)
    for number, event in enumerate(events):
        log.append(event)
        if number + 1 == folded:
            log.fold()
    return log


@settings(max_examples=60)
@given(st.lists(EVENTS, max_size=25), st.integers(0, 25), MOMENTS, MOMENTS)
def test_a_window_is_the_sum_of_its_events_to_the_last_digit(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], folded: int, one: datetime, other: datetime
) -> None:
    since, until = sorted([one, other])
    log = filled(tmp_path_factory.mktemp("log"), events, folded)
    assert log.window(since, until) == expected(events, since, until)
    searches = [e for e in events if e.kind in ("search", "late") and e.collection == "demo"]
    assert log.window(since, until, ["search", "late"], "demo") == expected(searches, since, until)
    assert log.window(since, until, []) == EventWindow(since, until)


@settings(max_examples=25)
@given(st.lists(EVENTS, max_size=25), st.integers(0, 25), st.integers(1, 200), st.integers(1, 100_000))
def test_a_series_is_equal_steps_that_tile_the_time_and_add_up(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], folded: int, points: int, seconds: int
) -> None:
    since, until = NOON - timedelta(seconds=seconds), NOON
    found = filled(tmp_path_factory.mktemp("log"), events, folded).series(since, until, points)
    steps = {w.until - w.since for w in found}
    assert len(steps) == 1
    assert len(found) <= points + 1
    assert all(a.until == b.since for a, b in pairwise(found))
    assert found[0].since <= since
    assert found[-1].until >= until
    assert found == [expected(events, w.since, w.until) for w in found]


@given(st.integers(0, 3 * DAY_MS), st.integers(0, 3 * DAY_MS))
def test_pieces_tile_a_span_with_whole_units(one: int, other: int) -> None:
    since, until = sorted([one, other])
    found, place = list(split_span(since, until)), since
    for unit, start, end in found:
        assert (start, start < end) == (place, True)
        assert start % unit == end % unit == 0
        place = end
    assert place == until or since == until
    assert len(found) <= 7
    assert all(end - start < 2 * HOUR_MS for unit, start, end in found if unit == MINUTE_MS)


def test_totals_are_by_kind_and_collection_and_outlive_everything_else(tmp_path: Path) -> None:
    moment = NOON
    log = EventLog(tmp_path / "events.db", Retention(1, 1, 1, 1), now=lambda: moment)
    for number in range(10):
        log.append(Event(str(number), "search", NOON, "demo" if number % 2 else "", gemini_usd=0.1, images=3))
    log.fold()
    before = log.totals()
    moment = NOON + timedelta(days=4_000)
    log.append(Event("late", "cut", moment))
    log.fold()
    log.fold()
    after = EventLog(tmp_path / "events.db").totals()
    assert len(log.latest()) <= 2
    assert log.window(NOON - timedelta(days=1), NOON + timedelta(days=1)).requests == 0
    assert {key: replace(w, until=NOON) for key, w in after.items() if key[0] == "search"} == {
        key: replace(w, until=NOON) for key, w in before.items()
    }
    assert (after["search", "demo"].requests, after["search", "demo"].usd["gemini"]) == (5, math.fsum([0.1] * 5))
    assert after["cut", ""].requests == 1
    assert log.began_at() == NOON


def test_what_is_too_old_goes_level_by_level_and_the_rest_still_adds_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "PRUNE_BATCH_SIZE", 7)
    log = EventLog(tmp_path / "events.db", Retention(2, 4, 8, 1000), now=lambda: NOON)
    events = [
        Event(f"{hours}", "search", NOON - timedelta(hours=hours, minutes=7), stage_ms={"total": hours})
        for hours in range(480)
    ]
    for event in events:
        log.append(event)
    for _ in range(80):
        log.fold()
    midnight = NOON.replace(hour=0)
    assert min(e.at for e in log.latest(1_000) if e.uid != "479") >= midnight - timedelta(days=2)
    for days, whole in ((1, timedelta()), (3, timedelta(minutes=1)), (6, timedelta(hours=1)), (15, timedelta(days=1))):
        since = NOON - timedelta(days=days, minutes=3, seconds=3)
        found = log.window(since, NOON)
        assert timedelta() <= since - found.since < max(whole, timedelta(milliseconds=1))
        assert found == expected(events, found.since, NOON)
        points = log.series(since, NOON, 2_000)
        assert sum(w.requests for w in points) == expected(events, points[0].since, points[-1].until).requests


def test_an_event_that_arrives_late_is_counted_where_it_belongs(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db", Retention(1, 2, 3, 1000), now=lambda: NOON)
    log.append(Event("now", "search", NOON))
    log.fold()
    ancient = NOON - timedelta(days=40)
    log.append(Event("ancient", "search", ancient))
    log.append(Event("next", "search", NOON))
    log.fold()
    assert log.window(ancient - timedelta(days=1), ancient + timedelta(days=1)).requests == 1
    assert log.totals()["search", ""].requests == 3
    assert log.began_at() == ancient


def test_a_number_is_never_given_twice_whatever_was_removed(tmp_path: Path) -> None:
    moment = NOON
    log = EventLog(tmp_path / "events.db", Retention(1), now=lambda: moment)
    for number in range(5):
        log.append(Event(str(number), "search", NOON))
    log.fold()
    moment = NOON + timedelta(days=10)
    log.fold()
    assert [e.uid for e in log.latest()] == ["4"]
    log.append(Event("new", "search", moment))
    log.fold()
    assert log.totals()["search", ""].requests == 6


def test_the_slowest_and_the_dearest_come_first_with_their_receipts(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db", now=lambda: NOON)
    for number in range(40):
        cost = {"clip_usd": 0.01 * (number % 7), "gemini_usd": 0.001 * number}
        kind, collection = ("search", "demo") if number % 2 else ("cut", "c")
        took = {"total": float((number * 13) % 40)}
        log.append(Event(str(number), kind, NOON, collection, stage_ms=took, detail={"n": number}, **cost))
    hour = (NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    slow = log.slowest(*hour, n=3)
    assert [e.stage_ms["total"] for e in slow] == [39.0, 38.0, 37.0]
    assert all(e.detail == {"n": int(e.uid)} for e in slow)
    searches = sorted((e for e in log.latest(40) if e.kind == "search"), key=lambda e: (-e.total_usd, int(e.uid)))
    assert log.most_expensive(*hour, 5, ["search"], "demo") == searches[:5]
    assert log.slowest(NOON + timedelta(hours=1), NOON + timedelta(hours=2), 3) == []


def old_log(path: Path, events: int) -> None:
    """A log as the first version wrote it."""
    with sqlite3.connect(path) as db:
        for statement in migrations.EVENTS[0].statements:
            db.execute(statement)
        db.execute("PRAGMA user_version = 1")
        for number in range(events):
            db.execute(
                f"INSERT INTO events VALUES (NULL{', ?' * 21})",
                (
                    f"{number}",
                    round(NOON.timestamp() * 1000) - number * 1000,
                    "search",
                    "demo",
                    "ok",
                    "",
                    1.0,
                    2.0,
                    None,
                    3.0,
                    float(number),
                    1,
                    2,
                    3,
                    4,
                    0.1,
                    0.2,
                    0.3,
                    "m",
                    0,
                    '{"query": "red"}',
                ),
            )
    db.close()


def test_a_log_of_the_first_version_is_taken_over_with_all_its_events(tmp_path: Path) -> None:
    old_log(tmp_path / "events.db", 3_000)
    log = EventLog(tmp_path / "events.db", now=lambda: NOON)
    with sqlite3.connect(tmp_path / "events.db") as db:
        (folded,) = db.execute("SELECT event FROM folded").fetchone()
    db.close()
    assert folded > 3_000 - events_module.FOLD_EVERY
    found = log.window(NOON - timedelta(hours=1), NOON + timedelta(seconds=1))
    assert (found.requests, found.usd["clip"]) == (3_000, math.fsum([0.1] * 3_000))
    assert found.stages["total"] == LatencySketch.from_values(range(3_000))
    assert log.get("7") == replace(log.get("7") or Event("", "", NOON), detail={"query": "red"}, images=0)
