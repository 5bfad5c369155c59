"""Monitoring: alerts, /metrics, the configured limits, the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from core import __version__
from core.access import Access
from core.metrics.alert_readings import AlertReadings, LimitUsage
from core.metrics.alert_rules import load_rules
from core.metrics.alert_service import AlertService
from core.metrics.image_counts import ImageCounts
from core.metrics.machine import Capacity, Machine, read_machine
from core.metrics.metrics_server import MetricsServer
from core.metrics.prometheus import MetricsCollector, MetricSources
from core.metrics.webhook import Webhook
from core.periodic import Periodic
from core.records.jobs import ignore
from core.settings import Settings
from core.store.sql.alert_store import AlertStore
from core.store.sql.event_log import EventLog
from core.store.sql.job_store import JobStore
from core.store.sql.spend_store import SpendStore


@dataclass(frozen=True)
class MonitorSources:
    """What the monitor reads: the stores, the number of images by collection, and the GPU's memory."""

    events: EventLog
    jobs: JobStore
    spend: SpendStore
    sizes: Callable[[], Mapping[str, int]]
    gpu: Callable[[], Capacity | None]


class Monitor:
    """Reads everything on request; only `watch` and `serve` start background threads.

    May be shared between threads.
    """

    def __init__(self, settings: Settings, sources: MonitorSources, access: Access) -> None:
        """Raises SettingError."""
        self._settings, self._sources = settings, sources
        readings = AlertReadings(sources.events.window, sources.jobs.failed_since, self.budget, self.quota)
        notify = Webhook(settings.alert_webhook) if settings.alert_webhook else ignore
        store = AlertStore(settings.data / "alerts.db")
        self.alerts = AlertService(load_rules(settings.alerts), store, readings, access, notify)
        self.image_counts = ImageCounts()
        collector = MetricsCollector(self._metric_sources(), __version__, lambda: datetime.now(UTC))
        self.registry = collector.registry()

    def _metric_sources(self) -> MetricSources:
        return MetricSources(
            self._sources.events.totals,
            self._sources.sizes,
            self._sources.jobs.by_state,
            self.budget,
            self.quota,
            lambda: self.alerts.current(datetime.now(UTC)),
            lambda: self.machine().process_bytes,
            self.image_counts.totals,
        )

    def budget(self) -> Mapping[str, LimitUsage]:
        """USD spent on Gemini this day and month (UTC), pending requests at their maximum cost. Raises StoreError."""
        spent, budgets = self._sources.spend.spent(), self._sources.spend.budgets
        return {
            "day": LimitUsage(spent.day_usd, budgets.daily_usd),
            "month": LimitUsage(spent.month_usd, budgets.monthly_usd),
        }

    def quota(self) -> Mapping[str, LimitUsage]:
        """Requests to Gemini this day (UTC), if a limit is set. Raises StoreError."""
        limit = self._settings.daily_requests
        return {"day": LimitUsage(self._sources.spend.requests_today(), limit)} if limit else {}

    def jobs_by_state(self) -> Mapping[str, int]:
        """The number of background jobs by state, for states with any. Raises StoreError."""
        return self._sources.jobs.by_state()

    def machine(self, previous: Machine | None = None) -> Machine:
        """A reading of the machine; its processor share is that since the reading `previous`."""
        return read_machine(self._settings.data, previous, self._sources.gpu)

    def watch(self) -> Periodic:
        """Check the alerts periodically until the watch is closed."""
        return self.alerts.watch()

    def serve(self) -> MetricsServer | None:
        """Serve /metrics until it is closed; None if no port is set. Raises SettingError if the port is taken."""
        port = self._settings.metrics_port
        return MetricsServer(self.registry, port, self._settings.metrics_host) if port else None
