"""Metrics as text for Prometheus: its classic format 0.0.4, and OpenMetrics 1.0 if the client asks for it.

Sources: https://prometheus.io/docs/instrumenting/exposition_formats, https://prometheus.io/docs/specs/om.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

CLASSIC = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

LabelPairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MetricSample:
    """One number: the suffix of the family's name (`_total`, `_bucket`, or none), labels and value."""

    value: float
    labels: LabelPairs = ()
    suffix: str = ""


@dataclass(frozen=True)
class MetricFamily:
    """Samples of one metric; `name` is without `_total` or `_info`, and ends in `unit` if there is data."""

    name: str
    kind: Literal["counter", "gauge", "histogram", "info"]
    help: str
    samples: tuple[MetricSample, ...]
    unit: str = ""


def counter(name: str, help_: str, values: Iterable[tuple[LabelPairs, float]], unit: str = "") -> MetricFamily:
    """A metric that only increases."""
    return MetricFamily(
        name, "counter", help_, tuple(MetricSample(value, labels, "_total") for labels, value in values), unit
    )


def gauge(name: str, help_: str, values: Iterable[tuple[LabelPairs, float]], unit: str = "") -> MetricFamily:
    """A metric that goes up and down."""
    return MetricFamily(name, "gauge", help_, tuple(MetricSample(value, labels) for labels, value in values), unit)


def info(name: str, help_: str, labels: LabelPairs) -> MetricFamily:
    """Text as labels of a sample that is always 1."""
    return MetricFamily(name, "info", help_, (MetricSample(1, labels, "_info"),))


@dataclass(frozen=True)
class HistogramData:
    """A histogram for one set of labels: the cumulative count per bound, the total count, and the sum."""

    labels: LabelPairs
    cumulative_counts: tuple[int, ...]
    count: int
    sum: float


def histogram(
    name: str, help_: str, bounds: Sequence[float], distributions: Iterable[HistogramData], unit: str = ""
) -> MetricFamily:
    """A histogram; `bounds` are ascending, and infinity is added to them."""
    samples = list[MetricSample]()
    for data in distributions:
        counts = zip((*bounds, math.inf), (*data.cumulative_counts, data.count), strict=True)
        samples += [MetricSample(count, (*data.labels, ("le", _number(bound))), "_bucket") for bound, count in counts]
        samples += [MetricSample(data.count, data.labels, "_count"), MetricSample(data.sum, data.labels, "_sum")]
    return MetricFamily(name, "histogram", help_, tuple(samples), unit)


def render(families: Iterable[MetricFamily], openmetrics: bool = False) -> bytes:
    """The families as UTF-8 text; lone surrogates are escaped."""
    lines = [line for family in families for line in _lines(family, openmetrics)]
    text = "\n".join([*lines, "# EOF", ""] if openmetrics else [*lines, ""])
    return text.encode("utf-8", "backslashreplace")


def _lines(family: MetricFamily, openmetrics: bool) -> Iterator[str]:
    name, kind = family.name, family.kind
    if not openmetrics:
        name += {"counter": "_total", "info": "_info"}.get(kind, "")
        kind = "gauge" if kind == "info" else kind
    yield f"# HELP {name} {_escaped(family.help, quotes=openmetrics)}"
    yield f"# TYPE {name} {kind}"
    if openmetrics and family.unit:
        yield f"# UNIT {name} {family.unit}"
    for sample in family.samples:
        yield f"{family.name}{sample.suffix}{_braces(sample.labels)} {_number(sample.value)}"


def _braces(labels: LabelPairs) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}" if labels else ""


def _escaped(text: str, quotes: bool = True) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _number(value: float) -> str:
    """A number as in both formats: `1.0`, `0.001`, `+Inf`, `NaN`; large integers keep every digit."""
    if isinstance(value, int) and abs(value) >= 2**53:
        return str(value)
    if math.isnan(value):
        return "NaN"
    return repr(float(value)) if math.isfinite(value) else ("+Inf" if value > 0 else "-Inf")


def prefers_openmetrics(accept: str) -> bool:
    """Whether an Accept header asks for OpenMetrics 1.0 at least as much as for classic text."""
    quality = {False: 0.0, True: 0.0}
    for part in accept.lower().split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        given = dict(parameter.partition("=")[::2] for parameter in parameters)
        if media == "application/openmetrics-text" and given.get("version", "1.0.0") == "1.0.0":
            quality[True] = max(quality[True], _quality(given))
        elif media == "text/plain":
            quality[False] = max(quality[False], _quality(given))
    return quality[True] > 0 and quality[True] >= quality[False]


def _quality(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0
