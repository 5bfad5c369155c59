"""One line on every page while an alert fires that nobody has silenced."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from core.errors import ContactSheetError
from core.records.alerts import Alert
from pages.ui import resources
from pages.ui.format import plain

REFRESH_S = 5.0
QUIET = "No alert fires."


def alert_badge(keep_room: bool = False) -> None:
    """Refreshed by itself; takes no room while all is quiet, unless its room is kept."""
    st.fragment(_badge, run_every=REFRESH_S)(keep_room)


def _badge(keep_room: bool) -> None:
    try:
        loud = [alert for alert in resources.app().monitor.alerts.current(datetime.now(UTC)) if alert.loud]
    except ContactSheetError:  # the page meets the same error and shows it
        return
    if loud:
        st.page_link(
            "pages/metrics/page.py",
            label=label(loud),
            icon=":material/notifications_active:",
            query_params={"section": "Alerts"},
        )
    elif keep_room:
        st.page_link(
            "pages/metrics/page.py", label=QUIET, icon=":material/notifications:", query_params={"section": "Alerts"}
        )


def label(loud: Sequence[Alert]) -> str:
    """`**Searches are slow**`, and how many more there are."""
    more = f" and {len(loud) - 1} more" if len(loud) > 1 else ""
    return f":red[**{plain(loud[0].rule.title)}**]{more}"
