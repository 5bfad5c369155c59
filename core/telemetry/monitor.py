"""What watches over Contact Sheet: alerts, what /metrics says, the limits one has set, the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from core.access import Access
from core.settings import Settings
from core.store.jobs import Jobs
from core.store.spend import Spend
from core.telemetry.alert_store import AlertStore
from core.telemetry.alerts import AlertDesk, Watch, untold
from core.telemetry.events import EventLog
from core.telemetry.exposition import Family
from core.telemetry.machine import Filled, Machine, read_machine
from core.telemetry.measures import Allowance, Measures
from core.telemetry.metrics_server import MetricsServer
from core.telemetry.prometheus import Exporter, Sources
from core.telemetry.rules import load_rules
from core.telemetry.webhook import Webhook

VERSION = "unreleased"


class Monitor:
    """Everything is read when it is asked for; what runs by itself is begun by `watch` and `serve` alone.

    May be shared between threads.
    """

    def __init__(
        self, settings: Settings, events: EventLog, jobs: Jobs, spend: Spend, access: Access,
        sizes: Callable[[], Mapping[str, int]], gpu: Callable[[], Filled | None],
    ) -> None:  # fmt: skip
        """`sizes` counts the images of each collection, `gpu` knows the GPU's memory. Raises SettingError."""
        self._settings, self._jobs, self._spend, self._gpu = settings, jobs, spend, gpu
        measures = Measures(events.window, jobs.failed_since, self.budget, self.quota)
        tell = Webhook(settings.alert_webhook) if settings.alert_webhook else untold
        store = AlertStore(settings.data / "alerts.db")
        self.alerts = AlertDesk(load_rules(settings.alerts), store, measures, access, tell)
        sources = Sources(
            events.totals, sizes, jobs.by_state, self.budget, self.quota,
            lambda: self.alerts.current(datetime.now(UTC)), lambda: self.machine().process_bytes,
        )  # fmt: skip
        self._exporter = Exporter(sources, datetime.now(UTC), VERSION)

    def budget(self) -> Mapping[str, Allowance]:
        """USD for Gemini of this day and month (UTC), requests under way counted at their most. Raises StoreError."""
        spent, budgets = self._spend.spent(), self._spend.budgets
        return {
            "day": Allowance(spent.day_usd, budgets.daily_usd),
            "month": Allowance(spent.month_usd, budgets.monthly_usd),
        }

    def quota(self) -> Mapping[str, Allowance]:
        """Requests to Gemini of this day (UTC), where a limit is set. Raises StoreError."""
        limit = self._settings.daily_requests
        return {"day": Allowance(self._spend.requests_today(), limit)} if limit else {}

    def jobs_by_state(self) -> Mapping[str, int]:
        """How many background jobs there are in each state that any is in. Raises StoreError."""
        return self._jobs.by_state()

    def machine(self, before: Machine | None = None) -> Machine:
        """The machine now; its processor's share is that since the reading `before`."""
        return read_machine(self._settings.data, before, self._gpu)

    def families(self) -> list[Family]:
        """What one scrape says."""
        return self._exporter.families(datetime.now(UTC))

    def watch(self) -> Watch:
        """Check the alerts from now on, also where nobody looks, until it is closed."""
        return Watch(self.alerts)

    def serve(self) -> MetricsServer | None:
        """Serve /metrics until it is closed; None where no port is set. Raises SettingError if the port is taken."""
        port = self._settings.metrics_port
        return MetricsServer(self.families, port, self._settings.metrics_host) if port else None
