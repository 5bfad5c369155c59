"""One evaluation run: its measures, the lift of Gemini's order, the kinds of queries and the queries."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.quality.comparison import Lift
from core.quality.evaluation import scores, scores_by_kind
from core.quality.relevance import RELEVANCE_MEASURES
from core.records.evaluations import EvaluationRun, QueryOutcome
from core.text import counted
from pages.quality.graded_pictures import show_graded_pictures
from pages.quality.query_table import query_table
from pages.quality.run_figures import (
    LEADING_MEASURE,
    best_possible,
    interval_text,
    kinds_figure,
    measure_text,
    missed_ids,
    outcome_label,
    query_rows,
    utc_time,
    worst_first,
)
from pages.search.picture_details import follow_picture_links
from pages.ui.format import escape_markdown

INTERVALS_NOTE = (
    "Intervals are 95 % bootstraps over the queries: how far a figure would move with other queries of this sort. They "
    "say nothing of other collections. The baseline's figures come from another collection and from labels that "
    "were never published: they are for orientation only, and no difference from them is measured."
)


def show_run(app: App, run: EvaluationRun) -> None:
    """The whole report."""
    follow_picture_links(app, run.collection)
    facts = [
        f"{counted(len(run.outcomes), 'query', 'queries')} of {run.labels} on {run.collection}",
        f"ranked {run.ranked_by}",
        run.model,
        utc_time(run.at),
        f"{run.seconds:.1f} s",
    ]
    if run.absent:
        left_out = counted(run.unanswerable, "query", "queries")
        facts.append(f"{counted(run.absent, 'labelled picture')} not in the collection, {left_out} left out")
    st.caption(escape_markdown(" · ".join(facts)))
    show_measures(run)
    show_lift(app.quality.lift(run))
    show_kinds(run)
    show_queries(app, run)


def show_measures(run: EvaluationRun) -> None:
    """A card per measure, with its interval, the best possible value and the baseline."""
    intervals, best = scores(run.outcomes).measures, best_possible(run.outcomes)
    with st.grid("auto", min_column_width=150):
        for m in RELEVANCE_MEASURES:
            with st.container(border=True):
                st.metric(m.title, measure_text(intervals[m.name].value, m), help=m.meaning)
                baseline = "none given" if m.baseline is None else measure_text(m.baseline, m)
                st.caption(
                    f"95 %: {interval_text(intervals[m.name], m)}  \nbest possible: {measure_text(best[m.name], m)}  \n"
                    f"baseline: {baseline}"
                )
    st.caption(INTERVALS_NOTE)


def show_lift(lift: Lift) -> None:
    """The gain of Gemini's order, per dollar and per second; or why it was not measured."""
    if lift.gain is None:
        st.markdown(f"**Lift of Gemini's order**: not measured ({escape_markdown(lift.not_measured)}).")
        return
    gain = lift.gain
    chance = "" if gain.excludes_zero else ", which is within chance"
    rates = [
        f"{value:+.3g} points per {unit}"
        for value, unit in ((lift.per_usd, "dollar"), (lift.per_s, "second"))
        if value is not None
    ]
    st.markdown(
        f"**Lift of Gemini's order** over {counted(lift.queries, 'query', 'queries')}: {gain.value:+.3f} NDCG@4 "
        f"({gain.low:+.3f} to {gain.high:+.3f}{chance}); "
        f"{escape_markdown(', '.join(rates)) or 'price and time are not known'}."
    )


def show_kinds(run: EvaluationRun) -> None:
    """One measure per kind of query."""
    kinds = scores_by_kind(run.outcomes)
    if len(kinds) < 2:
        return
    st.header("Kinds of queries", anchor=False)
    titles = {m.title: m for m in RELEVANCE_MEASURES}
    leading = next(m.title for m in RELEVANCE_MEASURES if m.name == LEADING_MEASURE)
    chosen = st.segmented_control(
        "Measure",
        list(titles),
        default=leading,
        required=True,
        key="measure",
        bind="query-params",
        label_visibility="collapsed",
    )
    st.plotly_chart(kinds_figure(kinds, titles[chosen or leading]), key="kinds", config={"displayModeBar": False})
    st.caption(
        "In brackets the number of queries. Few of them say little: where all score alike the interval has no width, "
        "which is no certainty."
    )


def show_queries(app: App, run: EvaluationRun) -> None:
    """All queries, the worst first; one of them with its pictures."""
    st.header("Queries, the worst first", anchor=False)
    outcomes = worst_first(run)
    labels = [outcome_label(outcome) for outcome in outcomes]
    columns = {m.title: st.column_config.NumberColumn(format="%.2f", help=m.meaning) for m in RELEVANCE_MEASURES}
    opened = query_table(query_rows(outcomes), labels, f"queries_{run.id}", "query", columns)
    if opened is not None:
        show_query(app, run, outcomes[opened])


def show_query(app: App, run: EvaluationRun, outcome: QueryOutcome) -> None:
    """The pictures that were found, and the relevant ones that were missed."""
    st.markdown(f"Found for **{escape_markdown(outcome.query)}**, as shown:")
    show_graded_pictures(app, run.collection, outcome.order, outcome.relevant, "found")
    missed = missed_ids(outcome)
    if missed:
        st.markdown(f"Relevant, but not among the first ten ({len(missed)}):")
        show_graded_pictures(app, run.collection, missed, outcome.relevant, "missed")
    else:
        st.caption("No relevant picture was missed.")
