"""How an alert goes from inactive to pending, firing and resolved: pure functions over readings.

Thresholds with hysteresis and a time to last are those of Prometheus's `for` and of Schmitt's trigger (1938).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from typing import Literal

from core.telemetry.rules import Rule

Phase = Literal["inactive", "pending", "firing", "resolved"]

# Readings of the moment say nothing of the time in between; those further apart than this are no unbroken run.
LONGEST_GAP = timedelta(seconds=60)


@dataclass(frozen=True)
class Reading:
    """What a measure was at a moment, and how many requests it was taken from. NaN: there was nothing to measure."""

    at: datetime
    value: float
    traffic: int = 0


@dataclass(frozen=True)
class State:
    """Where an alert stands: since when, when it last fired, and the last reading that said something.

    `since` of a pending alert is the start of the unbroken run above the threshold.
    """

    phase: Phase = "inactive"
    since: datetime | None = None
    fired_at: datetime | None = None
    heard_at: datetime | None = None
    value: float = math.nan


def evaluate(rule: Rule, readings: Iterable[Reading], state: State = State()) -> State:
    """Where an alert stands after some readings, in the order they came."""
    return reduce(lambda before, reading: step(rule, before, reading), readings, state)


def step(rule: Rule, state: State, reading: Reading) -> State:
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


def _above(rule: Rule, before: State, heard: State, at: datetime) -> State:
    """One that does not fire: pending, until the run has lasted; a gap in the readings begins a new run."""
    since = at
    if before.phase == "pending" and before.since is not None and before.heard_at is not None:
        unbroken = at - before.heard_at <= max(rule.window, LONGEST_GAP)
        since = before.since if unbroken else at
    if at - since >= rule.lasting:
        return replace(heard, phase="firing", since=at, fired_at=at)
    return replace(heard, phase="pending", since=since)


def _below(heard: State, at: datetime) -> State:
    if heard.phase == "firing":
        return replace(heard, phase="resolved", since=at)
    return replace(heard, phase="inactive", since=at) if heard.phase == "pending" else heard
