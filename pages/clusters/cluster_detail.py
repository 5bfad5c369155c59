"""The open cluster: its pictures, borderline ones first, and what a curator can do with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st

from core.app import App
from core.clusters.curation import cluster_name
from core.clusters.edits.model import ClusterRef, Describe, MarkNoGroup, Merge, Move, Pin, Rename, Unpin
from core.clusters.edits.plan import pins
from core.clusters.views.branch_preview import preview_branch
from core.clusters.views.cluster_view import BORDERLINE_MARGIN, ClusterView
from core.clusters.views.partition import Cluster
from core.clusters.views.print_sheet import MAX_PRINTED, render_print_sheet
from core.errors import ClusterError
from core.text import counted
from pages.clusters.draft_state import DraftState, apply_edit, rerun_explorer
from pages.ui.format import escape_markdown
from pages.ui.gallery import GalleryActions, GalleryLayout, find_similar, gallery, open_picture
from pages.ui.streamlit_internals import uninterrupted

PAGE_SIZE, MAX_PIECES_SHOWN, MAX_SIZES_LISTED = 24, 6, 12


@dataclass(frozen=True, eq=False)
class OpenCluster:
    """The cluster whose details are shown: its number in the view, and the names of all clusters by number."""

    view: ClusterView
    number: int
    names: Sequence[str]

    @property
    def cluster(self) -> Cluster:
        return self.view.clusters[self.number]

    @property
    def ref(self) -> ClusterRef:
        """What edits call this cluster."""
        return self.view.partition.ref(self.number)

    @property
    def name(self) -> str:
        return self.names[self.number]

    @property
    def rows(self) -> list[int]:
        """The rows of its pictures, the most typical first."""
        rows: list[int] = self.view.statistics.members(self.number).tolist()
        return rows

    @property
    def asset_ids(self) -> list[str]:
        """The ids of its pictures, the most typical first."""
        return [self.view.asset_ids[row] for row in self.rows]

    def merge_options(self) -> dict[str, str]:
        """All other clusters by id, the most similar first."""
        to_others = self.view.statistics.centroids @ self.view.statistics.centroids[self.number]
        ranked = (-to_others).argsort(kind="stable").tolist()
        return cluster_options(self.view, (n for n in ranked if n != self.number and self.view.sizes[n]), self.names)


def show_open_cluster(app: App, state: DraftState, view: ClusterView) -> None:
    """The cluster in the URL, if the plan still produces it."""
    cluster_id = st.query_params.get("cluster")
    number = view.number(cluster_id) if cluster_id else None
    if cluster_id and number is None:
        st.info("The cluster you had open does not exist at this threshold.", icon=":material/call_merge:")
    if number is None:
        return
    opened = OpenCluster(view, number, cluster_names(app, state, view))
    with st.container(border=True):
        borderline = view.statistics.borderline(number, BORDERLINE_MARGIN).tolist()
        show_heading(app, state, opened, len(borderline))
        show_members(app, state, opened, borderline)
        if state.may_edit:
            with st.container(horizontal=True):
                show_cluster_actions(app, state, opened)
                show_picked_actions(app, state, opened)
        with st.container(horizontal=True):
            branch_popover(app, state, opened)
            print_popover(app, state, opened)


def cluster_names(app: App, state: DraftState, view: ClusterView) -> list[str]:
    """A name for each cluster: the confirmed one, else a suggestion, else its id."""
    return cluster_names_of(app, state.collection, view)


def cluster_names_of(app: App, collection: str, view: ClusterView) -> list[str]:
    """The same for any view of a collection."""
    suggestions = app.clusters.name_suggestions(collection, view)
    return [cluster_name(c, s) or c.id for c, s in zip(view.clusters, suggestions, strict=True)]


def show_heading(app: App, state: DraftState, opened: OpenCluster, borderline_count: int) -> None:
    """The name, with a way to confirm a suggested one, the description and the key figures."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.header(escape_markdown(opened.name), anchor=False, width="content")
        st.button("Close", icon=":material/close:", key="close_cluster", type="tertiary", on_click=close_cluster)
    if not opened.cluster.confirmed:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("This name is a suggestion.", width="content")
            if state.may_edit:
                st.button(
                    "Confirm name",
                    key="confirm",
                    type="tertiary",
                    on_click=apply_edit,
                    args=(app, state.collection, Rename(opened.ref, opened.name)),
                )
    if opened.cluster.description:
        st.text(opened.cluster.description)
    st.caption(figures_line(opened, borderline_count))


