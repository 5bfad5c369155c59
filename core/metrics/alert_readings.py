"""Readings for alert rules, from the event log, the jobs, the budgets and the quotas."""

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
    """How much of a limit is used; a `limit` of 0 allows nothing, and its share is always 0."""

    used: float
    limit: float

    @property
    def share(self) -> float:
        """The used share of the limit."""
        return self.used / self.limit if self.limit > 0 else 0.0


ReadUsage = Callable[[], Mapping[str, LimitUsage]]


class AlertReadings:
    """Takes the reading for a rule. May be shared between threads."""

    def __init__(
        self, read_window: ReadWindow, failed_jobs: Callable[[datetime], int], budget: ReadUsage, quota: ReadUsage
    ) -> None:
        """`read_window` returns the totals between two times, of some kinds; `failed_jobs` counts since a time.

        `budget` (USD) and `quota` (requests) are by period, for instance `day`.
        """
        self._read_window, self._failed_jobs, self._budget, self._quota = read_window, failed_jobs, budget, quota

    def __call__(self, rule: AlertRule, now: datetime) -> AlertReading:
        """The current value of the rule's measure. Raises StoreError."""
        if rule.measure == "failed_jobs":
            return AlertReading(now, float(self._failed_jobs(now - rule.window)))
        if rule.measure in ("budget_share", "quota_share"):
            usage = self._budget() if rule.measure == "budget_share" else self._quota()
            return AlertReading(now, max((period.share for period in usage.values()), default=0.0))
        return _request_reading(rule, now, self._read_window(now - rule.window, now, rule.kinds))


def _request_reading(rule: AlertRule, now: datetime, window: EventWindow) -> AlertReading:
    if rule.measure == "error_share":
        return AlertReading(now, window.errors / window.requests if window.requests else math.nan, window.requests)
    total = window.stages["total"]
    return AlertReading(now, total.quantile(0.95) / 1000, total.count)
