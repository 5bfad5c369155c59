"""How an alert goes from inactive to pending, firing and resolved: pure functions over readings.

The pending duration is that of Prometheus's `for`, the hysteresis of thresholds that of Schmitt's trigger (1938).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce

from core.records.alerts import AlertReading, AlertRule, AlertState

# Readings say nothing about the time in between; a larger gap than this breaks a run.
MAX_READING_GAP = timedelta(seconds=60)


def evaluate(rule: AlertRule, readings: Iterable[AlertReading], state: AlertState = AlertState()) -> AlertState:
    """The state of an alert after some readings, in chronological order."""
    return reduce(lambda current, reading: step(rule, current, reading), readings, state)


def step(rule: AlertRule, state: AlertState, reading: AlertReading) -> AlertState:
    """The state of an alert after one more reading.

    Readings with too few requests, or not newer than the last one, are ignored.
    """
    stale = state.last_reading_at is not None and reading.at <= state.last_reading_at
    if stale or reading.requests < rule.min_requests or math.isnan(reading.value):
        return state
    updated = replace(state, last_reading_at=reading.at, value=reading.value)
    if reading.value > rule.threshold:
        return updated if state.phase == "firing" else _above(rule, state, updated, reading.at)
    if reading.value <= rule.clear:
        return _below(updated, reading.at)
    return replace(updated, since=reading.at) if state.phase == "pending" else updated


def _above(rule: AlertRule, previous: AlertState, updated: AlertState, at: datetime) -> AlertState:
    """An alert that is not firing: pending until the run is long enough; a gap in the readings starts a new run."""
    since = at
    if previous.phase == "pending" and previous.since is not None and previous.last_reading_at is not None:
        unbroken = at - previous.last_reading_at <= max(rule.window, MAX_READING_GAP)
        since = previous.since if unbroken else at
    if at - since >= rule.pending_duration:
        return replace(updated, phase="firing", since=at, fired_at=at)
    return replace(updated, phase="pending", since=since)


def _below(updated: AlertState, at: datetime) -> AlertState:
    if updated.phase == "firing":
        return replace(updated, phase="resolved", since=at)
    return replace(updated, phase="inactive", since=at) if updated.phase == "pending" else updated
