"""The metrics at /metrics: counters and histograms from the event log, gauges of current values.

Names follow https://prometheus.io/docs/practices/naming; tokens OpenTelemetry's `gen_ai.client.token.usage`.

Every process that serves a data folder reports the same requests, costs, jobs, budgets and alerts, since these are read
from its databases; only memory, uptime and delivered images are the process's own. So where several processes are
scraped, take the `max` of the former over instances, not the `sum`.
"""

from __future__ import annotations

import logging
import platform
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from core.errors import ContactSheetError
from core.logs import log
from core.metrics.alert_readings import ReadUsage
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
# Values of a metric's labels, in their order, and the metric's value.
Values = Iterable[tuple[tuple[str, ...], float]]


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


class MetricsCollector(Collector):
    """Collects the metrics of one scrape. May be shared between threads."""

    def __init__(self, sources: MetricSources, version: str, clock: Callable[[], datetime]) -> None:
        self._sources, self._version, self._clock, self._started_at = sources, version, clock, clock()
        self._labelled = dict[str, None]()
        self._lock = threading.Lock()

    def registry(self) -> CollectorRegistry:
        """A registry of these metrics alone."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return registry

    def collect(self) -> list[Metric]:
        """All metrics; those of a failing source are left out, and contactsheet_source_up is 0 for it."""
        sources = self._sources
        parts: dict[str, Callable[[], Iterable[Metric]]] = {
            "events": lambda: self._event_families(sources.totals()),
            "assets": lambda: self._asset_families(sources.assets()),
            "jobs": lambda: _job_families(sources.jobs()),
            "budget": lambda: _usage_families("budget", "usd", sources.budget),
            "quota": lambda: _usage_families("quota", "requests", sources.quota),
            "alerts": lambda: _alert_families(sources.alerts()),
            "process": lambda: self._process_families(sources.memory_bytes()),
            "images": lambda: _image_families(sources.images()),
        }
        families, up = list[Metric](), dict[str, int]()
        for name, part in parts.items():
            try:
                families += part()
                up[name] = 1
            except ContactSheetError as error:
                log("metrics", "a source of metrics failed", logging.ERROR, source=name, error=str(error))
                up[name] = 0
        values = (((name,), value) for name, value in up.items())
        about = "Whether the source of these metrics could be read."
        return [*families, _gauge("contactsheet_source_up", about, ("source",), values)]

    def _event_families(self, totals: EventTotals) -> Iterator[Metric]:
        yield from _request_families(totals, {name: self._label(name) for name in sorted({c for _, c in totals})})
        yield from _stage_families(totals)
        yield from _cost_families(totals)

    def _asset_families(self, assets: Mapping[str, int]) -> Iterator[Metric]:
        sizes = Counter[str]()
        for name in sorted(assets):
            sizes[self._label(name)] += assets[name]
        values = (((name,), size) for name, size in sizes.items())
        yield _gauge("contactsheet_assets", "Images in each collection.", ("collection",), values)

    def _process_families(self, memory_bytes: int | None) -> Iterator[Metric]:
        uptime_s = (self._clock() - self._started_at).total_seconds()
        yield _gauge("contactsheet_uptime_seconds", "Time since this process started.", (), [((), uptime_s)], "seconds")
        if memory_bytes is not None:
            about = "Resident memory of this process."
            yield _gauge("process_resident_memory_bytes", about, (), [((), memory_bytes)], "bytes")
        build = {"version": self._version, "python": platform.python_version()}
        yield InfoMetricFamily("contactsheet_build", "Versions that are running.", build)

    def _label(self, collection: str) -> str:
        """The first hundred collections have their own label as long as the process lives; the rest share one."""
        collection = _encodable(collection)
        with self._lock:
            if len(self._labelled) < MAX_COLLECTIONS:
                self._labelled.setdefault(collection)
            return collection if collection in self._labelled else OTHER_COLLECTIONS


def _request_families(totals: EventTotals, label: Mapping[str, str]) -> Iterator[Metric]:
    requests, reasons, hits = Counter[tuple[str, ...]](), Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for (kind, collection), window in totals.items():
        for outcome in OUTCOMES:
            requests[kind, label[collection], outcome] += window.outcomes_by_kind.get((kind, outcome), 0)
        for reason, count in window.reasons.items():
            reasons[kind, reason] += count
        hits[(kind,)] += window.cache_hits
    about = "Requests by outcome."
    yield _counter("contactsheet_requests", about, ("kind", "collection", "outcome"), requests.items())
    about = "Requests that ended in an error or a fallback, by reason."
    yield _counter("contactsheet_failures", about, ("kind", "reason"), reasons.items())
    about = "Requests answered from the cache instead of by Gemini."
    yield _counter("contactsheet_cache_hits", about, ("kind",), hits.items())
    images = sum(window.images for window in totals.values())
    yield _counter("contactsheet_images", "Images processed by requests.", (), [((), images)])


def _stage_families(totals: EventTotals) -> Iterator[Metric]:
    # A series that exists before its first request lets Prometheus see that request as an increase.
    parts: dict[tuple[str, str], list[bytes]] = {(kind, "total"): [] for kind in EVENT_KINDS}
    for (kind, _), window in totals.items():
        for stage, sketch in window.stages.items():
            if sketch.count:
                parts.setdefault((kind, stage), []).append(sketch.to_bytes())
    about = "Duration of each stage of a request; `total` is the whole request."
    name, labels = "contactsheet_stage_duration_seconds", ("kind", "stage")
    family = HistogramMetricFamily(name, about, labels=labels, unit="seconds")
    for values, sketches in sorted(parts.items()):
        sketch = LatencySketch.merge_all(sketches)
        buckets = [(str(bound), sketch.count_at_most(bound * 1000)) for bound in BOUNDS_S]
        family.add_metric(list(map(_encodable, values)), [*buckets, ("+Inf", sketch.count)], sketch.sum_ms / 1000)
    yield family


def _cost_families(totals: EventTotals) -> Iterator[Metric]:
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
    labels = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_token_type", "part")
    values = ((("generate_content", "gcp.gemini", kind, part), count) for (kind, part), count in parts.items())
    yield _counter("gen_ai_client_token_usage", "Tokens billed by Gemini.", labels, values)
    costs = (((service,), cost) for service, cost in sorted(usd.items()))
    yield _counter("contactsheet_cost_usd", "Cost of requests, by service.", ("service",), costs, "usd")


def _job_families(jobs: Mapping[str, int]) -> Iterator[Metric]:
    values = (((state,), jobs.get(state, 0)) for state in JOB_STATES)
    yield _gauge("contactsheet_jobs", "Background jobs by state.", ("state",), values)


def _usage_families(name: str, unit: str, read_usage: ReadUsage) -> Iterator[Metric]:
    by_period = sorted(read_usage().items())
    for attribute, about in (("used", f"Used of the {name}."), ("limit", f"Limit of the {name}.")):
        values = (((period,), float(getattr(usage, attribute))) for period, usage in by_period)
        yield _gauge(f"contactsheet_{name}_{attribute}_{unit}", about, ("period",), values, unit)


def _alert_families(alerts: Sequence[Alert]) -> Iterator[Metric]:
    values = (((alert.rule.name, alert.rule.severity), int(alert.firing)) for alert in alerts)
    yield _gauge("contactsheet_alert_firing", "Whether an alert is active.", ("alert", "severity"), values)


def _image_families(totals: Mapping[ImageOutcome, int]) -> Iterator[Metric]:
    about = "Images requested from this process by browsers, by outcome."
    values = (((outcome,), count) for outcome, count in totals.items())
    yield _counter("contactsheet_image_requests", about, ("outcome",), values)


def _counter(name: str, about: str, labels: Sequence[str], values: Values, unit: str = "") -> Metric:
    return _filled(CounterMetricFamily(name, about, labels=labels, unit=unit), values)


def _gauge(name: str, about: str, labels: Sequence[str], values: Values, unit: str = "") -> Metric:
    return _filled(GaugeMetricFamily(name, about, labels=labels, unit=unit), values)


def _filled(family: CounterMetricFamily | GaugeMetricFamily, values: Values) -> Metric:
    for labels, value in values:
        family.add_metric(list(map(_encodable, labels)), value)
    return family


def _encodable(label: str) -> str:
    """A label with lone surrogates escaped, which no encoding of text has and some file names do."""
    return label.encode("utf-8", "backslashreplace").decode()
