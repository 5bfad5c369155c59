from __future__ import annotations

import math
import multiprocessing
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from core.access import OPERATOR, Access, Person
from core.errors import NotAllowed, StoreError
from core.metrics.alert_readings import AlertReadings, LimitUsage
from core.metrics.alert_rules import load_rules
from core.metrics.alert_service import AlertError, AlertService
from core.metrics.alert_state import evaluate, step
from core.records.alerts import Alert, AlertReading, AlertRule, AlertState, Silence
from core.records.events import EventWindow
from core.records.latency_sketch import LatencySketch
from core.settings import Secret
from core.store.sql import alert_store
from core.store.sql.alert_store import AlertStore
from tests.fakes.child_processes import FORKS

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
SPENT = AlertRule("Spent", "The budget is nearly spent", "budget_share", 0.8, 0.7, 0, "warning", "Look.")
SLOW = AlertRule("Slow", "Searches are slow", "total_p95_s", 2.0, 1.5, 60, "critical", "Look.", ("search",), 300, 10)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


class World:
    """Measured values, and the alerts that were reported."""

    def __init__(self, path: Path, rules: tuple[AlertRule, ...] = (SPENT, SLOW), key: str = "") -> None:
        self.values, self.reported, self.measured = {"Spent": 0.1, "Slow": 1.0}, list[str](), 0
        self.service = AlertService(rules, AlertStore(path / "alerts.db"), self.measure, Access(Secret(key)), self.tell)

    def measure(self, rule: AlertRule, now: datetime) -> AlertReading:
        self.measured += 1
        return AlertReading(now, self.values[rule.name], 20)

    def tell(self, alert: Alert) -> None:
        self.reported.append(f"{alert.rule.name} {alert.state.phase}")

    def phases(self, seconds: float) -> list[str]:
        return [alert.state.phase for alert in self.service.check(at(seconds))]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_alerts_fire_are_told_and_resolved(world: World) -> None:
    assert world.phases(0) == ["inactive", "inactive"]
    world.values |= {"Spent": 0.9, "Slow": 3.0}
    assert world.phases(10) == ["firing", "pending"]
    assert world.phases(60) == ["firing", "pending"]
    assert world.phases(70) == ["firing", "firing"]
    world.values |= {"Spent": 0.75, "Slow": 0.2}
    assert world.phases(80) == ["firing", "resolved"]
    assert world.reported == ["Spent firing", "Slow firing", "Slow resolved"]


def test_history_has_the_newest_first_with_value_and_threshold(world: World) -> None:
    for second, value in ((0, 0.9), (10, 0.95), (20, 0.1), (30, 0.85)):
        world.values["Spent"] = value
        world.service.check(at(second))
    found = [
        (change.name, change.phase, change.at, change.value, change.threshold) for change in world.service.history()
    ]
    assert found == [
        ("Spent", "firing", at(30), 0.85, 0.8),
        ("Spent", "resolved", at(20), 0.1, 0.8),
        ("Spent", "firing", at(0), 0.9, 0.8),
    ]
    assert [change.at for change in world.service.history(1)] == [at(30)]


def test_history_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_store, "MAX_CHANGES", 4)
    for second in range(0, 20, 2):
        world.values["Spent"] = 0.9 if second % 4 else 0.1
        world.service.check(at(second))
    assert [change.at for change in world.service.history()] == [at(18), at(16), at(14), at(12)]


def test_states_outlive_their_process(tmp_path: Path) -> None:
    first = World(tmp_path)
    first.values |= {"Spent": 0.9, "Slow": 3.0}
    first.service.check(at(0))
    first.service.check(at(60))
    second = World(tmp_path)
    second.values |= {"Spent": 0.9, "Slow": 3.0}
    assert second.service.current(at(61)) == first.service.current(at(61))
    assert second.phases(70) == ["firing", "firing"]
    assert second.reported == []


def test_within_a_second_one_of_many_measures(world: World) -> None:
    world.service.check(at(0))
    world.service.check(at(0.9))
    assert world.measured == 2
    world.service.check(at(1))
    assert world.measured == 4


def test_a_clock_that_was_set_back_does_not_stop_the_checks(world: World) -> None:
    world.service.check(at(3600))
    world.service.check(at(0))
    assert world.measured == 4


def test_to_look_is_not_to_measure(world: World) -> None:
    assert [alert.state for alert in world.service.current(at(0))] == [AlertState(), AlertState()]
    assert world.measured == 0


