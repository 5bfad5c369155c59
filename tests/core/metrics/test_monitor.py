from __future__ import annotations

import socket
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import generate_latest

from core.app import App
from core.errors import SettingError
from core.metrics.machine import Capacity
from core.settings import Secret, Settings
from core.store.lance.collections import Collections
from tests.conftest import load_colour
from tests.fakes.encoder import ColourEncoder


def opened(settings: Settings) -> App:
    return App(settings, Collections(settings.data / "collections"), load_colour(ColourEncoder()))


def scraped(app: App) -> str:
    return generate_latest(app.monitor.registry).decode()


def test_a_scrape_tells_of_requests_collections_jobs_budgets_and_alerts(app: App, pictures: Path) -> None:
    app.ingest(pictures, "birds")
    app.search("red", "birds")
    text = scraped(app)
    assert 'contactsheet_requests_total{collection="birds",kind="search",outcome="ok"} 1' in text
    assert 'contactsheet_assets{collection="birds"} 3' in text
    assert 'contactsheet_budget_limit_usd{period="month"} 30' in text
    assert 'contactsheet_alert_firing{alert="SlowSearches",severity="warning"} 0' in text
    assert "contactsheet_source_up" in text
    assert 'contactsheet_source_up{source="events"} 0' not in text


def test_requests_count_against_a_limit_where_one_is_set(settings: Settings) -> None:
    app = opened(replace(settings, daily_requests=4))
    assert isinstance(app.spend.reserve(0.1), int)
    assert app.monitor.quota()["day"].share == 0.25
    assert 'contactsheet_quota_used_requests{period="day"} 1' in scraped(app)
    assert opened(settings).monitor.quota() == {}


def test_health_counts_the_rows_of_a_collection_and_the_files_they_lie_in(app: App, pictures: Path) -> None:
    app.ingest(pictures, "birds")
    health = app.health("birds")
    assert (health.name, health.size, health.fragments) == ("birds", 3, 1)
    assert health.versions >= 1


def test_metrics_are_served_where_a_port_is_set(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        with pytest.raises(SettingError, match=f"CONTACTSHEET_METRICS_PORT is {port}"):
            opened(replace(settings, metrics_port=port)).monitor.serve()
    server = opened(replace(settings, metrics_port=port)).monitor.serve()
    assert server is not None
    with server:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert b"contactsheet_uptime_seconds" in opener.open(f"http://{server.address}/metrics", timeout=30).read()
    assert opened(settings).monitor.serve() is None


def test_a_webhook_that_is_no_address_is_refused_without_quoting_it(settings: Settings) -> None:
    with pytest.raises(SettingError, match="CONTACTSHEET_ALERT_WEBHOOK") as caught:
        opened(replace(settings, alert_webhook=Secret("ftp://token@host")))
    assert "token" not in str(caught.value)


@pytest.mark.parametrize(("used", "expected"), [(True, Capacity(7, 10)), (False, None)])
def test_the_memory_of_a_gpu_is_read_where_it_is_used_already(
    app: App, monkeypatch: pytest.MonkeyPatch, used: bool, expected: Capacity | None
) -> None:
    cuda = SimpleNamespace(is_initialized=lambda: used, mem_get_info=lambda: (3, 10))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert app.monitor.machine().gpu == expected
