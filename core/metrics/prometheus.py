"""The metrics at /metrics: counters and histograms from the event log, gauges of current values.

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
from core.records.encoded_images import ImageOutcome
from core.records.events import EVENT_KINDS, EventWindow
from core.records.latency_sketch import LatencySketch

# Seconds. The latency target (1.5) and the threshold of the first alert (2) are bounds, so their counts are exact.
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
OUTCOMES = ("ok", "fallback", "error")
JOB_STATES = ("queued", "running", "done", "failed", "cancelled", "crashed")
MAX_COLLECTIONS = 100
OTHER_COLLECTIONS = "(others)"

EventTotals = Mapping[tuple[str, str], EventWindow]


@dataclass(frozen=True)
class MetricSources:
    """The sources of the metrics; each is called once per scrape, and may raise ContactSheetError."""

    totals: Callable[[], EventTotals]
    assets: Callable[[], Mapping[str, int]]
    jobs: Callable[[], Mapping[str, int]]
    budget: ReadUsage
    quota: ReadUsage
    alerts: Callable[[], Sequence[Alert]]
    memory_bytes: Callable[[], int | None]
    images: Callable[[], Mapping[ImageOutcome, int]]


class MetricsExporter:
    """Builds the families of one scrape. May be shared between threads."""

    def __init__(self, sources: MetricSources, started_at: datetime, version: str) -> None:
        self._sources, self._started_at, self._version = sources, started_at, version
        self._labelled = dict[str, None]()
        self._lock = threading.Lock()

    def families(self, now: datetime) -> list[MetricFamily]:
        """All metrics; those of a failing source are left out, and contactsheet_source_up is 0 for it."""
        sources = self._sources
        parts: dict[str, Callable[[], Iterable[MetricFamily]]] = {
            "events": lambda: self._event_families(sources.totals()),
            "assets": lambda: self._asset_families(sources.assets()),
            "jobs": lambda: _job_families(sources.jobs()),
            "budget": lambda: _usage_families("budget", "usd", sources.budget),
            "quota": lambda: _usage_families("quota", "requests", sources.quota),
            "alerts": lambda: _alert_families(sources.alerts()),
            "process": lambda: self._process_families(sources.memory_bytes(), now),
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

    def _event_families(self, totals: EventTotals) -> Iterator[MetricFamily]:
        yield from _request_families(totals, {name: self._label(name) for name in sorted({c for _, c in totals})})
        yield from _stage_families(totals)
        yield from _cost_families(totals)

    def _asset_families(self, assets: Mapping[str, int]) -> Iterator[MetricFamily]:
        sizes = Counter[str]()
        for name in sorted(assets):
            sizes[self._label(name)] += assets[name]
        values = (((("collection", name),), size) for name, size in sizes.items())
        yield gauge("contactsheet_assets", "Images of each collection.", values)

    def _process_families(self, memory_bytes: int | None, now: datetime) -> Iterator[MetricFamily]:
        uptime_s = (now - self._started_at).total_seconds()
        yield gauge("contactsheet_uptime_seconds", "Time since this process began.", [((), uptime_s)], "seconds")
        if memory_bytes is not None:
            about = "Memory that this process holds."
            yield gauge("process_resident_memory_bytes", about, [((), memory_bytes)], "bytes")
        labels = (("version", self._version), ("python", platform.python_version()))
        yield info("contactsheet_build", "What is running.", labels)

    def _label(self, collection: str) -> str:
        """The first hundred collections have their own label as long as the process lives; the rest share one."""
        with self._lock:
            if len(self._labelled) < MAX_COLLECTIONS:
                self._labelled.setdefault(collection)
            return collection if collection in self._labelled else OTHER_COLLECTIONS


def _request_families(totals: EventTotals, label: Mapping[str, str]) -> Iterator[MetricFamily]:
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


def _stage_families(totals: EventTotals) -> Iterator[MetricFamily]:
    # A series that exists before its first request lets Prometheus see that request as an increase.
    parts: dict[LabelPairs, list[bytes]] = {(("kind", kind), ("stage", "total")): [] for kind in EVENT_KINDS}
    for (kind, _), window in totals.items():
        for stage, sketch in window.stages.items():
            if sketch.count:
                parts.setdefault((("kind", kind), ("stage", stage)), []).append(sketch.to_bytes())
    about = "Time per stage of a request; `total` is all of it."
    histograms = (
        _histogram_data(labels, LatencySketch.merge_all(sketches)) for labels, sketches in sorted(parts.items())
    )
    yield histogram("contactsheet_stage_duration_seconds", about, BOUNDS_S, histograms, "seconds")


def _histogram_data(labels: LabelPairs, sketch: LatencySketch) -> HistogramData:
    cumulative_counts = tuple(sketch.count_at_most(bound * 1000) for bound in BOUNDS_S)
    return HistogramData(labels, cumulative_counts, sketch.count, sketch.sum_ms / 1000)


def _cost_families(totals: EventTotals) -> Iterator[MetricFamily]:
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


def _job_families(jobs: Mapping[str, int]) -> Iterator[MetricFamily]:
    values = (((("state", state),), jobs.get(state, 0)) for state in JOB_STATES)
    yield gauge("contactsheet_jobs", "Background jobs by state.", values)


def _usage_families(name: str, unit: str, read_usage: ReadUsage) -> Iterator[MetricFamily]:
    by_period = sorted(read_usage().items())
    for attribute, about in (("used", f"What counts against the {name}."), ("limit", f"The {name} that is set.")):
        values = [((("period", period),), float(getattr(usage, attribute))) for period, usage in by_period]
        yield gauge(f"contactsheet_{name}_{attribute}_{unit}", about, values, unit)


def _alert_families(alerts: Sequence[Alert]) -> Iterator[MetricFamily]:
    values = (((("alert", a.rule.name), ("severity", a.rule.severity)), int(a.firing)) for a in alerts)
    yield gauge("contactsheet_alert_firing", "Whether an alert fires, as the pages show it.", values)


def _of_images(totals: Mapping[ImageOutcome, int]) -> Iterator[MetricFamily]:
    about = "Images that browsers asked this process for, by how that ended."
    values = (((("outcome", outcome),), count) for outcome, count in totals.items())
    yield counter("contactsheet_image_requests", about, values)
