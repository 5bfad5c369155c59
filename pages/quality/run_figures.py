"""What runs come to, as tables and figures; plain functions, no drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import plotly.graph_objects as go

from core.quality.comparison import Comparison
from core.quality.evaluation import Scores
from core.quality.intervals import Interval
from core.quality.label_sets import GRADES
from core.quality.relevance import NAMES, RELEVANCE_MEASURES, RelevanceMeasure, measures_of
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
    """A measure as its predecessor was told: query success in per cent, the others with two digits."""
    return f"{value:.0%}" if measure.name.startswith("success") else f"{value:.2f}"


def interval_text(found: Interval, measure: RelevanceMeasure) -> str:
    return f"{measure_text(found.low, measure)} to {measure_text(found.high, measure)}"


def best_possible(outcomes: Sequence[QueryOutcome]) -> Mapping[str, float]:
    """What the best possible orders would reach: where one picture is relevant, Precision@4 is 0.25 at most."""
    best = [measures_of(sorted(o.relevant, key=lambda i: -o.relevant[i]), o.relevant) for o in outcomes]
    return {name: sum(measures[name] for measures in best) / len(best) for name in NAMES}


def worst_first(run: EvaluationRun) -> list[QueryOutcome]:
    """The outcomes of a run, the worst by NDCG@4 first."""
    return sorted(run.outcomes, key=lambda o: (o.measures[LEADING_MEASURE], o.measures["mrr"], o.query))


def outcome_label(outcome: QueryOutcome) -> str:
    """`d012 · a red car`, which names one query of a label set."""
    return f"{outcome.id} · {outcome.query}"


def query_rows(outcomes: Sequence[QueryOutcome]) -> list[dict[str, object]]:
    """A row per query."""
    return [
        {"Query": o.query, "Kind": o.kind, "Relevant": sum(grade > 0 for grade in o.relevant.values())}
        | {m.title: o.measures[m.name] for m in RELEVANCE_MEASURES}
        for o in outcomes
    ]


def change_rows(found: Comparison) -> list[dict[str, object]]:
    """A row per query of two runs, those that lost most first."""
    return [
        {
            "Query": c.first.query,
            "Kind": c.first.kind,
            "First": c.first.measures[LEADING_MEASURE],
            "Second": c.second.measures[LEADING_MEASURE],
            "Difference": c.difference,
        }
        for c in found.changes
    ]


def difference_rows(found: Comparison) -> list[dict[str, object]]:
    """A row per measure: second less first."""
    rows: list[dict[str, object]] = []
    for m in RELEVANCE_MEASURES:
        d = found.differences[m.name]
        says = (
            "within chance"
            if not d.excludes_zero
            else ("the second is better" if d.value > 0 else "the second is worse")
        )
        rows.append({"Measure": m.title, "Difference": d.value, "From": d.low, "To": d.high, "Says": says})
    return rows


def grade_captions(order: Sequence[str], relevant: Mapping[str, int]) -> dict[str, str]:
    """What the labels say of each picture, by id."""
    return {asset_id: GRADES[relevant.get(asset_id, 0)] for asset_id in order}


def missed_ids(outcome: QueryOutcome) -> list[str]:
    """The relevant pictures that are not among the first ten, those graded highest first."""
    answers = [asset_id for asset_id, grade in outcome.relevant.items() if grade > 0]
    return sorted(set(answers) - set(outcome.order), key=lambda i: (-outcome.relevant[i], i))


def kinds_figure(kinds: Mapping[str, Scores], measure: RelevanceMeasure) -> go.Figure:
    """One measure of every kind of query, with its interval; the most frequent kind on top."""
    names = list(kinds)
    found = [kinds[name].measures[measure.name] for name in names]
    drawn = go.Figure(
        go.Scatter(
            x=[i.value for i in found],
            y=[f"{name} ({kinds[name].count})" for name in names],
            mode="markers",
            marker={"size": 9, "color": POINT_COLOUR},
            showlegend=False,
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [i.high - i.value for i in found],
                "arrayminus": [i.value - i.low for i in found],
                "color": INTERVAL_COLOUR,
                "thickness": 1.5,
            },
            customdata=[[i.low, i.high] for i in found],
            hovertemplate="%{y}: %{x:.2f} (%{customdata[0]:.2f} to %{customdata[1]:.2f})<extra></extra>",
        )
    )
    drawn.update_layout(
        height=FRAME_PX + ROW_PX * len(names),
        margin={"l": 8, "r": 16, "t": 8, "b": 32},
        dragmode=False,
        xaxis={"range": [-0.02, 1.02], "fixedrange": True, "title": measure.title},
        yaxis={"autorange": "reversed", "fixedrange": True, "automargin": True},
    )
    return drawn
