"""One run: its measures, its kinds of queries, its queries, and what Gemini's order is worth."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.quality.comparison import Lift
from core.quality.evaluation import scores, scores_by_kind
from core.quality.relevance import RELEVANCE_MEASURES
from core.records.evaluations import EvaluationRun, QueryOutcome
from pages.clusters.explorer import leave_or_look
from pages.quality.graded_pictures import show_graded_pictures
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
from pages.ui.format import escape_markdown

INTERVALS_NOTE = (
    "Intervals are 95 % bootstraps over the queries: how far a figure would move with other queries of this sort. They "
    "say nothing of other collections. The predecessor's figures come from another collection and from labels that "
    "were never published: they stand here for orientation, and no difference to them is measured."
)


def show_run(app: App, run: EvaluationRun) -> None:
    """Everything about one run."""
    leave_or_look(app, run.collection)
    facts = [
        f"{len(run.outcomes)} queries of {run.labels} on {run.collection}",
        f"ranked {run.ranked_by}",
        run.model,
        utc_time(run.at),
        f"{run.seconds:.1f} s",
    ]
    if run.absent:
        facts.append(f"{run.absent} labelled pictures are not in the collection, {run.unanswerable} queries left out")
    st.caption(escape_markdown(" · ".join(facts)))
    show_measures(run)
    show_lift(app.quality.lift(run))
    show_kinds(run)
    show_queries(app, run)


def show_measures(run: EvaluationRun) -> None:
    """A card per measure, with its interval, the most that could be reached and the predecessor's figure."""
    found, most = scores(run.outcomes).measures, best_possible(run.outcomes)
    with st.grid("auto", min_column_width=150):
        for m in RELEVANCE_MEASURES:
            with st.container(border=True):
                st.metric(m.title, measure_text(found[m.name].value, m), help=m.meaning)
                before = "none told" if m.predecessor is None else measure_text(m.predecessor, m)
                st.caption(
                    f"95 %: {interval_text(found[m.name], m)}  \nbest possible: {measure_text(most[m.name], m)}  \n"
                    f"predecessor: {before}"
                )
    st.caption(INTERVALS_NOTE)


def show_lift(lift: Lift) -> None:
    """What Gemini's order adds, per dollar and per second; or why that is not known."""
    if lift.gain is None:
        st.markdown(f"**Lift of Gemini's order**: not measured ({escape_markdown(lift.not_measured)}).")
        return
    g = lift.gain
    sure = "" if g.excludes_zero else ", which is within chance"
    per = [
        f"{value:+.3g} points per {what}"
        for value, what in ((lift.per_usd, "dollar"), (lift.per_s, "second"))
        if value is not None
    ]
    st.markdown(
        f"**Lift of Gemini's order** over {lift.queries} queries: {g.value:+.3f} NDCG@4 ({g.low:+.3f} to "
        f"{g.high:+.3f}{sure}); {escape_markdown(', '.join(per)) or 'price and time are not known'}."
    )


def show_kinds(run: EvaluationRun) -> None:
    """One measure per kind of query."""
    kinds = scores_by_kind(run.outcomes)
    if len(kinds) < 2:
        return
    st.subheader("Kinds of queries", anchor=False)
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
    st.subheader("Queries, the worst first", anchor=False)
    outcomes = worst_first(run)
    labels = [outcome_label(outcome) for outcome in outcomes]
    key = f"queries_{run.id}"
    st.dataframe(
        query_rows(outcomes),
        hide_index=True,
        height=320,
        key=key,
        selection_mode="single-row",
        on_select=lambda: open_selected(key, labels),
        column_config={
            m.title: st.column_config.NumberColumn(format="%.2f", help=m.meaning) for m in RELEVANCE_MEASURES
        },
    )
    opened = st.selectbox(
        "Open a query",
        labels,
        index=None,
        key="query",
        bind="query-params",
        placeholder="Choose one here, or tick a row above",
    )
    if opened:
        show_query(app, run, outcomes[labels.index(opened)])


def open_selected(key: str, labels: list[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows and rows[0] < len(labels):
        st.session_state["query"] = labels[rows[0]]


def show_query(app: App, run: EvaluationRun, outcome: QueryOutcome) -> None:
    """The pictures that were found, and the relevant ones that were missed."""
    st.markdown(f"Found for **{escape_markdown(outcome.query)}**, as shown:")
    show_graded_pictures(app, run.collection, outcome.order, outcome.relevant, "found")
    lost = missed_ids(outcome)
    if lost:
        st.markdown(f"Relevant, but not among the first ten ({len(lost)}):")
        show_graded_pictures(app, run.collection, lost, outcome.relevant, "missed")
    else:
        st.caption("No relevant picture was missed.")
