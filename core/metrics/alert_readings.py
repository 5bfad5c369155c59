"""What alerts are measured from: the event log, the jobs, the budgets and the limits one has set."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from core.records.alerts import AlertReading, AlertRule
from core.records.events import EventWindow

ReadWindow = Callable[[datetime, datetime, tuple[str, ...]], EventWindow]


@dataclass(frozen=True)
class LimitUsage:
    """How much of a limit is used, in one unit; a `limit` of 0 allows nothing, and nothing comes near it."""

    used: float
    limit: float

    @property
    def share(self) -> float:
        """What is used as a share of the limit."""
        return self.used / self.limit if self.limit > 0 else 0.0


ReadUsage = Callable[[], Mapping[str, LimitUsage]]


class AlertReadings:
    """Takes the reading of a rule. May be shared between threads."""

    def __init__(
        self, window: ReadWindow, failed_jobs: Callable[[datetime], int], budget: ReadUsage, quota: ReadUsage
    ) -> None:
        """`window` is what the log holds between two moments, of some kinds; `failed_jobs` counts from a moment on.

        `budget` (USD) and `quota` (requests) are by period, for instance `day`.
        """
        self._window, self._failed_jobs, self._budget, self._quota = window, failed_jobs, budget, quota

    def __call__(self, rule: AlertRule, now: datetime) -> AlertReading:
        """What the rule's measure is now. Raises StoreError."""
        if rule.measure == "failed_jobs":
            return AlertReading(now, float(self._failed_jobs(now - rule.window)))
        if rule.measure in ("budget_share", "quota_share"):
            allowances = self._budget() if rule.measure == "budget_share" else self._quota()
            return AlertReading(now, max((allowance.share for allowance in allowances.values()), default=0.0))
        return _of_requests(rule, now, self._window(now - rule.window, now, rule.kinds))


def _of_requests(rule: AlertRule, now: datetime, window: EventWindow) -> AlertReading:
    if rule.measure == "error_share":
        return AlertReading(now, window.errors / window.requests if window.requests else math.nan, window.requests)
    total = window.stages["total"]
    return AlertReading(now, total.quantile(0.95) / 1000, total.count)
