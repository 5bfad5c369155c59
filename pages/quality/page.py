"""Quality: how good the results are, and how certain that is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import streamlit as st

from core.app import DEMO, App
from core.errors import ContactSheetError, StoreError
from core.records.evaluations import EvaluationRunSummary
from core.text import counted
from pages.quality.blind_judging import show_blind_judging
from pages.quality.evaluation_form import newly_saved_run, show_evaluation
from pages.quality.run_comparison import show_comparison
from pages.quality.run_figures import run_label
from pages.quality.run_report import show_run
from pages.ui import resources
from pages.ui.format import escape_markdown, sentence
from pages.ui.header import collection_header
from pages.ui.notices import wait_for_demo
from pages.ui.set_aside_line import show_set_aside

SECTIONS = ("Runs", "Compare", "Judge blind")
SATISFACTION_DAYS = 30
RANKER_NAMES = {
    "both": "by pixels and words",
    "vector": "by similarity",
    "gemini": "by Gemini",
    "stand-in": "by a mock server",
}


def main() -> None:
    app = resources.app()
    collection = collection_header(app, "Quality")
    if collection == DEMO:
        wait_for_demo()
    section = st.segmented_control(
        "Show",
        SECTIONS,
        key="show",
        default=SECTIONS[0],
        required=True,
        bind="query-params",
        label_visibility="collapsed",
    )
    if section == SECTIONS[1]:
        show_comparison(app, app.quality.runs.latest())
    elif section == SECTIONS[2]:
        show_blind_judging(app, collection)
    else:
        show_runs(app, collection)


def show_runs(app: App, collection: str) -> None:
    """The satisfaction of people, the evaluation form, and one of the saved runs."""
    show_set_aside(app, "quality.db", "Runs")
    show_satisfaction(app, collection)
    evaluations = resources.evaluations()
    show_evaluation(app, evaluations, collection)
    rows = app.quality.runs.latest()
    if not rows:
        st.info(
            "Nothing has been evaluated yet. Start with Evaluate, or on the command line:", icon=":material/science:"
        )
        st.code("python -m core evaluate data/eval/demo.jsonl", language=None)
        return
    show_run(app, app.quality.runs.get(chosen_run(rows, newly_saved_run(evaluations)).id))


def chosen_run(rows: list[EvaluationRunSummary], new: int | None) -> EvaluationRunSummary:
    """The run to show: the newest, unless another is chosen; a run with the id `new` is chosen at once."""
    labels = {run_label(row): row for row in rows}
    for label, row in labels.items():
        if row.id == new:
            st.session_state["run"] = label
    return labels[st.selectbox(f"Runs, the newest first ({len(rows)})", list(labels), key="run", bind="query-params")]


def show_satisfaction(app: App, collection: str) -> None:
    """The share of thumbs up in the last days, with its interval."""
    until = datetime.now(UTC)
    since = until - timedelta(days=SATISFACTION_DAYS)
    try:
        share, count = app.quality.judging.satisfaction(since, until, collection)
    except StoreError as error:  # the runs lie elsewhere
        st.error(escape_markdown(sentence(str(error))), icon=":material/error:")
        return
    if share is None:
        st.caption(
            f":material/thumbs_up_down: Satisfaction: nobody judged results of {escape_markdown(collection)} "
            f"in the last {SATISFACTION_DAYS} days. The thumbs are under the results on the Search page."
        )
        return
    parts = [f"{counted(count, 'thumb')}, {share.value:.0%} up ({share.low:.0%} to {share.high:.0%})"]
    for ranker, name in RANKER_NAMES.items():
        ranker_share, ranker_count = app.quality.judging.satisfaction(since, until, collection, ranker)
        if ranker_share is not None:
            parts.append(f"{name} {ranker_share.value:.0%} of {ranker_count}")
    st.markdown(f":material/thumbs_up_down: **Satisfaction**, last {SATISFACTION_DAYS} days: {' · '.join(parts)}")
    st.caption("Of those who judged, who need not be like those who did not; blind judgements count too.")


try:
    main()
except ContactSheetError as error:
    st.error(escape_markdown(sentence(str(error))), icon=":material/error:")
