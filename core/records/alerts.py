"""Alerts: rules, readings, states, silences and changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

AlertPhase = Literal["inactive", "pending", "firing", "resolved"]


@dataclass(frozen=True)
class AlertReading:
    """The value of a measure at a time, and the number of requests it comes from. NaN: there was nothing to measure."""

    at: datetime
    value: float
    requests: int = 0


@dataclass(frozen=True)
class AlertState:
    """The phase of an alert, since when, when it last fired, and its last usable reading.

    `since` of a pending alert is the start of the unbroken run above the threshold.
    """

    phase: AlertPhase = "inactive"
    since: datetime | None = None
    fired_at: datetime | None = None
    last_reading_at: datetime | None = None
    value: float = math.nan


Unit = Literal["s", "share", "jobs"]


@dataclass(frozen=True)
class AlertMeasure:
    """Something that a rule can watch. A share of 1 is 100 %.

    A measure `over_requests` looks at requests of some kinds and needs a minimum number of them; a `windowed` one looks
    back over a time span, others at the current value.
    """

    unit: Unit
    over_requests: bool = False
    windowed: bool = False

    def format(self, value: float) -> str:
        """A value with its unit, for people."""
        if self.unit == "share":
            return f"{value * 100:.1f} %"
        return f"{value:.2f} s" if self.unit == "s" else f"{value:.0f}"


ALERT_MEASURES: Mapping[str, AlertMeasure] = {
    "total_p95_s": AlertMeasure("s", over_requests=True, windowed=True),
    "error_share": AlertMeasure("share", over_requests=True, windowed=True),
    "failed_jobs": AlertMeasure("jobs", windowed=True),
    "quota_share": AlertMeasure("share"),
    "budget_share": AlertMeasure("share"),
}


@dataclass(frozen=True)
class AlertRule:
    """An alert fires once its measure was above `threshold` for `for_s` seconds, and ends at or below `clear`.

    Readings with fewer than `min_requests` requests within `window_s` are ignored. `advice` is one sentence on what to
    do.
    """

    name: str
    title: str
    measure: str
    threshold: float
    clear: float
    for_s: float
    severity: str
    advice: str
    kinds: tuple[str, ...] = ()
    window_s: float = 0.0
    min_requests: int = 0

    @property
    def pending_duration(self) -> timedelta:
        """How long the measure must stay above the threshold."""
        return timedelta(seconds=self.for_s)

    @property
    def window(self) -> timedelta:
        """How far the measure looks back."""
        return timedelta(seconds=self.window_s)

    def format(self, value: float) -> str:
        """A value of the measure with its unit, for people."""
        return ALERT_MEASURES[self.measure].format(value)


@dataclass(frozen=True)
class AlertChange:
    """An alert that fired or was resolved: when, at which value, and the threshold at that time."""

    name: str
    phase: AlertPhase
    at: datetime
    value: float
    threshold: float


@dataclass(frozen=True)
class Silence:
    """An alert is not sent to anyone before `until`; who silenced it, and the reason."""

    name: str
    until: datetime
    author: str
    reason: str


@dataclass(frozen=True)
class Alert:
    """A rule, its current state, and its silence if one is in force."""

    rule: AlertRule
    state: AlertState = AlertState()
    silence: Silence | None = None

    @property
    def firing(self) -> bool:
        return self.state.phase == "firing"

    @property
    def active(self) -> bool:
        """Whether it is firing and not silenced."""
        return self.firing and self.silence is None

    @property
    def summary(self) -> str:
        """The title, the last value and the threshold in one line."""
        value, threshold = self.rule.format(self.state.value), self.rule.format(self.rule.threshold)
        return f"{self.rule.title}: {value} (threshold {threshold})"
