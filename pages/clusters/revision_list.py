"""Saved revisions: author, time and note; compare, restore, publish, export and import."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.app import App
from core.clusters.lineage.diff_sentences import describe_diff
from core.clusters.views.export import FORMATS, export_centroids, export_clustering, import_edits
from core.records.clusterings import Revision
from core.text import counted
from pages.clusters.draft_state import DraftState, apply_edit, notify, reporting_errors
from pages.ui.format import escape_markdown
from pages.ui.person import person
from pages.ui.streamlit_internals import uninterrupted
from pages.ui.uploads import offer_upload

MAX_REVISIONS = 30
COMPARED_KEY = "compared"


def show_revisions(app: App, state: DraftState) -> None:
    """The newest revisions first."""
    if state.may_edit:
        import_popover(app, state)
    revisions = app.clusters.revisions.list(state.collection, MAX_REVISIONS)
    if not revisions:
        st.info("Nothing is saved yet.", icon=":material/history:")
        return
    for previous, revision in zip((*revisions[1:], None), revisions, strict=True):
        with st.container(border=True):
            show_revision(app, state, revision, previous)


def show_revision(app: App, state: DraftState, revision: Revision, previous: Revision | None) -> None:
    st.markdown(revision_line(revision))
    origin = f"{revision.author}, {revision.created_at:%-d %B %Y, %H:%M} UTC"
    st.caption(escape_markdown(f"{origin} · {revision.note}".rstrip(" ·")))
    if app.model_changed(revision):
        st.caption(":material/info: Saved with another model: its thresholds may group differently now.")
    with st.container(horizontal=True):
        if previous is not None:
            revision_button(revision, "compare", "What changed", ":material/difference:", compare, previous, revision)
        with st.popover("Export", icon=":material/download:"):
            if st.toggle("Prepare files", key=f"export_{revision.id}"):
                export_buttons(app, state.collection, revision)
        if state.curator and state.parent_id != revision.id:
            revision_button(revision, "restore", "Restore", ":material/history:", restore_revision, app, revision)
        if state.curator and not revision.published:
            revision_button(
                revision, "publish", "Publish", ":material/publish:", publish_revision, app, state, revision
            )
    show_revision_diff(app, revision)


def import_popover(app: App, state: DraftState) -> None:
    """A form to import a clustering from a file, as edits of the draft."""
    with st.popover("Import", icon=":material/upload:", key="import_popover"):
        offer_upload(app, "collection")
        limit_mb = app.settings.upload_mb
        file = st.file_uploader(
            "An exported clustering", type=list(FORMATS), key="import_file", max_upload_size=limit_mb
        )
        st.caption("Its clusters and all their names become edits in your draft: review, undo or save them.")
        st.button(
            "Import as draft",
            key="import",
            disabled=file is None,
            on_click=import_clustering,
            args=(app, state.collection, file.name, file.getvalue()) if file else (),
        )


@uninterrupted
def import_clustering(app: App, collection: str, name: str, data: bytes) -> None:
    with reporting_errors():
        edits, missing = import_edits(data, name, list(app.titles(collection)))
        for edit in edits:
            apply_edit(app, collection, edit)
        absent = f" Not in {collection}: {counted(missing, 'picture')} of the file." if missing else ""
        notify(f"{name} was imported as {counted(len(edits), 'edit')} in your draft.{absent}", success=True)


def revision_line(revision: Revision) -> str:
    """`Revision 3 · 41 clusters at 0.82 · published`."""
    parts = [
        f"**Revision {revision.id}**",
        f"{counted(revision.cluster_count, 'cluster')} at {revision.threshold:g}",
        f"{revision.named_count} named",
    ]
    if revision.published:
        parts.append("published")
    if revision.name:
        parts.append(f"“{escape_markdown(revision.name)}”")
    return " · ".join(parts)


def revision_button(
    revision: Revision, action: str, label: str, icon: str, on_click: Callable[..., None], *args: object
) -> None:
    key = f"{action}_{revision.id}"
    st.button(label, key=key, type="tertiary", icon=icon, on_click=on_click, args=args)


def export_buttons(app: App, collection: str, revision: Revision) -> None:
    """The clustering in each format, and its centroids."""
    clustering, titles = app.clusters.clustering(revision.id), app.titles(collection)
    stem = f"{collection}-revision-{revision.id}"
    for extension in FORMATS:
        data = export_clustering(revision, clustering, titles, extension)
        key = f"export_{revision.id}_{extension}"
        st.download_button(extension.upper(), data, f"{stem}.{extension}", key=key, on_click="ignore")
    st.download_button(
        "Centroids (NPY)",
        export_centroids(clustering),
        f"{stem}-centroids.npy",
        key=f"export_{revision.id}_centroids",
        on_click="ignore",
    )


@uninterrupted
def restore_revision(app: App, revision: Revision) -> None:
    with reporting_errors():
        restored = app.curation.restore(person(), revision.id)
        for name in ("draft", "t", "min"):
            st.query_params.pop(name, None)
        notify(f"Revision {revision.id} was restored as revision {restored.id}; your draft is unchanged.", success=True)


@uninterrupted
def publish_revision(app: App, state: DraftState, revision: Revision) -> None:
    with reporting_errors():
        app.curation.publish(person(), revision.id, state.published_id)
        app.assign(state.collection)
        notify(f"Revision {revision.id} was published.", success=True)


def compare(previous: Revision, revision: Revision) -> None:
    """The next run shows what changed between two revisions."""
    st.session_state[COMPARED_KEY] = (previous.id, revision.id)


def show_revision_diff(app: App, revision: Revision) -> None:
    pair = st.session_state.get(COMPARED_KEY)
    if pair is not None and pair[1] == revision.id:
        for sentence in describe_diff(app.clusters.diff_revisions(*pair), 12):
            st.markdown(f"- {escape_markdown(sentence)}")
