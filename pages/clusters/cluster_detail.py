"""One cluster, opened: its pictures, the doubtful ones first, and what a curator can do with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import streamlit as st

from core.app import App
from core.clusters.curation import name_of
from core.clusters.edits.model import ClusterRef, Describe, MarkNoGroup, Merge, Move, Pin, Rename, Unpin
from core.clusters.edits.plan import pins
from core.clusters.views.branch_preview import preview
from core.clusters.views.print_sheet import MOST_PRINTED, printed_sheet
from core.clusters.views.view import BORDERLINE_MARGIN, ClusterView
from core.errors import ClusterError
from pages.clusters.asset_grid import show_pictures
from pages.clusters.draft_state import DraftState, again, change
from pages.ui.format import plain
from pages.ui.streamlit_internals import uninterrupted

PAGE, NEIGHBOURS, PREVIEWED = 24, 5, 6


def open_cluster(app: App, work: DraftState, view: ClusterView) -> None:
    """The cluster in the URL, if the plan still makes it."""
    cluster_id = st.query_params.get("cluster")
    number = view.number(cluster_id) if cluster_id else None
    if cluster_id and number is None:
        st.info("The cluster you had open is not there at this threshold.", icon=":material/call_merge:")
    if number is None:
        return
    names = names_of(app, work, view)
    with st.container(border=True):
        doubtful = view.measures.borderline(number, BORDERLINE_MARGIN).tolist()
        title(app, work, view, number, names, len(doubtful))
        pictures(app, work, view, number, doubtful)
        if work.curator:
            actions(app, work, view, number, names)
        with st.container(horizontal=True):
            branch(app, work, view, number)
            to_print(app, work, view, number, names[number])


def names_of(app: App, work: DraftState, view: ClusterView) -> list[str]:
    suggestions = app.clusters.suggestions(work.collection, view)
    return [name_of(c, s) or c.id for c, s in zip(view.clusters, suggestions, strict=True)]


def title(app: App, work: DraftState, view: ClusterView, number: int, names: Sequence[str], doubtful: int) -> None:
    cluster, collection = view.clusters[number], work.collection
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader(plain(names[number]), anchor=False, width="content")
        st.button("Close", icon=":material/close:", key="close_cluster", type="tertiary", on_click=close)
    if not cluster.confirmed:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("This name is a suggestion.", width="content")
            if work.curator:
                st.button(
                    "Confirm it",
                    key="confirm",
                    type="tertiary",
                    on_click=change,
                    args=(app, collection, Rename(view.partition.ref(number), names[number])),
                )
    if cluster.description:
        st.text(cluster.description)
    nearest, cosine = (values[0] for values in view.measures.neighbours([number]))
    near = f" · nearest: {plain(names[nearest])} ({cosine:.3f})" if nearest >= 0 else ""
    st.caption(
        f"{view.sizes[number]:,} pictures · cohesion {view.measures.cohesion[number]:.3f} · "
        f"{doubtful} at the border · {cluster.pinned} pinned{near}"
    )


def close() -> None:
    st.query_params.pop("cluster", None)


def pictures(app: App, work: DraftState, view: ClusterView, number: int, doubtful: Sequence[int]) -> None:
    """The members: those at the border (`doubtful`) first, then the most typical."""
    rest = [row for row in view.measures.members(number).tolist() if row not in set(doubtful)]
    rows = [*doubtful, *rest]
    shown = int(st.session_state.get("members_shown", PAGE))
    if doubtful:
        st.caption(f"The first {len(doubtful)} stand at the border to another cluster.")
    show_pictures(
        app,
        work.collection,
        [view.asset_ids[row] for row in rows[:shown]],
        f"members_{view.clusters[number].id}_{st.session_state.get('picks', 0)}",
        similarities=[float(view.measures.similarity[row]) for row in rows[:shown]],
        on_pick=(lambda ids: st.session_state.update(picked=ids)) if work.curator else None,
    )
    if len(rows) > shown and st.button("More pictures", icon=":material/expand_more:", key="more_members"):
        st.session_state["members_shown"] = shown + PAGE
        again()


def to_print(app: App, work: DraftState, view: ClusterView, number: int, name: str) -> None:
    """A contact sheet of the cluster, as a file to print."""
    with st.popover("Print", icon=":material/print:"):
        if not st.toggle("Prepare a contact sheet", key=f"print_{view.clusters[number].id}"):
            return
        ids = [view.asset_ids[row] for row in view.measures.members(number).tolist()]
        line = f"{len(ids):,} pictures of {work.collection}, grouped at {view.clusters[number].threshold:g}"
        page = printed_sheet(name, line, app.pictures(work.collection, ids[: MOST_PRINTED + 1]))
        st.download_button(
            "Contact sheet",
            page,
            f"{work.collection}-{view.clusters[number].id}.html",
            "text/html",
            on_click="ignore",
            icon=":material/download:",
        )


def actions(app: App, work: DraftState, view: ClusterView, number: int, names: Sequence[str]) -> None:
    """What can be done with the cluster, and with the pictures that are ticked."""
    with st.container(horizontal=True):
        about_cluster(app, work, view, number, names)
        about_pictures(app, work, view, number, names)


def about_cluster(app: App, work: DraftState, view: ClusterView, number: int, names: Sequence[str]) -> None:
    cluster, ref, collection = view.clusters[number], view.partition.ref(number), work.collection
    with st.popover("Name", icon=":material/edit:"):
        name = st.text_input("Name", names[number], max_chars=80, key=f"name_{cluster.id}")
        if st.button("Rename", key="rename", disabled=not name.strip()):
            change(app, collection, Rename(ref, name))
            again()
        text = st.text_area("Description", cluster.description, max_chars=2000, key=f"about_{cluster.id}")
        if st.button("Describe", key="describe", disabled=text == cluster.description):
            change(app, collection, Describe(ref, text))
            again()
    with st.popover("Merge", icon=":material/call_merge:"):
        others = choices(view, neighbours_first(view, number), names)
        into = st.multiselect("Merge with", list(others), format_func=others.__getitem__, key=f"merge_{cluster.id}")
        if st.button("Merge them", key="merge", disabled=not into):
            change(app, collection, Merge((ref, *(ref_of(view, other) for other in into))))
            again()
    st.button(
        "It is a group" if cluster.no_group else "Not a group",
        key="no_group",
        icon=":material/do_not_disturb_on:",
        on_click=change,
        args=(app, collection, MarkNoGroup(ref, not cluster.no_group)),
    )


def about_pictures(app: App, work: DraftState, view: ClusterView, number: int, names: Sequence[str]) -> None:
    members = {view.asset_ids[row] for row in view.measures.members(number).tolist()}
    picked = tuple(sorted(members & set(st.session_state.get("picked", ())) & set(view.partition.asset_ids)))
    if not picked:
        st.caption("Tick pictures to move, split off or pin them.", width="content")
        return
    ref, collection = view.partition.ref(number), work.collection
    with st.popover(f"Move {len(picked)}", icon=":material/drive_file_move:"):
        others = choices(view, neighbours_first(view, number), names)
        to = st.selectbox("Move them to", list(others), index=None, format_func=others.__getitem__, key="move_to")
        if st.button("Move", key="move", disabled=to is None) and to is not None:
            forget_picked()
            change(app, collection, Move(picked, ref_of(view, to)))
            again()
    st.button(
        f"Split off {len(picked)}",
        icon=":material/call_split:",
        key="split",
        on_click=act_on_picked,
        args=(app, collection, Move(picked, None)),
    )
    held = set(pins(view.plan))
    pin = Unpin(picked) if held >= set(picked) else Pin(picked, ref)
    st.button(
        "Unpin" if isinstance(pin, Unpin) else f"Pin {len(picked)}",
        icon=":material/keep:",
        key="pin",
        on_click=act_on_picked,
        args=(app, collection, pin),
    )


@uninterrupted
def act_on_picked(app: App, collection: str, edit: Move | Pin | Unpin) -> None:
    forget_picked()
    change(app, collection, edit)


def forget_picked() -> None:
    st.session_state.pop("picked", None)
    st.session_state["picks"] = st.session_state.get("picks", 0) + 1


def neighbours_first(view: ClusterView, number: int) -> list[int]:
    """All other clusters, the most similar first."""
    to_others = view.measures.centroids @ view.measures.centroids[number]
    return [n for n in (-to_others).argsort(kind="stable").tolist() if n != number and view.sizes[n]]


def choices(view: ClusterView, numbers: Iterable[int], names: Sequence[str]) -> dict[str, str]:
    """What a chooser shows of clusters, by their ids, which outlast a moved slider as numbers do not.

    No two texts are the same: Streamlit would take the one for the other.
    """
    times = Counter(names)
    ids = ((number, view.clusters[number].id) for number in numbers)
    return {i: names[number] if times[names[number]] == 1 else f"{names[number]} ({i})" for number, i in ids}


def ref_of(view: ClusterView, cluster_id: str) -> ClusterRef:
    number = view.number(cluster_id)
    if number is None:
        raise ClusterError("the cluster that was chosen is not there any more: choose again")
    return view.partition.ref(number)


def branch(app: App, work: DraftState, view: ClusterView, number: int) -> None:
    """A threshold of its own for the branch of the dendrogram that the cluster is, with what it would come to."""
    cluster = view.clusters[number]
    with st.popover("Split deeper, or merge upward", icon=":material/account_tree:"):
        lowest = min(0.0, cluster.threshold)
        threshold = st.slider(
            "Threshold of this branch", lowest, 1.0, cluster.threshold, 0.005, format="%.3f", key=f"branch_{cluster.id}"
        )
        found = preview(view, number, threshold)
        if found is None:
            st.caption("This cluster was put together by hand, so it is no branch of the dendrogram.")
            return
        sizes = ", ".join(str(len(rows)) for rows in found.pieces[:12])
        count = len(found.pieces)
        st.caption(
            f"{count} piece{'' if count == 1 else 's'} of {sizes} pictures"
            + (", with others that it would join." if found.grows else ".")
        )
        first = [view.asset_ids[int(rows[0])] for rows in found.pieces[:PREVIEWED]]
        show_pictures(app, work.collection, first, "pieces", "small")
        if work.curator and st.button("Cut the branch here", key="cut_branch"):
            for edit in found.edits:
                change(app, work.collection, edit)
            again()
