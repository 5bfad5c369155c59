"""Runs as JSON documents and as the lines that the commands print."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from core.quality.comparison import Comparison, Lift
from core.quality.evaluation import MeanMeasures, scores, scores_by_kind
from core.quality.relevance import RELEVANCE_MEASURES
from core.records.evaluations import EvaluationRun, EvaluationRunSummary
from core.store.sql.run_store import run_to_document
from core.text import counted


def scores_document(found: MeanMeasures) -> dict[str, Any]:
    """Every measure with its interval and the baseline's figure."""
    measures = {m.name: {**asdict(found.measures[m.name]), "predecessor": m.baseline} for m in RELEVANCE_MEASURES}
    return {"queries": found.count, "measures": measures}


def evaluation_document(run: EvaluationRun, found: Lift | None) -> dict[str, Any]:
    """The JSON document of `evaluate --json`; with the lift if Gemini was to rank."""
    document = run_to_document(replace(run, outcomes=()))
    document |= {
        "usd": run.usd,
        "fallbacks": run.fallbacks,
        "scores": scores_document(scores(run.outcomes)),
        "kinds": {kind: scores_document(s) for kind, s in scores_by_kind(run.outcomes).items()},
        "outcomes": [asdict(outcome) for outcome in run.outcomes],
    }
    return document if found is None else document | {"lift": asdict(found)}


def run_list_document(rows: Iterable[EvaluationRunSummary]) -> dict[str, Any]:
    """The JSON document of `compare --json` without runs: the list of stored runs."""
    return {"runs": [_run_row_document(row) for row in rows]}


def _run_row_document(row: EvaluationRunSummary) -> dict[str, Any]:
    document = asdict(row)
    mock_server = document.pop("mock_server")
    return {**document, "stand_in": mock_server}


def comparison_document(found: Comparison) -> dict[str, Any]:
    """The JSON document of `compare --json`."""
    return {
        "first": found.first.id,
        "second": found.second.id,
        "queries": len(found.changes),
        "alone": found.unpaired,
        "rankers": [{"ranker": run.ranker, "stand_in": run.mock_server} for run in (found.first, found.second)],
        "differences": {name: asdict(interval) for name, interval in found.differences.items()},
        "changes": [
            {
                "id": c.first.id,
                "query": c.first.query,
                "kind": c.first.kind,
                "difference": c.difference,
                "first": {"order": c.first.order, "measures": dict(c.first.measures)},
                "second": {"order": c.second.order, "measures": dict(c.second.measures)},
            }
            for c in found.changes
        ],
    }


def score_lines(found: MeanMeasures) -> list[str]:
    """A line per measure: its value, its interval and the baseline's value."""
    lines = [f"{'':<14} {'measured':>8}  {'95 % interval':<15}  baseline"]
    for m in RELEVANCE_MEASURES:
        interval, baseline = found.measures[m.name], "–" if m.baseline is None else f"{m.baseline:.2f}"
        lines.append(f"{m.title:<14} {interval.value:>8.3f}  {interval.low:.3f} to {interval.high:.3f}  {baseline}")
    return lines


def kind_lines(run: EvaluationRun) -> list[str]:
    """A line per kind of query."""
    lines = [f"{'kind':<12} {'queries':>7} " + " ".join(f"{m.title:>13}" for m in RELEVANCE_MEASURES)]
    for kind, found in scores_by_kind(run.outcomes).items():
        figures = " ".join(f"{found.measures[m.name].value:>13.3f}" for m in RELEVANCE_MEASURES)
        lines.append(f"{kind:<12} {found.count:>7} {figures}")
    return lines


def difference_lines(found: Comparison) -> list[str]:
    """Who ranked in each run, a line per measure, and the queries that changed, the largest drops first."""
    lines = [f"run {run.id}: ranked {run.ranked_by}" for run in (found.first, found.second)]
    for m in RELEVANCE_MEASURES:
        d = found.differences[m.name]
        chance = "" if d.excludes_zero else "  within chance"
        lines.append(f"{m.title:<14} {d.value:>+8.3f}  {d.low:+.3f} to {d.high:+.3f}{chance}")
    return lines + [f"{c.difference:>+8.3f}  {c.first.query}" for c in found.changes if c.difference]


def lift_line(found: Lift) -> str:
    """The lift in one line."""
    if found.gain is None:
        return f"lift of Gemini's order: not measured ({found.not_measured})"
    gain, per_usd, per_s = found.gain, _figure(found.per_usd), _figure(found.per_s)
    return (
        f"lift of Gemini's order over {counted(found.queries, 'query', 'queries')}: {gain.value:+.3f} NDCG@4 "
        f"({gain.low:+.3f} to {gain.high:+.3f}), {per_usd} points per dollar, {per_s} per second"
    )


def _figure(value: float | None) -> str:
    return "not measured" if value is None else f"{value:+.3g}"