def test_nobody_is_told_of_a_silenced_alert_until_its_silence_ends(world: World) -> None:
    silence = world.service.silence("Spent", at(60), Person("Ada", over_loopback=True), "known\nsince  noon")
    assert silence == Silence("Spent", at(60), "Ada", "known since noon")
    world.values["Spent"] = 0.9
    (spent, _) = world.service.check(at(10))
    assert (spent.firing, spent.active, spent.silence, world.reported) == (True, False, silence, [])
    (spent, _) = world.service.check(at(60))
    assert (spent.active, spent.silence, world.reported) == (True, None, ["Spent firing"])


def test_of_an_alert_that_came_and_went_in_silence_nobody_hears(world: World) -> None:
    world.service.silence("Spent", at(60), OPERATOR)
    for second, value in ((0, 0.9), (10, 0.1), (70, 0.1)):
        world.values["Spent"] = value
        world.service.check(at(second))
    assert world.reported == []
    assert [change.phase for change in world.service.history()] == ["resolved", "firing"]


def test_those_who_heard_that_it_fires_hear_that_it_is_over_though_it_was_silenced(world: World) -> None:
    world.values["Spent"] = 0.9
    world.service.check(at(0))
    world.service.silence("Spent", at(60), OPERATOR)
    world.values["Spent"] = 0.1
    world.service.check(at(10))
    assert world.reported == ["Spent firing", "Spent resolved"]


def test_a_silence_can_be_ended(world: World) -> None:
    world.values["Spent"] = 0.9
    world.service.silence("Spent", at(60), OPERATOR)
    world.service.unsilence("Spent", OPERATOR)
    world.service.unsilence("Spent", OPERATOR)
    assert world.service.check(at(1))[0].active


def test_only_curators_silence(tmp_path: Path) -> None:
    service = World(tmp_path, key="sesame").service
    stranger, curator = Person("Eve", over_loopback=True), Person("Ada", key=Secret("sesame"))
    with pytest.raises(NotAllowed, match="only curators may silence alerts: enter the curator key"):
        service.silence("Spent", at(60), stranger)
    service.silence("Spent", at(60), curator)
    with pytest.raises(NotAllowed, match="only curators may silence alerts"):
        service.unsilence("Spent", stranger)
    assert service.current(at(0))[0].silence is not None


def test_an_alert_that_there_is_none_of_cannot_be_silenced(world: World) -> None:
    with pytest.raises(AlertError, match="no alert 'Spnt': choose one of Spent, Slow"):
        world.service.silence("Spnt", at(60), OPERATOR)


def test_an_alert_says_what_is_the_matter(world: World) -> None:
    world.values["Spent"] = 0.875
    assert world.service.check(at(0))[0].summary == "The budget is nearly spent: 87.5 % (threshold 80.0 %)"


def test_a_measure_that_fails_leaves_everything_as_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.values["Spent"] = 0.9
    world.service.check(at(0))

    def broken(rule: AlertRule, now: datetime) -> AlertReading:
        raise StoreError("the log cannot be read: look")

    monkeypatch.setattr(world.service, "_measure", broken)
    with pytest.raises(StoreError, match="cannot be read"):
        world.service.check(at(10))
    assert world.service.current(at(10))[0].firing


