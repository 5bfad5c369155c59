"""What was saved: by whom, when, what about; compare, restore, export."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.clusters.lineage.diff_sentences import sentences
from core.clusters.views.export import FORMATS, centroids, exported, imported
from core.records.clusterings import Revision
from pages.clusters.draft_state import DraftState, change, tell, telling
from pages.ui.format import plain
from pages.ui.person import person
from pages.ui.streamlit_internals import uninterrupted

SHOWN = 30


def show_history(app: App, work: DraftState) -> None:
    """The newest revisions first."""
    if work.curator:
        importing(app, work)
    revisions = app.clusters.revisions.list(work.collection, SHOWN)
    if not revisions:
        st.info("Nothing is saved yet.", icon=":material/history:")
        return
    for earlier, revision in zip((*revisions[1:], None), revisions, strict=True):
        with st.container(border=True):
            st.markdown(line(revision))
            st.caption(
                plain(f"{revision.author}, {revision.created_at:%-d %B %Y, %H:%M} UTC · {revision.note}".rstrip(" ·"))
            )
            if app.model_changed(revision):
                st.caption(":material/info: Saved with another model: its thresholds may group differently now.")
            with st.container(horizontal=True):
                buttons(app, work, revision, earlier)
            compared(app, revision)


def importing(app: App, work: DraftState) -> None:
    """A clustering from a file, as changes of the draft."""
    with st.popover("Import", icon=":material/upload:"):
        file = st.file_uploader("An exported clustering", type=list(FORMATS), key="import_file")
        st.caption("Its groups become changes of your draft: look at them, undo or save them.")
        st.button(
            "Take it over",
            key="import",
            disabled=file is None,
            on_click=take_over,
            args=(app, work.collection, file.name, file.getvalue()) if file else (),
        )


@uninterrupted
def take_over(app: App, collection: str, name: str, data: bytes) -> None:
    with telling():
        edits, missing = imported(data, name, list(app.titles(collection)))
        for edit in edits:
            change(app, collection, edit)
        gone = f" {missing} pictures of the file are not in {collection}." if missing else ""
        tell(f"{name} has become {len(edits)} changes of your draft.{gone}")


def line(revision: Revision) -> str:
    """`Revision 3 · 41 clusters at 0.82 · published`."""
    parts = [
        f"**Revision {revision.id}**",
        f"{revision.cluster_count} clusters at {revision.threshold:g}",
        f"{revision.named_count} named",
    ]
    if revision.published:
        parts.append("published")
    if revision.name:
        parts.append(f"“{plain(revision.name)}”")
    return " · ".join(parts)


def buttons(app: App, work: DraftState, revision: Revision, earlier: Revision | None) -> None:
    if earlier is not None:
        st.button(
            "What changed",
            key=f"compare_{revision.id}",
            type="tertiary",
            icon=":material/difference:",
            on_click=st.session_state.update,
            kwargs={"compared": (earlier.id, revision.id)},
        )
    with st.popover("Export", icon=":material/download:"):
        if st.toggle("Prepare files", key=f"export_{revision.id}"):
            titles = app.titles(work.collection)
            for how in FORMATS:
                name = f"{work.collection}-revision-{revision.id}.{how}"
                data = exported(revision, app.clusters.clustering(revision.id), titles, how)
                st.download_button(how.upper(), data, name, key=f"export_{revision.id}_{how}", on_click="ignore")
            middles = centroids(app.clusters.clustering(revision.id))
            st.download_button(
                "Centroids (NPY)",
                middles,
                f"{work.collection}-revision-{revision.id}-centroids.npy",
                key=f"export_{revision.id}_centroids",
                on_click="ignore",
            )
    if work.curator:
        if work.parent_id != revision.id:
            st.button(
                "Restore",
                key=f"restore_{revision.id}",
                type="tertiary",
                icon=":material/history:",
                on_click=restore,
                args=(app, revision),
            )
        if not revision.published:
            st.button(
                "Publish",
                key=f"publish_{revision.id}",
                type="tertiary",
                icon=":material/publish:",
                on_click=publish,
                args=(app, work, revision),
            )


@uninterrupted
def restore(app: App, revision: Revision) -> None:
    with telling():
        restored = app.curators.restore(person(), revision.id)
        for name in ("draft", "t", "min"):
            st.query_params.pop(name, None)
        tell(f"Revision {revision.id} is restored as revision {restored.id}; a draft of yours is kept.")


@uninterrupted
def publish(app: App, work: DraftState, revision: Revision) -> None:
    with telling():
        app.curators.publish(person(), revision.id, work.published.id if work.published else None)
        app.assign(work.collection)
        tell(f"Revision {revision.id} is published.")


def compared(app: App, revision: Revision) -> None:
    pair = st.session_state.get("compared")
    if pair is not None and pair[1] == revision.id:
        for sentence in sentences(app.clusters.difference(*pair), 12):
            st.markdown(f"- {plain(sentence)}")
