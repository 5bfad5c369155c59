"""Metrics: latency, cost and outcomes of requests, live."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from pages.metrics.alert_list import show_alerts
from pages.metrics.audit_section import AUDIT_SECTION, show_audit_log
from pages.metrics.machine_section import show_collections, show_machine
from pages.metrics.overview import show_overview
from pages.metrics.request_list import show_requests
from pages.metrics.session_section import SESSION_SECTION, show_sessions
from pages.metrics.time_spans import DEFAULT_SPAN, SPANS
from pages.ui import resources
from pages.ui.format import escape_markdown, sentence
from pages.ui.person import person
from pages.ui.set_aside_line import show_set_aside
from pages.ui.sign_in import show_person

REFRESH_S, COLLECTIONS_REFRESH_S = 2.0, 10.0
ALL_COLLECTIONS = "All collections"
SECTIONS = ("Overview", "Requests", "Alerts", "Machine")


def main() -> None:
    app = resources.app()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title("Metrics", anchor=False, width="content")
        show_person(app)
    section = st.segmented_control(
        "Show",
        (*SECTIONS, SESSION_SECTION, AUDIT_SECTION) if app.access.is_admin(person()) else SECTIONS,
        default=SECTIONS[0],
        required=True,
        key="section",
        bind="query-params",
        label_visibility="collapsed",
        wrap=True,
    )
    if section in SECTIONS[:2]:
        show_set_aside(app, "events.db", "Requests")
    if section == "Alerts":
        show_set_aside(app, "alerts.db", "Alerts and silences")
        live(lambda: show_alerts(app, resources.monitoring()))
    elif section == "Machine":
        live(lambda: show_machine(app))
        live(lambda: show_collections(app), COLLECTIONS_REFRESH_S)
    elif section == SESSION_SECTION:
        live(lambda: show_sessions(app), COLLECTIONS_REFRESH_S)
    elif section == AUDIT_SECTION:
        live(lambda: show_audit_log(app), None)
    else:
        span, collection = measured_scope(app)
        show = show_overview if section == SECTIONS[0] else show_requests
        live(lambda: show(app, span, collection))


def measured_scope(app: App) -> tuple[str, str | None]:
    """The time span and the collection that are measured, None for all."""
    names = app.collection_names()
    requested = st.query_params.get("measured", ALL_COLLECTIONS)
    with st.container(horizontal=True):
        span = st.segmented_control(
            "Time", list(SPANS), default=DEFAULT_SPAN, required=True, key="span", bind="query-params", wrap=True
        )
        chosen = st.selectbox("Collection", [ALL_COLLECTIONS, *names], key="measured", bind="query-params", width=220)
    if requested not in (ALL_COLLECTIONS, *names):
        st.warning(
            f"There is no collection {escape_markdown(requested)} here; these are all.", icon=":material/folder_off:"
        )
    return span, chosen if chosen in names else None


def live(show: Callable[[], None], every_s: float | None = REFRESH_S) -> None:
    """Call `show` now and at intervals, if any; an error is shown in its place until the next time."""

    def refresh() -> None:
        try:
            show()
        except ContactSheetError as error:
            st.error(escape_markdown(sentence(str(error))), icon=":material/error:")

    st.fragment(refresh, run_every=every_s)()


try:
    main()
except ContactSheetError as error:
    st.error(escape_markdown(sentence(str(error))), icon=":material/error:")
