"""What /metrics says: counters and histograms from the event log, gauges of the moment.

Names follow https://prometheus.io/docs/practices/naming; tokens OpenTelemetry's `gen_ai.client.token.usage`.
"""

from __future__ import annotations

import logging
import platform
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.errors import ContactSheetError
from core.logs import log
from core.metrics.alert_readings import ReadUsage
from core.metrics.exposition import HistogramData, LabelPairs, MetricFamily, counter, gauge, histogram, info
from core.records.alerts import Alert
from core.records.events import EVENT_KINDS, EventWindow
from core.records.images import ImageOutcome
from core.records.latency_sketch import LatencySketch

# Seconds. The first target (1.5) and the first alert (2) are bounds, so that what is said of them is exact.
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
OUTCOMES = ("ok", "fallback", "error")
JOB_STATES = ("queued", "running", "done", "failed", "cancelled", "crashed")
MAX_COLLECTIONS = 100
OTHER_COLLECTIONS = "(others)"

EventTotals = Mapping[tuple[str, str], EventWindow]


@dataclass(frozen=True)
class MetricSources:
    """Where the numbers come from; each is asked once per scrape, and may raise ContactSheetError."""

    totals: Callable[[], EventTotals]
    assets: Callable[[], Mapping[str, int]]
    jobs: Callable[[], Mapping[str, int]]
    budget: ReadUsage
    quota: ReadUsage
    alerts: Callable[[], Sequence[Alert]]
    memory_bytes: Callable[[], int | None]
    images: Callable[[], Mapping[ImageOutcome, int]]


class MetricsExporter:
    """Makes the families of one scrape. May be shared between threads."""

    def __init__(self, sources: MetricSources, started_at: datetime, version: str) -> None:
        self._sources, self._started_at, self._version = sources, started_at, version
        self._named = dict[str, None]()
        self._lock = threading.Lock()

    def families(self, now: datetime) -> list[MetricFamily]:
        """All metrics; a source that fails leaves its own out, and shows as 0 in contactsheet_source_up."""
        sources = self._sources
        parts: dict[str, Callable[[], Iterable[MetricFamily]]] = {
            "events": lambda: self._of_events(sources.totals()),
            "assets": lambda: self._of_assets(sources.assets()),
            "jobs": lambda: _of_jobs(sources.jobs()),
            "budget": lambda: _of_allowances("budget", "usd", sources.budget),
            "quota": lambda: _of_allowances("quota", "requests", sources.quota),
            "alerts": lambda: _of_alerts(sources.alerts()),
            "process": lambda: self._of_process(sources.memory_bytes(), now),
            "images": lambda: _of_images(sources.images()),
        }
        families, up = list[MetricFamily](), dict[str, int]()
        for name, part in parts.items():
            try:
                families += part()
                up[name] = 1
            except ContactSheetError as error:
                log("metrics", "a source of metrics failed", logging.ERROR, source=name, error=str(error))
                up[name] = 0
        values = (((("source", name),), value) for name, value in up.items())
        return [*families, gauge("contactsheet_source_up", "Whether the numbers of a source could be had.", values)]

    def _of_events(self, totals: EventTotals) -> Iterator[MetricFamily]:
        yield from _of_requests(totals, {name: self._label(name) for name in sorted({c for _, c in totals})})
        yield from _of_stages(totals)
        yield from _of_costs(totals)

    def _of_assets(self, assets: Mapping[str, int]) -> Iterator[MetricFamily]:
        sizes = Counter[str]()
        for name in sorted(assets):
            sizes[self._label(name)] += assets[name]
        values = (((("collection", name),), size) for name, size in sizes.items())
        yield gauge("contactsheet_assets", "Images of each collection.", values)

    def _of_process(self, memory_bytes: int | None, now: datetime) -> Iterator[MetricFamily]:
        uptime_s = (now - self._started_at).total_seconds()
        yield gauge("contactsheet_uptime_seconds", "Time since this process began.", [((), uptime_s)], "seconds")
        if memory_bytes is not None:
            about = "Memory that this process holds."
            yield gauge("process_resident_memory_bytes", about, [((), memory_bytes)], "bytes")
        labels = (("version", self._version), ("python", platform.python_version()))
        yield info("contactsheet_build", "What is running.", labels)

    def _label(self, collection: str) -> str:
        """The first hundred collections keep their names as long as the process lives; the rest share one label."""
        with self._lock:
            if len(self._named) < MAX_COLLECTIONS:
                self._named.setdefault(collection)
            return collection if collection in self._named else OTHER_COLLECTIONS


