"""A real Prometheus scrapes a real metrics server: what is slow fires in both, and is resolved in both."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from core.access import Access
from core.metrics.alert_readings import AlertReadings, LimitUsage
from core.metrics.alert_rules import load_rules
from core.metrics.alert_service import AlertService
from core.metrics.metrics_server import MetricsServer
from core.metrics.prometheus import MetricsCollector, MetricSources
from core.metrics.prometheus_rules import rules_file
from core.records.events import Event
from core.settings import PROJECT, Secret
from core.store.sql.alert_store import AlertStore
from core.store.sql.event_log import EventLog

DATA = PROJECT / "data" / "prometheus"
PATIENCE_S = 120
FIRES = 'ALERTS{alertname="SlowSearches", alertstate="firing"}'
FAST_MS, SLOW_MS = 50.0, 3000.0


def _binary(name: str) -> str:
    """A program of Debian's package; without it these tests are skipped, but never in CI."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have {name}: .ci/run installs Debian's package prometheus")
        pytest.skip(f"no {name} on this computer (Debian's package prometheus has it)")
    return path


def promtool(*arguments: str, given: bytes = b"") -> str:
    """What promtool says; fails where it does not accept what it was given."""
    done = subprocess.run([_binary("promtool"), *arguments], input=given, capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def limits() -> dict[str, LimitUsage]:
    return {"day": LimitUsage(0.1, 2)}


class Running:
    """An event log with its exporter and its alert service, whose rules look back over seconds."""

    def __init__(self, folder: Path) -> None:
        self.log = EventLog(folder / "events.db")
        slow, *others = load_rules()
        self.rules = (replace(slow, window_s=5, for_s=1, min_requests=3), *others)
        measures = AlertReadings(self.log.window, lambda since: 0, limits, limits)
        self.service = AlertService(self.rules, AlertStore(folder / "alerts.db"), measures, Access(Secret()))
        sources = MetricSources(
            self.log.totals,
            lambda: {"demo": 519, 'odd \\ "name"\n': 1},
            lambda: {"done": 1},
            limits,
            limits,
            lambda: self.service.current(datetime.now(UTC)),
            lambda: 123_456_789,
            lambda: {"served": 3, "not_found": 1, "failed": 0},
        )
        self.registry = MetricsCollector(sources, "1.0", lambda: datetime.now(UTC)).registry()

    def search(self, total_ms: float) -> None:
        stages = {"encode": 10.0, "total": total_ms}
        event = Event(uuid.uuid4().hex, "search", datetime.now(UTC), "demo", "fallback", "no_key", stages, 9)
        self.log.append(replace(event, clip_usd=0.01))

    def fires(self) -> bool:
        return self.service.check(datetime.now(UTC))[0].firing


@pytest.fixture
def running(tmp_path: Path) -> Running:
    running = Running(tmp_path)
    running.search(FAST_MS)
    return running


@contextmanager
def prometheus(folder: Path, target: str, rules: str) -> Iterator[Callable[..., Any]]:
    """Prometheus on a free port of loopback; yields what asks its API."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    (folder / "alerts.rules.yml").write_text(rules, encoding="utf-8")
    config = (DATA / "prometheus.yml").read_text(encoding="utf-8").replace("127.0.0.1:9464", target)
    (folder / "prometheus.yml").write_text(config.replace("15s", "1s"), encoding="utf-8")
    command = [
        _binary("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        "--log.level=warn",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
    ]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(path: str, **parameters: str) -> Any:
        with opener.open(f"http://{address}{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as response:
            return json.load(response)["data"]

    with (folder / "prometheus.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield ask
        finally:
            process.terminate()


def until(reached: Callable[[], bool], what: str, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if reached():
                return
        except OSError:
            pass  # it is still starting
        time.sleep(0.2)
    pytest.fail(f"{what} was not reached: {(folder / 'prometheus.log').read_text()[-2000:]}")


def test_a_slowdown_fires_in_prometheus_and_at_our_desk_and_is_resolved(running: Running, tmp_path: Path) -> None:
    rules = rules_file(running.rules, interval_s=1)
    with (
        MetricsServer(running.registry, 0) as server,
        prometheus(tmp_path, server.address, rules) as ask,
    ):

        def value(query: str) -> float | None:
            result = ask("/api/v1/query", query=query)["result"]
            return float(result[0]["value"][1]) if result else None

        def after_searches(count: int, total_ms: float, firing: bool) -> Callable[[], bool]:
            def reached() -> bool:
                for _ in range(count):
                    running.search(total_ms)
                return [running.fires(), value(FIRES) == 1] == [firing, firing]

            return reached

        until(lambda: value("up") == 1, "a scrape", tmp_path)
        until(after_searches(1, SLOW_MS, True), "the alert of both", tmp_path)
        until(lambda: value('contactsheet_alert_firing{alert="SlowSearches"}') == 1, "our alert in a scrape", tmp_path)
        until(after_searches(40, FAST_MS, False), "the end of both alerts", tmp_path)
        assert [change.phase for change in running.service.history()] == ["resolved", "firing"]
        (group,) = ask("/api/v1/rules")["groups"]
        assert [(rule["name"], rule["health"]) for rule in group["rules"]] == [(r.name, "ok") for r in running.rules]
        (about,) = ask("/api/v1/metadata")["contactsheet_stage_duration_seconds"]
        assert (about["type"], about["unit"]) == ("histogram", "seconds")  # only OpenMetrics tells the unit
        for expression in dashboard_expressions():
            assert ask("/api/v1/query", query=expression)["result"], expression


def dashboard_expressions() -> list[str]:
    """What Grafana would ask for all kinds, looking back over a minute."""
    board = json.loads((PROJECT / "data" / "grafana" / "contact-sheet.json").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return [expression.replace("$kind", ".+").replace("$__rate_interval", "1m") for expression in asked]


def test_promtool_accepts_what_is_served(running: Running) -> None:
    running.search(SLOW_MS)
    assert promtool("check", "metrics", given=generate_latest(running.registry)) == ""


def test_promtool_accepts_the_rules_and_the_configuration() -> None:
    assert "5 rules found" in promtool("check", "rules", str(DATA / "alerts.rules.yml"))
    assert "SUCCESS" in promtool("check", "config", str(DATA / "prometheus.yml"))


def _series(name: str, labels: str, values: str) -> dict[str, str]:
    return {"series": f"{name}{{{labels}}}", "values": values}


def test_the_rules_of_prometheus_have_the_hysteresis_and_the_patience_of_ours(tmp_path: Path) -> None:
    """One value per minute: the budget between clear and threshold changes nothing; too few searches say nothing."""
    buckets = 'kind="search", stage="total"'
    series = [
        _series("contactsheet_budget_limit_usd", 'period="day"', "1x8"),
        _series("contactsheet_budget_used_usd", 'period="day"', "0.75 0.85 0.75 0.75 0.65 0.75 0.75 0.75"),
        _series("contactsheet_stage_duration_seconds_count", buckets, "0+60x8 540x30"),
        _series("contactsheet_stage_duration_seconds_bucket", f'{buckets}, le="2.0"', "0x40"),
        _series("contactsheet_stage_duration_seconds_bucket", f'{buckets}, le="3.0"', "0+60x8 540x30"),
        _series("contactsheet_stage_duration_seconds_bucket", f'{buckets}, le="+Inf"', "0+60x8 540x30"),
    ]
    expected = {"BudgetNearlySpent": "1 2 3", "SlowSearches": "3 8 30"}
    quiet = {"BudgetNearlySpent": "0 4 5 6", "SlowSearches": "0"}
    found = [
        {
            "eval_time": f"{minute}m",
            "alertname": name,
            "exp_alerts": [_expected(name)] if name in expected and minute in expected[name].split() else [],
        }
        for name in expected
        for minute in f"{expected[name]} {quiet[name]}".split()
    ]
    (tmp_path / "rules.yml").write_text(rules_file(load_rules()), encoding="utf-8")
    test = {"interval": "1m", "input_series": series, "alert_rule_test": found}
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": [test]}
    (tmp_path / "test.yml").write_text(json.dumps(document), encoding="utf-8")
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / "test.yml"))


def _expected(name: str) -> dict[str, Any]:
    (rule,) = (rule for rule in load_rules() if rule.name == name)
    return {
        "exp_labels": {"severity": rule.severity},
        "exp_annotations": {"summary": rule.title, "description": rule.advice},
    }
