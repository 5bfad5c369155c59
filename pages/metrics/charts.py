"""Vega-Lite charts over time: specs, and pure functions from windows of equal length to their rows.

A browser keeps such a chart while its spec stays the same, and redraws only the marks. A Plotly chart would be created
anew with every number that changes, since Streamlit identifies it by its content.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from core.metrics.summary import BASELINE_MS
from core.records.events import EventWindow, to_milliseconds

HEIGHT_PX, BAR_GAP_SHARE = 260, 0.2
NARROW_PX = 420  # of a plot, too narrow for a legend in one row
# Each is legible on a light and a dark background, and they do not differ by red and green alone.
LIGHT, MIDDLE, STRONG, GREY = "#6fa8a3", "#d6943a", "#c4412b", "#7d8a91"
QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
SERVICES = {"clip": "CLIP", "compute": "compute", "gemini": "Gemini"}

ChartRow = dict[str, Any]
Spec = dict[str, Any]


def latency_rows(windows: Sequence[EventWindow], stage: str) -> list[ChartRow]:
    """Percentiles of one stage in milliseconds (None if nothing was measured), and the baseline."""
    rows = [
        _row(window, name, _rounded(window.stages[stage].quantile(share)))
        for window in windows
        for name, share in QUANTILES.items()
    ]
    return rows + [_row(window, "baseline", BASELINE_MS[stage]) for window in (windows[0], windows[-1])]


def traffic_rows(windows: Sequence[EventWindow]) -> list[ChartRow]:
    """Searches per minute by outcome, stacked."""
    rows = []
    for window in windows:
        minutes = (window.until - window.since).total_seconds() / 60
        counts = (window.requests - window.errors - window.fallbacks, window.fallbacks, window.errors)
        rows += _stacked(window, {name: count / minutes for name, count in zip(OUTCOMES, counts, strict=True)})
    return rows


def cost_rows(windows: Sequence[EventWindow]) -> list[ChartRow]:
    """Cost of each window in USD by service, stacked."""
    return [
        row
        for window in windows
        for row in _stacked(window, {name: window.usd[service] for service, name in SERVICES.items()})
    ]


def _stacked(window: EventWindow, parts: dict[str, float]) -> list[ChartRow]:
    """Each part as a block on top of the previous ones, with a gap to the next window."""
    gap_ms = BAR_GAP_SHARE * (to_milliseconds(window.until) - to_milliseconds(window.since)) / 2
    ends = {"from": to_milliseconds(window.since) + gap_ms, "to": to_milliseconds(window.until) - gap_ms}
    tops = list(accumulate(parts.values()))
    return [
        {**_row(window, name, value), **ends, "base": top - value, "top": top}
        for (name, value), top in zip(parts.items(), tops, strict=True)
    ]


def _row(window: EventWindow, name: str, value: float | None) -> ChartRow:
    """A value at the middle of its window; `at` is in milliseconds since 1970, UTC."""
    return {"at": to_milliseconds(window.since + (window.until - window.since) / 2), "what": name, "value": value}


def _rounded(ms: float) -> float | None:
    return None if math.isnan(ms) else round(ms, 2)


def _spec(mark: Spec, unit: str, colours: Mapping[str, str], places: Spec) -> Spec:
    tooltip = [
        {"field": "at", "type": "temporal", "title": "UTC", "formatType": "utc", "format": "%-d %b, %H:%M"},
        {"field": "what", "type": "nominal", "title": "what"},
        {"field": "value", "type": "quantitative", "title": unit, "format": ",.4~g"},
    ]
    columns = {"expr": f"width < {NARROW_PX} ? 2 : {len(colours)}"}
    legend = {"orient": "top", "columns": columns, "symbolType": "stroke" if mark["type"] == "line" else "square"}
    colour = {
        "field": "what",
        "type": "nominal",
        "title": None,
        "legend": legend,
        "scale": {"domain": list(colours), "range": list(colours.values())},
    }
    return {"height": HEIGHT_PX, "mark": mark, "encoding": {**places, "color": colour, "tooltip": tooltip}}


def _x(field: str) -> Spec:
    of_day = "utchours(datum.value) || utcminutes(datum.value)"
    label = f"utcFormat(datum.value, {of_day} ? '%H:%M' : '%-d %b')"
    axis = {"title": None, "grid": False, "labelOverlap": True, "labelExpr": label}
    return {"field": field, "type": "temporal", "scale": {"type": "utc", "nice": False}, "axis": axis}


def _y(field: str, unit: str) -> Spec:
    axis = {"title": unit, "minExtent": 34, "tickCount": 5, "format": ",.3~r"}
    return {"field": field, "type": "quantitative", "scale": {"zero": True}, "axis": axis}


def _bars(unit: str, names: Sequence[str]) -> Spec:
    places = {"x": _x("from"), "x2": {"field": "to"}, "y": _y("base", unit), "y2": {"field": "top"}}
    return _spec({"type": "rect"}, unit, dict(zip(names, (LIGHT, MIDDLE, STRONG), strict=True)), places)


OUTCOMES = ("as asked", "by similarity instead", "failed")
_LINES = {"p50": LIGHT, "p95": MIDDLE, "p99": STRONG, "baseline": GREY}
_DASHES = {"domain": list(_LINES), "range": [[1, 0], [1, 0], [1, 0], [4, 4]]}

LATENCY = _spec(
    {"type": "line", "strokeWidth": 2, "point": {"size": 16}, "invalid": "break-paths-show-domains"},
    "ms",
    _LINES,
    {
        "x": _x("at"),
        "y": _y("value", "ms"),
        "strokeDash": {"field": "what", "type": "nominal", "scale": _DASHES, "legend": None},
    },
)
TRAFFIC = _bars("a minute", OUTCOMES)
COST = _bars("USD", tuple(SERVICES.values()))
