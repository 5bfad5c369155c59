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
    """What a measure was at a moment, and how many requests it was taken from. NaN: there was nothing to measure."""

    at: datetime
    value: float
    traffic: int = 0


@dataclass(frozen=True)
class AlertState:
    """Where an alert stands: since when, when it last fired, and the last reading that said something.

    `since` of a pending alert is the start of the unbroken run above the threshold.
    """

    phase: AlertPhase = "inactive"
    since: datetime | None = None
    fired_at: datetime | None = None
    heard_at: datetime | None = None
    value: float = math.nan


Unit = Literal["s", "share", "jobs"]


@dataclass(frozen=True)
class AlertMeasure:
    """Something that can be watched. A share of 1 is all of it.

    One `of_requests` looks at requests of some kinds, and says nothing where they are few; one that is `windowed` looks
    back over a span of time, others at the moment.
    """

    unit: Unit
    of_requests: bool = False
    windowed: bool = False

    def shown(self, value: float) -> str:
        """A value as people read it."""
        if self.unit == "share":
            return f"{value * 100:.1f} %"
        return f"{value:.2f} s" if self.unit == "s" else f"{value:.0f}"


ALERT_MEASURES: Mapping[str, AlertMeasure] = {
    "total_p95_s": AlertMeasure("s", of_requests=True, windowed=True),
    "error_share": AlertMeasure("share", of_requests=True, windowed=True),
    "failed_jobs": AlertMeasure("jobs", windowed=True),
    "quota_share": AlertMeasure("share"),
    "budget_share": AlertMeasure("share"),
}


@dataclass(frozen=True)
class AlertRule:
    """An alert fires once its measure was above `threshold` for `for_s` seconds, and ends at or below `clear`.

    Fewer requests than `least` within `window_s` say nothing. `advice` is one sentence on what to do.
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
    least: int = 0

    @property
    def lasting(self) -> timedelta:
        """How long the measure must stay above the threshold."""
        return timedelta(seconds=self.for_s)

    @property
    def window(self) -> timedelta:
        """How far the measure looks back."""
        return timedelta(seconds=self.window_s)

    def shown(self, value: float) -> str:
        """A value of the measure as people read it."""
        return ALERT_MEASURES[self.measure].shown(value)


@dataclass(frozen=True)
class AlertChange:
    """A moment at which an alert fired or was resolved, the value it had, and the threshold then in force."""

    name: str
    phase: AlertPhase
    at: datetime
    value: float
    threshold: float


@dataclass(frozen=True)
class Silence:
    """Nobody is told of an alert until then; who wanted that, and why."""

    name: str
    until: datetime
    author: str
    why: str


@dataclass(frozen=True)
class Alert:
    """A rule, where it stands, and its silence if there is one in force."""

    rule: AlertRule
    state: AlertState = AlertState()
    silence: Silence | None = None

    @property
    def firing(self) -> bool:
        return self.state.phase == "firing"

    @property
    def loud(self) -> bool:
        """Whether it fires and nobody has silenced it."""
        return self.firing and self.silence is None

    @property
    def sentence(self) -> str:
        """What is the matter, with the last value and the threshold."""
        value, threshold = self.rule.shown(self.state.value), self.rule.shown(self.rule.threshold)
        return f"{self.rule.title}: {value} (threshold {threshold})"
