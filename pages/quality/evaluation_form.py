"""Starting an evaluation, and how far it is."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.records.evaluations import RankerName
from pages.quality.evaluation_job import DOING, Evaluation, EvaluationRequest, Evaluations, committed
from pages.ui.format import plain
from pages.ui.person import only_curators, person
from pages.ui.progress import show_progress
from pages.ui.streamlit_internals import uninterrupted

RANKERS: dict[str, RankerName] = {"By similarity": "vector", "By Gemini (costs money)": "gemini"}
FAULT, AWAITED, OPENED = "evaluation_fault", "evaluation_awaited", "evaluation_opened"


def evaluate(app: App, evaluations: Evaluations, collection: str) -> None:
    """The form in a popover, and beneath it the evaluation that runs or has ended."""
    with st.popover("Evaluate", icon=":material/science:", key="evaluate"):
        if only_curators(app.access, DOING):
            form(app, evaluations, collection)
    latest = evaluations.latest
    if FAULT in st.session_state:
        st.error(plain(st.session_state.pop(FAULT)), icon=":material/error:")
    if latest is None:
        return
    if not latest.done:
        st.session_state[AWAITED] = True
        progress(app, evaluations)
    elif st.session_state.get(AWAITED):
        ended(latest)


def form(app: App, evaluations: Evaluations, collection: str) -> None:
    judged = len(app.quality.judging.label_set(collection).queries)
    sets = {name: f"{name}, as committed" for name in committed()}
    if judged:
        sets[""] = f"what people judged here: {judged} {'query' if judged == 1 else 'queries'}"
    labels = st.selectbox("Label set", list(sets), format_func=lambda name: sets[name], key="labels")
    if labels == "":
        st.caption("Pictures that nobody judged count as not relevant, so these figures are a lower bound.")
    ranker = st.segmented_control("Order", list(RANKERS), default=next(iter(RANKERS)), required=True, key="ranker")
    name = st.text_input("Name of the run", max_chars=80, key="run_name", placeholder="none needed")
    wanted = EvaluationRequest(labels, collection, RANKERS[ranker or next(iter(RANKERS))], name.strip())
    running = evaluations.latest is not None and not evaluations.latest.done
    st.button(
        f"Evaluate {plain(collection)}", type="primary", disabled=running, on_click=begin, args=(evaluations, wanted)
    )


@uninterrupted
def begin(evaluations: Evaluations, wanted: EvaluationRequest) -> None:
    try:
        evaluations.start(person(), wanted)
        st.session_state[AWAITED] = True
    except ContactSheetError as error:
        st.session_state[FAULT] = str(error)


@st.fragment(run_every=1.0)
def progress(app: App, evaluations: Evaluations) -> None:
    """A bar while it runs; then the page is drawn anew."""
    latest = evaluations.latest
    if latest is None or latest.done:
        st.rerun()
        return
    wanted = latest.wanted
    what = f"{wanted.labels or 'What people judged'} on {wanted.collection}. "
    show_progress(st.empty(), latest.progress, plain(what))
    if app.access.is_curator(person()):
        st.button("Stop", icon=":material/stop:", on_click=lambda: evaluations.stop(person()), key="stop_evaluation")


def ended(latest: Evaluation) -> None:
    """How the evaluation that this person waited for ended."""
    if latest.run is None:
        st.error(plain(latest.message), icon=":material/error:")
    else:
        st.success(plain(latest.message), icon=":material/check:")


def newly_kept(evaluations: Evaluations) -> int | None:
    """The run that this person waited for, once: it is opened as soon as it is kept."""
    latest = evaluations.latest
    if latest is None or latest.run is None or not st.session_state.get(AWAITED):
        return None
    if st.session_state.get(OPENED) == latest.run:
        return None
    st.session_state[OPENED] = latest.run
    return latest.run
