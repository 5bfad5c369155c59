"""How an alert goes from inactive to pending, firing and resolved: pure functions over readings.

Thresholds with hysteresis and a time to last are those of Prometheus's `for` and of Schmitt's trigger (1938).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce

from core.records.alerts import AlertReading, AlertRule, AlertState

# Readings of the moment say nothing of the time in between; those further apart than this are no unbroken run.
MAX_READING_GAP = timedelta(seconds=60)


def evaluate(rule: AlertRule, readings: Iterable[AlertReading], state: AlertState = AlertState()) -> AlertState:
    """Where an alert stands after some readings, in the order they came."""
    return reduce(lambda before, reading: step(rule, before, reading), readings, state)


def step(rule: AlertRule, state: AlertState, reading: AlertReading) -> AlertState:
    """Where an alert stands after one more reading.

    Too little traffic, and a reading that is not newer than the last one, leave everything as it was.
    """
    stale = state.heard_at is not None and reading.at <= state.heard_at
    if stale or reading.traffic < rule.least or math.isnan(reading.value):
        return state
    heard = replace(state, heard_at=reading.at, value=reading.value)
    if reading.value > rule.threshold:
        return heard if state.phase == "firing" else _above(rule, state, heard, reading.at)
    if reading.value <= rule.clear:
        return _below(heard, reading.at)
    return replace(heard, since=reading.at) if state.phase == "pending" else heard


def _above(rule: AlertRule, before: AlertState, heard: AlertState, at: datetime) -> AlertState:
    """One that does not fire: pending, until the run has lasted; a gap in the readings begins a new run."""
    since = at
    if before.phase == "pending" and before.since is not None and before.heard_at is not None:
        unbroken = at - before.heard_at <= max(rule.window, MAX_READING_GAP)
        since = before.since if unbroken else at
    if at - since >= rule.lasting:
        return replace(heard, phase="firing", since=at, fired_at=at)
    return replace(heard, phase="pending", since=since)


def _below(heard: AlertState, at: datetime) -> AlertState:
    if heard.phase == "firing":
        return replace(heard, phase="resolved", since=at)
    return replace(heard, phase="inactive", since=at) if heard.phase == "pending" else heard
