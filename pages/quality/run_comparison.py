"""Two runs side by side: the differences per measure and per query, with the pictures."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.quality.comparison import Comparison, QueryChange
from core.records.evaluations import EvaluationRunSummary
from core.text import counted
from pages.quality.graded_pictures import show_graded_pictures
from pages.quality.query_table import query_table
from pages.quality.run_figures import change_rows, difference_rows, outcome_label, run_label
from pages.search.picture_details import follow_picture_links
from pages.ui.format import escape_markdown

SIGNED = st.column_config.NumberColumn(format="%+.3f")
UNSIGNED = st.column_config.NumberColumn(format="%.2f")


def show_comparison(app: App, rows: list[EvaluationRunSummary]) -> None:
    """Choose two runs of the same label set; what changed from the first to the second."""
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
    comparison = app.quality.compare(labels[first].id, labels[second].id)
    follow_picture_links(app, comparison.second.collection)
    show_differences(comparison)
    show_changed_queries(app, comparison)


def show_differences(comparison: Comparison) -> None:
    """Second minus first, per measure."""
    st.dataframe(
        difference_rows(comparison),
        hide_index=True,
        column_config={"Difference": SIGNED, "From": SIGNED, "To": SIGNED, "Verdict": st.column_config.Column(" ")},
    )
    unpaired = counted(comparison.unpaired, "query", "queries")
    alone = f" Left out: {unpaired} that only one of them asked." if comparison.unpaired else ""
    st.caption(
        f"Second less first over {counted(len(comparison.changes), 'query', 'queries')} of both, with 95 % intervals "
        f"of the paired bootstrap: the same queries are drawn for both runs.{alone} The first is ranked "
        f"{escape_markdown(comparison.first.ranked_by)}, the second {escape_markdown(comparison.second.ranked_by)}."
    )


def show_changed_queries(app: App, comparison: Comparison) -> None:
    """Every query with its NDCG@4 in both; one of them with the pictures of both."""
    st.header("Queries, largest drops first", anchor=False)
    moved = sum(bool(change.difference) for change in comparison.changes)
    st.caption(f"NDCG@4 of each; {moved} of {len(comparison.changes)} changed.")
    labels = [outcome_label(change.first) for change in comparison.changes]
    key = f"changes_{comparison.first.id}_{comparison.second.id}"
    columns = {"First": UNSIGNED, "Second": UNSIGNED, "Difference": SIGNED}
    opened = query_table(change_rows(comparison), labels, key, "changed", columns)
    if opened is not None:
        show_change(app, comparison, comparison.changes[opened])


def show_change(app: App, comparison: Comparison, change: QueryChange) -> None:
    """The pictures of both runs side by side."""
    sides = ((comparison.first, change.first, "first"), (comparison.second, change.second, "second"))
    for column, (run, outcome, key) in zip(st.columns(2, gap="medium"), sides, strict=True):
        with column:
            figures = f"NDCG@4 {outcome.measures['ndcg@4']:.2f} · MRR {outcome.measures['mrr']:.2f}"
            st.markdown(f"**Run {run.id}** {escape_markdown(run.name)} · {figures}")
            show_graded_pictures(app, run.collection, outcome.order, outcome.relevant, f"order_{key}")