def _of_requests(totals: EventTotals, label: Mapping[str, str]) -> Iterator[MetricFamily]:
    requests, reasons, hits = Counter[LabelPairs](), Counter[LabelPairs](), Counter[LabelPairs]()
    for (kind, collection), window in totals.items():
        for outcome in OUTCOMES:
            labels = (("kind", kind), ("collection", label[collection]), ("outcome", outcome))
            requests[labels] += window.outcomes_by_kind.get((kind, outcome), 0)
        for reason, count in window.reasons.items():
            reasons[("kind", kind), ("reason", reason)] += count
        hits[(("kind", kind),)] += window.cache_hits
    yield counter("contactsheet_requests", "Requests by how they ended.", requests.items())
    yield counter("contactsheet_failures", "Requests that ended in an error or a fallback.", reasons.items())
    yield counter("contactsheet_cache_hits", "Requests answered without asking Gemini again.", hits.items())
    images = sum(window.images for window in totals.values())
    yield counter("contactsheet_images", "Images decoded and handed over.", [((), images)])


def _of_stages(totals: EventTotals) -> Iterator[MetricFamily]:
    # A series that is there before its first request lets Prometheus see that request as an increase.
    parts: dict[LabelPairs, list[bytes]] = {(("kind", kind), ("stage", "total")): [] for kind in EVENT_KINDS}
    for (kind, _), window in totals.items():
        for stage, sketch in window.stages.items():
            if sketch.count:
                parts.setdefault((("kind", kind), ("stage", stage)), []).append(sketch.to_bytes())
    about = "Time per stage of a request; `total` is all of it."
    spread = (_distribution(labels, LatencySketch.total(some)) for labels, some in sorted(parts.items()))
    yield histogram("contactsheet_stage_duration_seconds", about, BOUNDS_S, spread, "seconds")


def _distribution(labels: LabelPairs, sketch: LatencySketch) -> HistogramData:
    at_most = tuple(sketch.at_most(bound * 1000) for bound in BOUNDS_S)
    return HistogramData(labels, at_most, sketch.count, sketch.sum_ms / 1000)


def _of_costs(totals: EventTotals) -> Iterator[MetricFamily]:
    tokens, usd = Counter[str](), dict[str, float]()
    for window in totals.values():
        tokens.update(window.tokens)
        for service, cost in window.usd.items():
            usd[service] = usd.get(service, 0.0) + cost
    parts = {
        ("input", "fresh"): tokens["prompt"] - tokens["cached"],
        ("input", "cached"): tokens["cached"],
        ("output", "answer"): tokens["output"],
        ("output", "thought"): tokens["thought"],
    }
    common = (("gen_ai_operation_name", "generate_content"), ("gen_ai_provider_name", "gcp.gemini"))
    values = [((*common, ("gen_ai_token_type", kind), ("part", part)), n) for (kind, part), n in parts.items()]
    yield counter("gen_ai_client_token_usage", "Tokens that Gemini has billed.", values)
    costs = (((("service", service),), cost) for service, cost in sorted(usd.items()))
    yield counter("contactsheet_cost_usd", "What requests have cost, by service.", costs, "usd")


def _of_jobs(jobs: Mapping[str, int]) -> Iterator[MetricFamily]:
    values = (((("state", state),), jobs.get(state, 0)) for state in JOB_STATES)
    yield gauge("contactsheet_jobs", "Background jobs by state.", values)


def _of_allowances(name: str, unit: str, allowances: ReadUsage) -> Iterator[MetricFamily]:
    by_period = sorted(allowances().items())
    for what, about in (("used", f"What counts against the {name}."), ("limit", f"The {name} that is set.")):
        values = [((("period", period),), float(getattr(allowance, what))) for period, allowance in by_period]
        yield gauge(f"contactsheet_{name}_{what}_{unit}", about, values, unit)


def _of_alerts(alerts: Sequence[Alert]) -> Iterator[MetricFamily]:
    values = (((("alert", a.rule.name), ("severity", a.rule.severity)), int(a.firing)) for a in alerts)
    yield gauge("contactsheet_alert_firing", "Whether an alert fires, as the pages show it.", values)


def _of_images(totals: Mapping[ImageOutcome, int]) -> Iterator[MetricFamily]:
    about = "Images that browsers asked this process for, by how that ended."
    values = (((("outcome", outcome),), count) for outcome, count in totals.items())
    yield counter("contactsheet_image_requests", about, values)
