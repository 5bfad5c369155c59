"""One line on every page while an alert fires that nobody has silenced."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from core.errors import ContactSheetError
from core.records.alerts import Alert
from pages.ui import resources
from pages.ui.format import escape_markdown

REFRESH_S = 5.0
NO_ALERT = "No alert fires."


def show_alert_badge(always: bool = False) -> None:
    """Refreshed automatically; without an active alert it is hidden unless `always` is set."""
    st.fragment(_show_badge, run_every=REFRESH_S)(always)


def _show_badge(always: bool) -> None:
    try:
        active = [alert for alert in resources.app().monitor.alerts.current(datetime.now(UTC)) if alert.active]
    except ContactSheetError:  # the page runs into the same error and shows it
        return
    if active:
        st.page_link(
            "pages/metrics/page.py",
            label=badge_label(active),
            icon=":material/notifications_active:",
            query_params={"section": "Alerts"},
        )
    elif always:
        st.page_link(
            "pages/metrics/page.py", label=NO_ALERT, icon=":material/notifications:", query_params={"section": "Alerts"}
        )


def badge_label(active: Sequence[Alert]) -> str:
    """The first alert in bold, and the number of others."""
    more = f" and {len(active) - 1} more" if len(active) > 1 else ""
    return f":red[**{escape_markdown(active[0].rule.title)}**]{more}"