def figures_line(opened: OpenCluster, borderline_count: int) -> str:
    """`41 pictures · cohesion 0.861 · 3 borderline · 0 pinned · nearest: Boats (0.790)`."""
    view, number = opened.view, opened.number
    nearest, similarity = (values[0] for values in view.statistics.neighbours([number]))
    near = f" · nearest: {escape_markdown(opened.names[nearest])} ({similarity:.3f})" if nearest >= 0 else ""
    return (
        f"{counted(int(view.sizes[number]), 'picture')} · cohesion {view.statistics.cohesion[number]:.3f} · "
        f"{borderline_count} borderline · {opened.cluster.pinned} pinned{near}"
    )


def close_cluster() -> None:
    st.query_params.pop("cluster", None)


def show_members(app: App, state: DraftState, opened: OpenCluster, borderline: Sequence[int]) -> None:
    """The pictures: the rows in `borderline` first, then the most typical."""
    rows = [*borderline, *(row for row in opened.rows if row not in set(borderline))]
    shown = int(st.session_state.get("members_shown", PAGE_SIZE))
    if borderline:
        first = "The first picture is" if len(borderline) == 1 else f"The first {len(borderline)} pictures are"
        st.caption(f"{first} borderline: nearly as close to another cluster.")
    ids = [opened.view.asset_ids[row] for row in rows[:shown]]
    similarities = [float(opened.view.statistics.similarity[row]) for row in rows[:shown]]
    on_pick = (lambda ids: st.session_state.update(picked=ids)) if state.may_edit else None
    gallery(
        state.collection,
        app.pictures(state.collection, ids, similarities),
        f"members_{opened.cluster.id}_{st.session_state.get('picks', 0)}",
        GalleryActions(open_picture, find_similar, on_pick),
    )
    if len(rows) > shown and st.button("More pictures", icon=":material/expand_more:", key="more_members"):
        st.session_state["members_shown"] = shown + PAGE_SIZE
        rerun_explorer()


def print_popover(app: App, state: DraftState, opened: OpenCluster) -> None:
    """A contact sheet of the cluster, as a file to print."""
    cluster = opened.cluster
    with st.popover("Print", icon=":material/print:", key="print_popover"):
        if not st.toggle("Prepare a contact sheet", key=f"print_{cluster.id}"):
            return
        ids = opened.asset_ids
        subtitle = f"{counted(len(ids), 'picture')} of {state.collection}, grouped at {cluster.threshold:g}"
        sheet = render_print_sheet(opened.name, subtitle, app.pictures(state.collection, ids[: MAX_PRINTED + 1]))
        st.download_button(
            "Contact sheet",
            sheet,
            f"{state.collection}-{cluster.id}.html",
            "text/html",
            on_click="ignore",
            icon=":material/download:",
        )


def show_cluster_actions(app: App, state: DraftState, opened: OpenCluster) -> None:
    """Rename, describe or merge the cluster, or mark it as no group."""
    with st.popover("Name", icon=":material/edit:", key="name_popover"):
        name_form(app, state, opened)
    with st.popover("Merge", icon=":material/call_merge:", key="merge_popover"):
        merge_form(app, state, opened)
    no_group = opened.cluster.no_group
    st.button(
        "Mark as a group" if no_group else "Mark as not a group",
        key="no_group",
        icon=":material/do_not_disturb_on:",
        on_click=apply_edit,
        args=(app, state.collection, MarkNoGroup(opened.ref, not no_group)),
    )


def name_form(app: App, state: DraftState, opened: OpenCluster) -> None:
    cluster = opened.cluster
    name = st.text_input("Name", opened.name, max_chars=80, key=f"name_{cluster.id}")
    if st.button("Rename", key="rename", disabled=not name.strip()):
        apply_edit(app, state.collection, Rename(opened.ref, name))
        rerun_explorer()
    text = st.text_area("Description", cluster.description, max_chars=2000, key=f"about_{cluster.id}")
    if st.button("Describe", key="describe", disabled=text == cluster.description):
        apply_edit(app, state.collection, Describe(opened.ref, text))
        rerun_explorer()


def merge_form(app: App, state: DraftState, opened: OpenCluster) -> None:
    options = opened.merge_options()
    key = f"merge_{opened.cluster.id}"
    chosen = st.multiselect("Merge with", list(options), format_func=options.__getitem__, key=key)
    if st.button("Merge clusters", key="merge", disabled=not chosen):
        others = (cluster_ref(opened.view, cluster_id) for cluster_id in chosen)
        apply_edit(app, state.collection, Merge((opened.ref, *others)))
        rerun_explorer()


