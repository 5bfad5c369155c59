"""The audit log, for admins: searched, page by page, and as a file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice

import streamlit as st

from core.access import Person
from core.app import App
from core.metrics.audit import PAGE_SIZE
from core.metrics.audit_export import FORMATS
from core.records.audit import AuditEntry, AuditFilter, AuditPage
from core.text import escape_formula
from pages.ui.person import person

AUDIT_SECTION = "Audit log"
ALL_ACTIONS, DEFAULT_SPAN = "All actions", "7 days"
AUDIT_SPANS = {
    "24 hours": timedelta(days=1),
    "7 days": timedelta(days=7),
    "30 days": timedelta(days=30),
    "1 year": timedelta(days=365),
    "All": None,
}
# In pixels; on a phone the first three fit.
COLUMN_WIDTHS = {
    "When (UTC)": 140,
    "Who": 110,
    "What": 130,
    "Collection": 130,
    "Target": 270,
    "Outcome": 190,
    "From": 150,
}
MAX_DOWNLOADED = 100_000
DOWNLOADS = {"csv": ("Download CSV", "text/csv"), "jsonl": ("Download JSON lines", "application/jsonl")}
# What was asked for, and the last entry of every page before the one that is shown.
PAGES_KEY = "audit_pages"


def show_audit_log(app: App) -> None:
    """What the controls ask for, the newest entries first. Raises NotAllowed, StoreError."""
    who = person()
    asked = asked_for(app.audit.actions(who))
    wanted, turned = audit_filter(*asked, datetime.now(UTC)), turned_pages(asked)
    page = app.audit.page(who, wanted, turned[-1] if turned else 0)
    if page.entries:
        st.caption(range_line(len(turned), len(page.entries)))
        st.dataframe(
            audit_rows(page.entries),
            key=f"audit_{len(turned)}",
            hide_index=True,
            height="content",
            column_config={name: st.column_config.TextColumn(width=width) for name, width in COLUMN_WIDTHS.items()},
        )
    else:
        st.info(nothing_line(wanted, bool(turned)), icon=":material/manage_search:")
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        with st.container(horizontal=True, width="content"):
            show_page_buttons(asked, turned, page)
        if page.entries:
            with st.container(horizontal=True, width="content"):
                show_downloads(app, who, wanted)


def asked_for(actions: Sequence[str]) -> tuple[str, str, str]:
    """The text, the action and the time span of the controls."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search",
            key="audit_text",
            max_chars=200,
            icon=":material/search:",
            placeholder="Anyone, anything",
        )
        action = st.selectbox("Action", [ALL_ACTIONS, *actions], key="audit_action", bind="query-params", width=160)
        span = st.segmented_control(
            "Time",
            list(AUDIT_SPANS),
            default=DEFAULT_SPAN,
            required=True,
            key="audit_span",
            bind="query-params",
            wrap=True,
        )
    return text or "", action, span


def audit_filter(text: str, action: str, span: str, now: datetime) -> AuditFilter:
    """The entries that the controls ask for."""
    length = AUDIT_SPANS[span]
    return AuditFilter(text, "" if action == ALL_ACTIONS else action, now - length if length else None)


def nothing_line(wanted: AuditFilter, turned: bool) -> str:
    """Why there is nothing to show, and what to do."""
    if turned:
        return "There are no older entries."
    if wanted.text or wanted.action:
        return "No entry matches: try another text, all actions or a longer time."
    return "Nothing was done in this time." if wanted.since else "Nothing has been done yet."


def range_line(turned: int, count: int) -> str:
    """`Entries 26 to 50, the newest first`."""
    first = turned * PAGE_SIZE + 1
    return f"Entries {first:,} to {first + count - 1:,}, the newest first" if count > 1 else f"Entry {first:,}"


def audit_rows(entries: Sequence[AuditEntry]) -> list[dict[str, str]]:
    """The table; a browser's own download of it holds no formula either."""
    return [
        {
            "When (UTC)": f"{entry.at:%Y-%m-%d %H:%M:%S}",
            "Who": escape_formula(entry.actor),
            "What": escape_formula(entry.action),
            "Collection": escape_formula(entry.collection) or "–",
            "Target": escape_formula(entry.target) or "–",
            "Outcome": escape_formula(entry.outcome),
            "From": escape_formula(entry.visitor) or "–",
        }
        for entry in entries
    ]


def turned_pages(asked: tuple[str, str, str]) -> tuple[int, ...]:
    """The last entry of every page before the one to show; none after the controls changed."""
    before, turned = st.session_state.get(PAGES_KEY, (asked, ()))
    return turned if before == asked else ()


def show_page_buttons(asked: tuple[str, str, str], turned: tuple[int, ...], page: AuditPage) -> None:
    """Newer and Older, where there is something newer or older."""

    def turn(to: tuple[int, ...]) -> None:
        st.session_state[PAGES_KEY] = (asked, to)

    if turned:
        st.button("Newer", icon=":material/chevron_left:", on_click=turn, args=(turned[:-1],))
    if page.has_older:
        st.button("Older", icon=":material/chevron_right:", on_click=turn, args=((*turned, page.entries[-1].id),))


def show_downloads(app: App, who: Person, wanted: AuditFilter) -> None:
    """All entries that the controls ask for, at most 100,000; read when one clicks, if they may do so by then."""
    for name, (label, mime) in DOWNLOADS.items():
        st.download_button(
            label,
            partial(exported, app, who, wanted, name),
            f"audit-{datetime.now(UTC):%Y-%m-%d}.{name}",
            mime,
            key=f"audit_{name}",
            icon=":material/download:",
            on_click="ignore",
        )


def exported(app: App, who: Person, wanted: AuditFilter, name: str) -> bytes:
    """A file of the format `name`. Raises NotAllowed, StoreError."""
    return "".join(FORMATS[name](islice(app.audit.entries(who, wanted), MAX_DOWNLOADED))).encode()
