"""What a collection holds more than once, side by side, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from core.app import App
from core.records.assets import Hit
from core.search.duplicates import Duplicates, Group
from pages.library.notices import remove
from pages.ui.format import plain, told_apart
from pages.ui.gallery import gallery
from pages.ui.person import person
from pages.ui.progress import show_progress

PAGE, COPIES_SHOWN = 10, 100


def show_duplicates(app: App, collection: str) -> None:
    """Groups of near-identical pictures, looked for when someone asks."""
    found: Duplicates | None = st.session_state.get(f"duplicates_{collection}")
    st.caption("Pictures that look the same (resized, recompressed, slightly cropped or toned), and files kept twice.")
    if st.button("Look again" if found else "Look for duplicates", icon=":material/content_copy:", key="look"):
        place = st.empty()
        found = app.searches.duplicates(collection, lambda progress: show_progress(place, progress))
        place.empty()
        st.session_state[f"duplicates_{collection}"] = found
    if found is None:
        return
    groups = still_there(found.groups, app.titles(collection))
    if not groups and not found.copies:
        st.info("No picture is there twice.", icon=":material/check:")
    curator = app.access.is_curator(person())
    if groups:
        of_all(app, collection, groups, curator)
    shown = int(st.session_state.get("groups_shown", PAGE))
    for group in groups[:shown]:
        with st.container(border=True):
            one_group(app, collection, group, curator)
    if len(groups) > shown and st.button("More groups", icon=":material/expand_more:", key="more_groups"):
        st.session_state["groups_shown"] = shown + PAGE
        st.rerun(scope="fragment")
    copies(app, collection, found, curator)


def still_there(groups: Sequence[Group], present: dict[str, str]) -> list[Group]:
    """The groups without the pictures that are gone; one alone is no group."""
    kept = []
    for group in groups:
        members = [(i, s) for i, s in ((group.keep, 1.0), *group.others) if i in present]
        if len(members) > 1:
            kept.append(Group(members[0][0], tuple(members[1:])))
    return kept


def of_all(app: App, collection: str, groups: Sequence[Group], curator: bool) -> None:
    others = [asset_id for group in groups for asset_id, _ in group.others]
    with st.container(horizontal=True, vertical_alignment="center"):
        groups_told = "1 group" if len(groups) == 1 else f"{len(groups):,} groups"
        st.markdown(f"**{groups_told}** of near-identical pictures", width="content")
        if curator:
            with st.popover(f"Remove the others of all groups ({len(others):,})", icon=":material/delete_sweep:"):
                st.write("Of every group the largest picture stays. The others go to the bin.")
                st.button(
                    "Remove them",
                    key="remove_all_others",
                    type="primary",
                    on_click=remove,
                    args=(app, collection, others),
                )


def one_group(app: App, collection: str, group: Group, curator: bool) -> None:
    similarity = {group.keep: 1.0, **dict(group.others)}
    hits = app.pictures(collection, list(similarity), list(similarity.values()))
    if len(hits) < 2:
        return
    lines = {hit.asset.id: told_apart(hit.asset, bytes_of(hit)) for hit in hits}
    gallery(hits, f"group-{group.keep}-{len(hits)}", ignore, ignore, reasons=lines, size="large")
    if not curator:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        keep = st.selectbox(
            "Keep",
            [hit.asset.id for hit in hits],
            key=f"keep_{group.keep}_{len(hits)}",
            width=320,
            format_func={hit.asset.id: f"{hit.rank} · {hit.asset.title}" for hit in hits}.__getitem__,
            help="Suggested: the one with the most pixels.",
        )
        others = [i for i in similarity if i != keep]
        st.button(
            f"Remove the other {len(others)}" if len(others) > 1 else "Remove the other one",
            key=f"others_{group.keep}",
            icon=":material/delete:",
            on_click=remove,
            args=(app, collection, others),
        )


def bytes_of(hit: Hit) -> int | None:
    """How large the picture's file is, where it still lies."""
    for uri in hit.asset.uris:
        try:
            return Path(uri).stat().st_size
        except OSError:
            continue
    return None


def copies(app: App, collection: str, found: Duplicates, curator: bool) -> None:
    """Files with the same bytes: one picture of the collection, so there is nothing to remove from it."""
    if not found.copies:
        return
    titles = app.titles(collection)
    shown = st.expander(f"{len(found.copies):,} pictures lie in several files", key="copies", on_change="rerun")
    if not shown.open:
        return
    with shown:
        st.caption("The same bytes: the collection holds each picture once. Spare files can be deleted on the disk.")
        for asset_id, places in list(found.copies.items())[:COPIES_SHOWN]:
            if asset_id in titles:
                st.markdown(f"**{plain(titles[asset_id])}** · {len(places)} files")
                st.text("\n".join(places if curator else (uri.rsplit("/", 1)[-1] for uri in places)))
        if len(found.copies) > COPIES_SHOWN:
            st.caption(f"The first {COPIES_SHOWN} of {len(found.copies):,} are listed.")


def ignore(asset_id: str) -> None:
    """What is compared here is not opened."""