def test_of_many_threads_one_notes_and_tells_a_change(tmp_path: Path) -> None:
    stores = [AlertStore(tmp_path / "alerts.db") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        news = pool.map(lambda store: store.advance({SPENT: AlertReading(at(0), 0.9)}, at(0), step), stores * 4)
        assert Counter(len(some) for some in news) == {0: 15, 1: 1}
    assert len(stores[0].changes(100)) == 1


def _advance(path: Path, results: multiprocessing.Queue[list[str]]) -> None:
    store, news = AlertStore(path), list[str]()
    for second in range(40):
        reading = AlertReading(at(second), 0.9 if second // 4 % 2 else 0.1)
        news += [
            f"{alert.state.phase} {alert.state.since}" for alert in store.advance({SPENT: reading}, at(second), step)
        ]
    results.put(news)


def test_several_processes_tell_no_change_twice(tmp_path: Path) -> None:
    results = FORKS.Queue()
    processes = [FORKS.Process(target=_advance, args=(tmp_path / "alerts.db", results)) for _ in range(2)]
    for process in processes:
        process.start()
    reported = [line for _ in processes for line in results.get(timeout=60)]
    for process in processes:
        process.join(60)
    changes = AlertStore(tmp_path / "alerts.db").changes(1_000)
    assert sorted(reported) == sorted(f"{change.phase} {change.at}" for change in changes)
    assert len(set(reported)) == len(reported) >= 2
    assert all(a.phase != b.phase for a, b in pairwise(changes))


def test_a_watch_checks_where_no_page_is_open(world: World) -> None:
    world.values["Spent"] = 0.9
    reported = threading.Event()
    world.service._notify = lambda alert: reported.set()
    with world.service.watch(interval_s=0.01):
        assert reported.wait(30)


def test_a_watch_outlives_a_check_that_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = list[datetime]()
    twice = threading.Event()

    def failing(now: datetime) -> list[Alert]:
        checks.append(now)
        if len(checks) > 1:
            twice.set()
        raise StoreError("the disk is full: make room")

    monkeypatch.setattr(world.service, "check", failing)
    with world.service.watch(interval_s=0.01):
        assert twice.wait(30)


# -- what is measured -------------------------------------------------------------------------------------------


def measures(window: EventWindow = EventWindow(BEGIN, BEGIN), failed: int = 0, **used: LimitUsage) -> AlertReadings:
    return AlertReadings(lambda since, until, kinds: window, lambda since: failed, lambda: used, lambda: used)


def test_the_p95_of_searches_is_read_in_seconds_with_its_traffic() -> None:
    window = EventWindow(
        BEGIN, BEGIN, requests=30, stages={"total": LatencySketch.from_values([100.0] * 18 + [3000.0] * 2)}
    )
    reading = measures(window)(SLOW, at(0))
    assert (reading.at, reading.requests) == (at(0), 20)
    assert reading.value == pytest.approx(3, rel=0.01)


def test_the_share_of_errors_is_read_with_its_traffic() -> None:
    errors = AlertRule("Errors", "Errors", "error_share", 0.05, 0.02, 60, "critical", "Look.", ("search",), 300, 10)
    assert measures(EventWindow(BEGIN, BEGIN, requests=40, errors=3))(errors, at(0)) == AlertReading(at(0), 0.075, 40)
    assert math.isnan(measures()(errors, at(0)).value)
    assert measures()(SLOW, at(0)).requests == 0


@pytest.mark.parametrize("rule", [rule for rule in load_rules() if rule.min_requests], ids=lambda rule: rule.name)
def test_a_committed_rule_needs_twenty_requests_and_more_than_one_bad_one(rule: AlertRule) -> None:
    def phase(requests: int, bad: int) -> str:
        total = LatencySketch.from_values([100.0] * (requests - bad) + [9000.0] * bad)
        read = measures(EventWindow(BEGIN, BEGIN, requests=requests, errors=bad, stages={"total": total}))
        return evaluate(rule, [read(rule, at(seconds)) for seconds in (0, 60, 120)]).phase

    assert phase(19, 19) == "inactive"
    assert phase(20, 1) == "inactive"
    assert phase(20, 2) == "firing"


def test_a_rule_looks_at_its_kinds_within_its_window() -> None:
    calls = list[tuple[datetime, datetime, tuple[str, ...]]]()

    def window(*question: datetime) -> EventWindow:
        calls.append(question)
        return EventWindow(BEGIN, BEGIN)

    AlertReadings(window, lambda since: 0, dict, dict)(SLOW, at(300))
    assert calls == [(at(0), at(300), ("search",))]


def test_the_limit_that_is_nearest_is_read() -> None:
    reading = measures(day=LimitUsage(1, 2), month=LimitUsage(27, 30))(SPENT, at(0))
    assert reading == AlertReading(at(0), 0.9)


def test_where_no_limit_is_set_nothing_comes_near_it() -> None:
    quota = AlertRule("Quota", "Quota", "quota_share", 0.8, 0.7, 0, "warning", "Look.")
    assert measures()(quota, at(0)).value == 0
    assert measures(day=LimitUsage(5, 0))(quota, at(0)).value == 0


def test_failed_jobs_are_counted_from_the_windows_begin_on() -> None:
    jobs = AlertRule("Jobs", "Jobs", "failed_jobs", 0, 0, 0, "warning", "Look.", window_s=3600)
    calls = list[datetime]()

    def failed(since: datetime) -> int:
        calls.append(since)
        return 2

    reading = AlertReadings(lambda *_: EventWindow(BEGIN, BEGIN), failed, dict, dict)(jobs, at(3600))
    assert (reading, calls) == (AlertReading(at(3600), 2), [BEGIN])
