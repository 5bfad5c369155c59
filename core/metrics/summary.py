"""The summary of a time span for the page and the command: rates, percentiles compared with the baseline, costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.records.events import COST_SERVICES, SEARCH_KINDS, STAGES, EventWindow
from core.store.sql.event_log import EventLog

# The baseline: what the prototype's hand-written table said about a search, and its targets.
BASELINE_MS = {"encode": 150.0, "search": 25.0, "rank": 800.0, "load": 100.0, "total": 1200.0}
BASELINE_USD, SEARCHES_PER_MONTH = 31.0, 10_000
TARGET_P95_MS, TARGET_ERROR_RATE = 1500.0, 0.01
Verdict = Literal["better", "worse", "no data"]


@dataclass(frozen=True)
class StageLatency:
    """Percentiles of one stage in milliseconds, None without data; `verdict` compares the median with the baseline."""

    stage: str
    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    baseline_ms: float
    verdict: Verdict


@dataclass(frozen=True)
class BaselineTarget:
    """A target of the baseline, and whether it is met; None without data."""

    name: str
    value: float | None
    limit: float
    met: bool | None


@dataclass(frozen=True)
class GeminiSpending:
    """Spending on Gemini today and this month (UTC), pending requests at their maximum cost, and the budgets."""

    day_usd: float
    month_usd: float
    daily_budget_usd: float
    monthly_budget_usd: float


@dataclass(frozen=True)
class Summary:
    """Rates are shares of the searches, None without any; a fallback counts as answered, by similarity.

    `usd_per_search` is by service, and spreads the cost of follow-ups and late answers over the searches.
    """

    since: datetime
    until: datetime
    collection: str | None
    searches: int
    success_rate: float | None
    error_rate: float | None
    fallback_rate: float | None
    cache_hit_rate: float | None
    reasons: Mapping[str, int]
    latencies: tuple[StageLatency, ...]
    targets: tuple[BaselineTarget, ...]
    requests_by_kind: Mapping[str, int]
    errors_by_kind: Mapping[str, int]
    images: int
    tokens: Mapping[str, int]
    usd: Mapping[str, float]
    usd_per_search: Mapping[str, float] | None
    projected_month_usd: float | None
    baseline_month_usd: float
    money: GeminiSpending
    began_at: datetime | None
    uptime_s: float


def read_summary(
    log: EventLog, since: datetime, until: datetime, collection: str | None, money: GeminiSpending
) -> Summary:
    """The summary of [since, until), of one collection or of all. Raises StoreError."""
    searches = log.window(since, until, ("search",), collection)
    billed = log.window(since, until, SEARCH_KINDS, collection)
    everything = log.window(since, until, None, collection)
    return summarise(searches, billed, everything, collection, money, log.began_at())


def summarise(
    searches: EventWindow,
    billed: EventWindow,
    everything: EventWindow,
    collection: str | None,
    money: GeminiSpending,
    began_at: datetime | None,
) -> Summary:
    """The summary of three windows of the same span: searches, all kinds billed as searches, all kinds."""
    per_search = {s: billed.usd[s] / searches.requests for s in COST_SERVICES} if searches.requests else None
    return Summary(
        since=searches.since,
        until=searches.until,
        collection=collection,
        searches=searches.requests,
        success_rate=_rate(searches.requests - searches.errors, searches),
        error_rate=_rate(searches.errors, searches),
        fallback_rate=_rate(searches.fallbacks, searches),
        cache_hit_rate=_rate(searches.cache_hits, searches),
        reasons=searches.reasons,
        latencies=latencies(searches),
        targets=targets(searches),
        requests_by_kind=_by_kind(everything, ("ok", "fallback", "error")),
        errors_by_kind=_by_kind(everything, ("error",)),
        images=everything.images,
        tokens=billed.tokens,
        usd=billed.usd,
        usd_per_search=per_search,
        projected_month_usd=sum(per_search.values()) * SEARCHES_PER_MONTH if per_search else None,
        baseline_month_usd=BASELINE_USD,
        money=money,
        began_at=began_at,
        uptime_s=(searches.until - began_at).total_seconds() if began_at else 0.0,
    )


def latencies(searches: EventWindow) -> tuple[StageLatency, ...]:
    """Every stage, compared with the baseline."""
    return tuple(_latency(searches, stage) for stage in STAGES)


def targets(searches: EventWindow) -> tuple[BaselineTarget, ...]:
    """The baseline's targets: p95 of the whole search, and the error rate."""
    return (
        _target("p95_ms", _none_if_nan(searches.stages["total"].quantile(0.95)), TARGET_P95_MS),
        _target("error_rate", _rate(searches.errors, searches), TARGET_ERROR_RATE),
    )


def _latency(searches: EventWindow, stage: str) -> StageLatency:
    sketch, baseline_ms = searches.stages[stage], BASELINE_MS[stage]
    p50, p95, p99 = (_none_if_nan(sketch.quantile(q)) for q in (0.50, 0.95, 0.99))
    verdict: Verdict = "no data" if p50 is None else "better" if p50 <= baseline_ms else "worse"
    return StageLatency(stage, sketch.count, p50, p95, p99, baseline_ms, verdict)


def _target(name: str, value: float | None, limit: float) -> BaselineTarget:
    return BaselineTarget(name, value, limit, None if value is None else value < limit)


def _none_if_nan(ms: float) -> float | None:
    return None if math.isnan(ms) else ms


def _rate(count: int, window: EventWindow) -> float | None:
    return count / window.requests if window.requests else None


def _by_kind(window: EventWindow, outcomes: tuple[str, ...]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for (kind, outcome), requests in window.outcomes_by_kind.items():
        if outcome in outcomes:
            counts[kind] = counts.get(kind, 0) + requests
    return counts