def show_picked_actions(app: App, state: DraftState, opened: OpenCluster) -> None:
    """Move, split off or pin the pictures that are ticked."""
    movable = set(opened.asset_ids) & set(opened.view.partition.asset_ids)
    picked = tuple(sorted(movable & set(st.session_state.get("picked", ()))))
    if not picked:
        st.caption("Select pictures to move, split off or pin.", width="content")
        return
    with st.popover(f"Move {len(picked)}", icon=":material/drive_file_move:", key="move_popover"):
        move_form(app, state, opened, picked)
    st.button(
        f"Split off {len(picked)}",
        icon=":material/call_split:",
        key="split",
        on_click=edit_picked,
        args=(app, state.collection, Move(picked, None)),
    )
    pinned = set(pins(opened.view.plan)) >= set(picked)
    st.button(
        "Unpin" if pinned else f"Pin {len(picked)}",
        icon=":material/keep:",
        key="pin",
        on_click=edit_picked,
        args=(app, state.collection, Unpin(picked) if pinned else Pin(picked, opened.ref)),
    )


def move_form(app: App, state: DraftState, opened: OpenCluster, picked: tuple[str, ...]) -> None:
    options = opened.merge_options()
    target = st.selectbox("Move them to", list(options), index=None, format_func=options.__getitem__, key="move_to")
    if st.button("Move", key="move", disabled=target is None) and target is not None:
        clear_picked()
        apply_edit(app, state.collection, Move(picked, cluster_ref(opened.view, target)))
        rerun_explorer()


@uninterrupted
def edit_picked(app: App, collection: str, edit: Move | Pin | Unpin) -> None:
    clear_picked()
    apply_edit(app, collection, edit)


def clear_picked() -> None:
    """Untick all pictures: the gallery is drawn under a new key."""
    st.session_state.pop("picked", None)
    st.session_state["picks"] = st.session_state.get("picks", 0) + 1


def cluster_options(view: ClusterView, numbers: Iterable[int], names: Sequence[str]) -> dict[str, str]:
    """Labels for a selectbox by cluster id, which survives a moved slider as a number does not.

    All labels differ: Streamlit cannot tell options with the same label apart.
    """
    occurrences = Counter(names)
    ids = ((number, view.clusters[number].id) for number in numbers)
    return {i: names[number] if occurrences[names[number]] == 1 else f"{names[number]} ({i})" for number, i in ids}


def cluster_ref(view: ClusterView, cluster_id: str) -> ClusterRef:
    """The cluster with this id, as edits refer to it. Raises ClusterError if the view no longer has it."""
    number = view.number(cluster_id)
    if number is None:
        raise ClusterError("the chosen cluster no longer exists: choose again")
    return view.partition.ref(number)


def branch_popover(app: App, state: DraftState, opened: OpenCluster) -> None:
    """A threshold for the cluster's branch of the dendrogram alone, with a preview of its pieces."""
    cluster = opened.cluster
    with st.popover("Split deeper, or merge upward", icon=":material/account_tree:", key="branch_popover"):
        lowest = min(0.0, cluster.threshold)
        threshold = st.slider(
            "Threshold of this branch", lowest, 1.0, cluster.threshold, 0.005, format="%.3f", key=f"branch_{cluster.id}"
        )
        found = preview_branch(opened.view, opened.number, threshold)
        if found is None:
            st.caption("This cluster was assembled by hand, so it is not a branch of the dendrogram.")
            return
        sizes = ", ".join(str(len(rows)) for rows in found.pieces[:MAX_SIZES_LISTED])
        st.caption(
            f"{counted(len(found.pieces), 'piece')}: {sizes} pictures"
            + (", with others that it would join." if found.grows else ".")
        )
        first_ids = [opened.view.asset_ids[int(rows[0])] for rows in found.pieces[:MAX_PIECES_SHOWN]]
        hits = app.pictures(state.collection, first_ids)
        actions, layout = GalleryActions(open_picture, find_similar), GalleryLayout("small", show_similarity=False)
        gallery(state.collection, hits, "pieces", actions, layout)
        if state.may_edit and st.button("Cut the branch here", key="cut_branch"):
            for edit in found.edits:
                apply_edit(app, state.collection, edit)
            rerun_explorer()
