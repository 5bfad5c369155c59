"""A form to start an evaluation, its progress and its outcome."""

from __future__ import annotations

import streamlit as st

from core.access import Action
from core.app import App
from core.errors import ContactSheetError, StoreError
from core.records.evaluations import RankerName
from core.text import counted
from pages.quality.evaluation_job import (
    EvaluationRequest,
    EvaluationRunner,
    EvaluationState,
    committed_label_sets,
)
from pages.ui.format import escape_markdown, sentence
from pages.ui.person import explain_unless_allowed, person
from pages.ui.progress import show_progress
from pages.ui.streamlit_internals import uninterrupted

RANKERS: dict[str, RankerName] = {
    "By pixels and words": "both",
    "By pixels": "vector",
    "By words": "words",
    "By Gemini (costs money)": "gemini",
}
FAULT_KEY, AWAITED_KEY, OPENED_KEY = "evaluation_fault", "evaluation_awaited", "evaluation_opened"


def show_evaluation(app: App, evaluations: EvaluationRunner, collection: str) -> None:
    """The form in a popover, and below it the evaluation that is running or has ended."""
    with st.popover("Evaluate", icon=":material/science:", key="evaluate"):
        if explain_unless_allowed(app.access, Action.EVALUATE):
            evaluation_form(app, evaluations, collection)
    latest = evaluations.latest
    if FAULT_KEY in st.session_state:
        st.error(escape_markdown(st.session_state.pop(FAULT_KEY)), icon=":material/error:")
    if latest is None:
        return
    if not latest.done:
        st.session_state[AWAITED_KEY] = True
        show_evaluation_progress(app, evaluations)
    elif st.session_state.get(AWAITED_KEY):
        show_outcome(latest)


def evaluation_form(app: App, evaluations: EvaluationRunner, collection: str) -> None:
    try:
        judged = len(app.quality.judging.label_set(collection).queries)
    except StoreError:  # which the satisfaction says; the committed sets can be evaluated
        judged = 0
    sets = {name: f"{name}, as committed" for name in committed_label_sets()}
    if judged:
        sets[""] = f"what people judged here: {counted(judged, 'query', 'queries')}"
    labels = st.selectbox("Label set", list(sets), format_func=lambda name: sets[name], key="labels")
    if labels == "":
        st.caption("Pictures that nobody judged count as not relevant, so these figures are a lower bound.")
    ranker = st.segmented_control("Order", list(RANKERS), default=next(iter(RANKERS)), required=True, key="ranker")
    name = st.text_input("Name of the run", max_chars=80, key="run_name", placeholder="none needed")
    request = EvaluationRequest(labels, collection, RANKERS[ranker or next(iter(RANKERS))], name.strip())
    running = evaluations.latest is not None and not evaluations.latest.done
    st.button(
        f"Evaluate {escape_markdown(collection)}",
        type="primary",
        disabled=running,
        on_click=start_evaluation,
        args=(evaluations, request),
    )


@uninterrupted
def start_evaluation(evaluations: EvaluationRunner, request: EvaluationRequest) -> None:
    try:
        evaluations.start(person(), request)
        st.session_state[AWAITED_KEY] = True
    except ContactSheetError as error:
        st.session_state[FAULT_KEY] = str(error)


@st.fragment(run_every=1.0)
def show_evaluation_progress(app: App, evaluations: EvaluationRunner) -> None:
    """A progress bar while it runs; then the whole page is rerun."""
    latest = evaluations.latest
    if latest is None or latest.done:
        st.rerun()
        return
    request = latest.request
    what = f"{request.labels or 'What people judged'} on {request.collection}. "
    show_progress(st.empty(), latest.progress, escape_markdown(what))
    if app.access.is_curator(person()):
        st.button("Stop", icon=":material/stop:", on_click=lambda: evaluations.stop(person()), key="stop_evaluation")


def show_outcome(latest: EvaluationState) -> None:
    """The outcome of the evaluation that this person waited for."""
    if latest.run is None:
        st.error(escape_markdown(sentence(latest.message)), icon=":material/error:")
    else:
        st.success(escape_markdown(sentence(latest.message)), icon=":material/check:")


def newly_saved_run(evaluations: EvaluationRunner) -> int | None:
    """The run that this person waited for, returned once: it is opened as soon as it is saved."""
    latest = evaluations.latest
    if latest is None or latest.run is None or not st.session_state.get(AWAITED_KEY):
        return None
    if st.session_state.get(OPENED_KEY) == latest.run:
        return None
    st.session_state[OPENED_KEY] = latest.run
    return latest.run
