"""Runs and comparisons as table rows, texts and figures; pure functions."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from datetime import datetime

import plotly.graph_objects as go

from core.quality.comparison import Comparison
from core.quality.evaluation import MeanMeasures
from core.quality.intervals import Interval
from core.quality.label_sets import GRADES
from core.quality.relevance import MEASURE_NAMES, RELEVANCE_MEASURES, RelevanceMeasure, compute_measures
from core.records.evaluations import EvaluationRun, EvaluationRunSummary, QueryOutcome

LEADING_MEASURE = "ndcg@4"
POINT_COLOUR, INTERVAL_COLOUR = "#b3331f", "#7d8a91"
ROW_PX, FRAME_PX = 26, 70


def run_label(row: EvaluationRunSummary) -> str:
    """`3 · demo.jsonl on demo · by similarity · 22 Nov 2026, 04:10 UTC · first`."""
    parts = [str(row.id), f"{row.labels} on {row.collection}", row.ranked_by, utc_time(row.at), row.name]
    return " · ".join(filter(None, parts))


def utc_time(at: datetime) -> str:
    return f"{at:%-d %b %Y, %H:%M} UTC"


def measure_text(value: float, measure: RelevanceMeasure) -> str:
    """A measure in the notation of its baseline: query success in per cent, the others with two decimals."""
    return f"{value:.0%}" if measure.name.startswith("success") else f"{value:.2f}"


def interval_text(interval: Interval, measure: RelevanceMeasure) -> str:
    return f"{measure_text(interval.low, measure)} to {measure_text(interval.high, measure)}"


def best_possible(outcomes: Sequence[QueryOutcome]) -> Mapping[str, float]:
    """The measures of the best possible orders: with one relevant picture, Precision@4 is at most 0.25."""
    best = [compute_measures(sorted(o.relevant, key=lambda i: -o.relevant[i]), o.relevant) for o in outcomes]
    return {name: sum(measures[name] for measures in best) / len(best) for name in MEASURE_NAMES}


def worst_first(run: EvaluationRun) -> list[QueryOutcome]:
    """The outcomes of a run, the worst by NDCG@4 first."""
    return sorted(run.outcomes, key=lambda o: (o.measures[LEADING_MEASURE], o.measures["mrr"], o.query))


def outcome_label(outcome: QueryOutcome) -> str:
    """`d012 · a red car`: unique in a label set."""
    return f"{outcome.id} · {outcome.query}"


def query_rows(outcomes: Sequence[QueryOutcome]) -> list[dict[str, object]]:
    """A row per query."""
    return [
        {"Query": o.query, "Kind": o.kind, "Relevant": sum(grade > 0 for grade in o.relevant.values())}
        | {m.title: o.measures[m.name] for m in RELEVANCE_MEASURES}
        for o in outcomes
    ]


def change_rows(comparison: Comparison) -> list[dict[str, object]]:
    """A row per query of two runs, the largest drops first."""
    return [
        {
            "Query": c.first.query,
            "Kind": c.first.kind,
            "First": c.first.measures[LEADING_MEASURE],
            "Second": c.second.measures[LEADING_MEASURE],
            "Difference": c.difference,
        }
        for c in comparison.changes
    ]


def difference_rows(comparison: Comparison) -> list[dict[str, object]]:
    """A row per measure: second minus first."""
    rows: list[dict[str, object]] = []
    for m in RELEVANCE_MEASURES:
        d = comparison.differences[m.name]
        better_or_worse = "the second is better" if d.value > 0 else "the second is worse"
        says = better_or_worse if d.excludes_zero else "within chance"
        rows.append({"Measure": m.title, "Difference": d.value, "From": d.low, "To": d.high, "Verdict": says})
    return rows


def grade_captions(order: Sequence[str], relevant: Mapping[str, int]) -> dict[str, str]:
    """The grade of each picture in words, by asset id."""
    return {asset_id: GRADES[relevant.get(asset_id, 0)] for asset_id in order}


def missed_ids(outcome: QueryOutcome) -> list[str]:
    """The relevant pictures that are not among the first ten, the highest grades first."""
    relevant = {asset_id for asset_id, grade in outcome.relevant.items() if grade > 0}
    return sorted(relevant - set(outcome.order), key=lambda i: (-outcome.relevant[i], i))


def kinds_figure(kinds: Mapping[str, MeanMeasures], measure: RelevanceMeasure) -> go.Figure:
    """One measure per kind of query, with its interval; the most frequent kind on top."""
    names = list(kinds)
    intervals = [kinds[name].measures[measure.name] for name in names]
    figure = go.Figure(
        go.Scatter(
            x=[i.value for i in intervals],
            y=[f"{html.escape(name, quote=False)} ({kinds[name].count})" for name in names],  # Plotly shows HTML
            mode="markers",
            marker={"size": 9, "color": POINT_COLOUR},
            showlegend=False,
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [i.high - i.value for i in intervals],
                "arrayminus": [i.value - i.low for i in intervals],
                "color": INTERVAL_COLOUR,
                "thickness": 1.5,
            },
            customdata=[[i.low, i.high] for i in intervals],
            hovertemplate="%{y}: %{x:.2f} (%{customdata[0]:.2f} to %{customdata[1]:.2f})<extra></extra>",
        )
    )
    figure.update_layout(
        height=FRAME_PX + ROW_PX * len(names),
        margin={"l": 8, "r": 16, "t": 8, "b": 32},
        dragmode=False,
        xaxis={"range": [-0.02, 1.02], "fixedrange": True, "title": measure.title},
        yaxis={"autorange": "reversed", "fixedrange": True, "automargin": True},
    )
    return figure
