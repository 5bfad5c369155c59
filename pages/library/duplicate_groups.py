"""Near-identical pictures of a collection side by side, and files that are stored several times."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.access import Action
from core.app import App
from core.records.assets import file_name
from core.search.duplicates import DuplicateGroup, Duplicates
from core.text import counted
from pages.library.outcome_notice import remove_pictures
from pages.ui.format import distinguishing_line, escape_markdown
from pages.ui.gallery import GalleryLayout, gallery
from pages.ui.person import explain_unless_allowed, person
from pages.ui.progress import show_progress

PAGE_SIZE, MAX_COPIES = 10, 100


def show_duplicates(app: App, collection: str) -> None:
    """Groups of near-identical pictures, searched for on request."""
    found: Duplicates | None = st.session_state.get(f"duplicates_{collection}")
    st.caption(
        "Pictures that look the same (resized, recompressed, slightly cropped or toned), and files stored twice."
    )
    may_look = explain_unless_allowed(app.access, Action.FIND_DUPLICATES)
    if may_look and st.button(
        "Look again" if found else "Look for duplicates", icon=":material/content_copy:", key="look"
    ):
        placeholder = st.empty()
        found = app.searches.duplicates(person(), collection, lambda progress: show_progress(placeholder, progress))
        placeholder.empty()
        st.session_state[f"duplicates_{collection}"] = found
    if found is None:
        return
    groups = remaining_groups(found.groups, app.titles(collection))
    if not groups and not found.copies:
        st.info("No duplicates found.", icon=":material/check:")
    curator = app.access.is_curator(person())
    if groups:
        show_group_actions(app, collection, groups, curator)
    shown = int(st.session_state.get("groups_shown", PAGE_SIZE))
    for group in groups[:shown]:
        with st.container(border=True):
            show_group(app, collection, group, curator)
    if len(groups) > shown and st.button("More groups", icon=":material/expand_more:", key="more_groups"):
        st.session_state["groups_shown"] = shown + PAGE_SIZE
        st.rerun(scope="fragment")
    show_copies(app, collection, found, curator)


def remaining_groups(groups: Sequence[DuplicateGroup], present: dict[str, str]) -> list[DuplicateGroup]:
    """The groups without the pictures that were removed since; a single picture is no group."""
    remaining = []
    for group in groups:
        members = [(i, s) for i, s in ((group.keep, 1.0), *group.others) if i in present]
        if len(members) > 1:
            remaining.append(DuplicateGroup(members[0][0], tuple(members[1:])))
    return remaining


def show_group_actions(app: App, collection: str, groups: Sequence[DuplicateGroup], curator: bool) -> None:
    others = [asset_id for group in groups for asset_id, _ in group.others]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{counted(len(groups), 'group')}** of near-identical pictures", width="content")
        if curator:
            with st.popover(f"Remove the others of all groups ({len(others):,})", icon=":material/delete_sweep:"):
                st.write("Of every group the largest picture stays. The others go to the bin.")
                st.button(
                    "Remove pictures",
                    key="remove_all_others",
                    type="primary",
                    on_click=remove_pictures,
                    args=(app, collection, others),
                )


def show_group(app: App, collection: str, group: DuplicateGroup, curator: bool) -> None:
    similarity = {group.keep: 1.0, **dict(group.others)}
    hits = app.pictures(collection, list(similarity), list(similarity.values()))
    if len(hits) < 2:
        return
    lines = {hit.asset.id: distinguishing_line(hit.asset, app.file_size(hit.asset)) for hit in hits}
    gallery(collection, hits, f"group-{group.keep}-{len(hits)}", layout=GalleryLayout("large", reasons=lines))
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
            on_click=remove_pictures,
            args=(app, collection, others),
        )


def show_copies(app: App, collection: str, found: Duplicates, curator: bool) -> None:
    """Files with the same bytes: they are one picture of the collection, so there is nothing to remove from it."""
    if not found.copies:
        return
    titles = app.titles(collection)
    shown = st.expander(f"{counted(len(found.copies), 'picture')} in several files", key="copies", on_change="rerun")
    if not shown.open:
        return
    with shown:
        st.caption("The same bytes: the collection holds each picture once. Spare files can be deleted on the disk.")
        for asset_id, uris in list(found.copies.items())[:MAX_COPIES]:
            if asset_id in titles:
                st.markdown(f"**{escape_markdown(titles[asset_id])}** · {counted(len(uris), 'file')}")
                st.text("\n".join(uris if curator else map(file_name, uris)))
        if len(found.copies) > MAX_COPIES:
            st.caption(f"The first {MAX_COPIES} of {len(found.copies):,} are listed.")
