"""Two runs beside each other: the differences, query by query, with the pictures."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.quality.comparison import Comparison, QueryChange
from core.records.evaluations import EvaluationRunSummary
from pages.clusters.explorer import leave_or_look
from pages.quality.graded_pictures import show_graded_pictures
from pages.quality.run_figures import change_rows, difference_rows, outcome_label, run_label
from pages.ui.format import escape_markdown

SIGNED = st.column_config.NumberColumn(format="%+.3f")
UNSIGNED = st.column_config.NumberColumn(format="%.2f")


def show_comparison(app: App, rows: list[EvaluationRunSummary]) -> None:
    """Choose two runs of one label set; what changed from the first to the second."""
    if len(rows) < 2:
        st.info("Two runs are needed to compare: evaluate twice, before and after a change.", icon=":material/compare:")
        return
    labels = {run_label(row): row for row in rows}
    left, right = st.columns(2)
    second = right.selectbox("Second", list(labels), key="second", bind="query-params")
    others = [label for label, row in labels.items() if label != second and row.labels == labels[second].labels]
    if not others:
        st.info("No other run used this label set.", icon=":material/compare:")
        return
    first = left.selectbox("First", others, key="first", bind="query-params")
    found = app.quality.compare(labels[first].id, labels[second].id)
    leave_or_look(app, found.second.collection)
    show_differences(found)
    show_changed_queries(app, found)


def show_differences(found: Comparison) -> None:
    """Second less first, per measure."""
    st.dataframe(
        difference_rows(found),
        hide_index=True,
        column_config={"Difference": SIGNED, "From": SIGNED, "To": SIGNED, "Says": st.column_config.Column(" ")},
    )
    alone = f" {found.alone} queries that only one of them asked are left out." if found.alone else ""
    st.caption(
        f"Second less first over the {len(found.changes)} queries of both, with 95 % intervals of the paired "
        f"bootstrap: the same queries are drawn for both runs.{alone} The first is ranked "
        f"{escape_markdown(found.first.ranked_by)}, the second {escape_markdown(found.second.ranked_by)}."
    )


def show_changed_queries(app: App, found: Comparison) -> None:
    """Every query with its NDCG@4 in both; one of them with the pictures of both."""
    st.subheader("Queries, the greatest losses first", anchor=False)
    moved = sum(bool(change.difference) for change in found.changes)
    st.caption(f"NDCG@4 of each; {moved} of {len(found.changes)} changed.")
    labels = [outcome_label(change.first) for change in found.changes]
    key = f"changes_{found.first.id}_{found.second.id}"
    st.dataframe(
        change_rows(found),
        hide_index=True,
        height=320,
        key=key,
        selection_mode="single-row",
        on_select=lambda: open_selected(key, labels),
        column_config={"First": UNSIGNED, "Second": UNSIGNED, "Difference": SIGNED},
    )
    opened = st.selectbox(
        "Open a query",
        labels,
        index=None,
        key="changed",
        bind="query-params",
        placeholder="Choose one here, or tick a row above",
    )
    if opened:
        show_change(app, found, found.changes[labels.index(opened)])


def open_selected(key: str, labels: list[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows and rows[0] < len(labels):
        st.session_state["changed"] = labels[rows[0]]


def show_change(app: App, found: Comparison, change: QueryChange) -> None:
    """The pictures of both runs beside each other."""
    sides = ((found.first, change.first, "first"), (found.second, change.second, "second"))
    for column, (run, outcome, key) in zip(st.columns(2, gap="medium"), sides, strict=True):
        with column:
            figures = f"NDCG@4 {outcome.measures['ndcg@4']:.2f} · MRR {outcome.measures['mrr']:.2f}"
            st.markdown(f"**Run {run.id}** {escape_markdown(run.name)} · {figures}")
            show_graded_pictures(app, run.collection, outcome.order, outcome.relevant, f"order_{key}")
