"""A link in the header bar, for curators, while an alert fires that nobody has silenced."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from core.errors import ContactSheetError
from core.records.alerts import Alert
from pages.ui import resources
from pages.ui.format import escape_markdown
from pages.ui.person import person
from pages.ui.sign_in import note_shown_person, rerun_if_changed

REFRESH_S = 5.0
KEY = "alert_badge"
_CSS = Path(__file__).parent / "alert_badge.css"


def show_alert_badge() -> None:
    """Refreshed automatically; it takes no room on the page, and without an active alert nothing is shown.

    With it every page learns that its person was signed out elsewhere.
    """
    with suppress(ContactSheetError):  # the page runs into the same error and shows it
        note_shown_person()
    st.html(_CSS)
    with st.container(key=KEY):
        st.fragment(_show_badge, run_every=REFRESH_S)()


def _show_badge() -> None:
    with suppress(ContactSheetError):
        rerun_if_changed()
    active = active_alerts()
    if active:
        st.page_link(
            "pages/metrics/page.py",
            label=badge_label(active),
            icon=":material/notifications_active:",
            query_params={"section": "Alerts"},
        )


def active_alerts() -> list[Alert]:
    """The alerts that this person should look after: none unless they are a curator."""
    try:
        app = resources.app()
        if not app.access.is_curator(person()):
            return []
        return [alert for alert in app.monitor.alerts.current(datetime.now(UTC)) if alert.active]
    except ContactSheetError:  # the page runs into the same error and shows it
        return []


def badge_label(active: Sequence[Alert]) -> str:
    """The first alert, and the number of others."""
    more = f" and {len(active) - 1} more" if len(active) > 1 else ""
    return f":red-badge[{escape_markdown(active[0].rule.title)}{more}]"
