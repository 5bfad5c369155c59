"""What can be done with the selected pictures, in a bar that stays in sight."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from core.app import App
from core.library.export_manifest import picture_table
from core.search.follow_up_rules import ID_DIGITS
from core.text import counted
from pages.clusters.selection_download import show_selection_download
from pages.library.outcome_notice import remove_pictures
from pages.search.cluster_form import show_cluster_form
from pages.search.query_chips import search_for
from pages.search.selection import change_selection, selection
from pages.search.thumbs import JudgedAnswer, judge_all
from pages.ui.person import person
from pages.ui.streamlit_internals import uninterrupted

SECTION = "search"
MAX_LIKE = 12  # pictures that refine a search at once
_CSS = Path(__file__).parent / "selection_bar.css"


def select_button() -> None:
    """Begins and ends selecting."""
    if selection().selecting:
        st.button("Done", icon=":material/close:", key="select", on_click=change_selection, args=(False,))
    else:
        st.button(
            "Select",
            icon=":material/check_box:",
            key="select",
            on_click=change_selection,
            args=(True,),
            help="Or press x on a picture. With Shift all between two, with Ctrl+A all.",
        )


def show_selection_bar(app: App, collection: str, shown: Sequence[str], judged: JudgedAnswer | None) -> None:
    """The bar for the selected pictures of those that are shown; nothing unless someone is selecting."""
    if not selection().selecting:
        return
    chosen, curator = selection().among(shown), app.access.is_curator(person())
    st.html(_CSS)
    with st.container(key="selection_bar", horizontal=True, vertical_alignment="center", border=True):
        st.markdown(f"**{len(chosen):,} selected**", width="content")
        if len(chosen) < len(shown):
            label = f"Select all {len(shown):,}"
            st.button(label, key="select_all", type="tertiary", on_click=change_selection, args=(True, shown))
        if not chosen:
            return
        st.button("Clear", key="select_none", type="tertiary", on_click=change_selection, args=(True,))
        with st.popover("Export", icon=":material/download:", key="export_popover"):
            show_export(app, collection, chosen, curator)
        like_buttons(chosen)
        if judged is not None:
            judge_buttons(app, judged, shown, chosen)
        if curator:
            form = st.popover("Send to a cluster", icon=":material/bubble_chart:", key="cluster", on_change="rerun")
            if form.open:
                with form:
                    show_cluster_form(app, collection, chosen)
            st.button(
                "Move to the bin",
                icon=":material/delete:",
                key="remove_selected",
                on_click=remove_selected,
                args=(app, collection, chosen),
            )


def like_buttons(chosen: Sequence[str]) -> None:
    """Refines the search by the selected pictures, turn by turn."""
    for key, label, sign in (("more_like", "More like these", ""), ("less_like", "Less like these", "-")):
        st.button(
            label,
            key=key,
            icon=f":material/{'add' if not sign else 'remove'}:",
            disabled=len(chosen) > MAX_LIKE,
            on_click=refine_by_pictures,
            args=(tuple(chosen), sign),
            help=f"At most {MAX_LIKE} pictures" if len(chosen) > MAX_LIKE else None,
        )


def refine_by_pictures(chosen: Sequence[str], sign: str) -> None:
    """The next run searches for the same, and like these pictures or, with a minus, unlike them."""
    text = str(st.session_state.get("q") or "")
    terms = [f"{sign}like:{asset_id[:ID_DIGITS]}" for asset_id in chosen]
    known = set(text.split())
    search_for(" ".join([text, *(term for term in terms if term not in known)]).strip())
    change_selection(False)


def show_export(app: App, collection: str, chosen: Sequence[str], curator: bool) -> None:
    """A table of the pictures for everyone; for curators also the files."""
    st.download_button(
        f"Table of {counted(len(chosen), 'picture')} (CSV)",
        partial(table_of, app, collection, tuple(chosen), app.shows_location(person())),
        f"{collection}.csv",
        "text/csv",
        key="export_csv",
        icon=":material/table:",
        on_click="ignore",
    )
    if curator:
        show_selection_download(app, collection, chosen)
    else:
        st.caption("Curators export the files too.")


def table_of(app: App, collection: str, asset_ids: Sequence[str], location: bool) -> bytes:
    return picture_table([hit.asset for hit in app.pictures(collection, asset_ids)], location)


def judge_buttons(app: App, judged: JudgedAnswer, shown: Sequence[str], chosen: Sequence[str]) -> None:
    positions = {asset_id: position for position, asset_id in enumerate(shown, 1) if asset_id in set(chosen)}
    for key, icon, up in (("good", "thumb_up", True), ("bad", "thumb_down", False)):
        st.button(
            f"All {key}",
            icon=f":material/{icon}:",
            key=f"all_{key}",
            on_click=judge_all,
            args=(app, judged, positions, up),
        )


@uninterrupted
def remove_selected(app: App, collection: str, chosen: Sequence[str]) -> None:
    remove_pictures(app, collection, chosen, SECTION)
    change_selection(False)
