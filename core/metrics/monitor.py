"""What watches over Contact Sheet: alerts, what /metrics says, the limits one has set, the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from core import __version__
from core.access import Access
from core.metrics.alert_readings import AlertReadings, LimitUsage
from core.metrics.alert_rules import load_rules
from core.metrics.alert_service import AlertService, AlertWatcher
from core.metrics.exposition import MetricFamily
from core.metrics.image_counts import ImageCounts
from core.metrics.machine import Capacity, Machine, read_machine
from core.metrics.metrics_server import MetricsServer
from core.metrics.prometheus import MetricsExporter, MetricSources
from core.metrics.webhook import Webhook
from core.records.jobs import ignore
from core.settings import Settings
from core.store.sql.alert_store import AlertStore
from core.store.sql.event_log import EventLog
from core.store.sql.job_store import JobStore
from core.store.sql.spend_store import SpendStore


class Monitor:
    """Everything is read when it is asked for; what runs by itself is begun by `watch` and `serve` alone.

    May be shared between threads.
    """

    def __init__(
        self,
        settings: Settings,
        events: EventLog,
        jobs: JobStore,
        spend: SpendStore,
        access: Access,
        sizes: Callable[[], Mapping[str, int]],
        gpu: Callable[[], Capacity | None],
    ) -> None:
        """`sizes` counts the images of each collection, `gpu` knows the GPU's memory. Raises SettingError."""
        self._settings, self._jobs, self._spend, self._gpu = settings, jobs, spend, gpu
        measures = AlertReadings(events.window, jobs.failed_since, self.budget, self.quota)
        tell = Webhook(settings.alert_webhook) if settings.alert_webhook else ignore
        store = AlertStore(settings.data / "alerts.db")
        self.alerts = AlertService(load_rules(settings.alerts), store, measures, access, tell)
        self.image_counts = ImageCounts()
        sources = MetricSources(
            events.totals,
            sizes,
            jobs.by_state,
            self.budget,
            self.quota,
            lambda: self.alerts.current(datetime.now(UTC)),
            lambda: self.machine().process_bytes,
            self.image_counts.totals,
        )
        self._exporter = MetricsExporter(sources, datetime.now(UTC), __version__)

    def budget(self) -> Mapping[str, LimitUsage]:
        """USD for Gemini of this day and month (UTC), requests under way counted at their most. Raises StoreError."""
        spent, budgets = self._spend.spent(), self._spend.budgets
        return {
            "day": LimitUsage(spent.day_usd, budgets.daily_usd),
            "month": LimitUsage(spent.month_usd, budgets.monthly_usd),
        }

    def quota(self) -> Mapping[str, LimitUsage]:
        """Requests to Gemini of this day (UTC), where a limit is set. Raises StoreError."""
        limit = self._settings.daily_requests
        return {"day": LimitUsage(self._spend.requests_today(), limit)} if limit else {}

    def jobs_by_state(self) -> Mapping[str, int]:
        """How many background jobs there are in each state that any is in. Raises StoreError."""
        return self._jobs.by_state()

    def machine(self, before: Machine | None = None) -> Machine:
        """The machine now; its processor's share is that since the reading `before`."""
        return read_machine(self._settings.data, before, self._gpu)

    def families(self) -> list[MetricFamily]:
        """What one scrape says."""
        return self._exporter.families(datetime.now(UTC))

    def watch(self) -> AlertWatcher:
        """Check the alerts from now on, also where nobody looks, until it is closed."""
        return AlertWatcher(self.alerts)

    def serve(self) -> MetricsServer | None:
        """Serve /metrics until it is closed; None where no port is set. Raises SettingError if the port is taken."""
        port = self._settings.metrics_port
        return MetricsServer(self.families, port, self._settings.metrics_host) if port else None
