"""Where a collection's pictures come from: its folders, what a rescan would do, captions, files that are gone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from core.access import Action
from core.app import App
from core.records.assets import Hit, shown_path
from core.records.sources import UPLOADS, RescanOptions, ScanPreview, SourceState
from core.text import counted
from pages.library.outcome_notice import run_and_notify
from pages.ui.format import escape_markdown, sentence
from pages.ui.gallery import GalleryActions, GalleryLayout, gallery
from pages.ui.person import person
from pages.ui.uploads import offer_upload, release_files

MAX_LISTED, MISSING_PAGE = 200, 48
PREVIEW_KEY, CHECKSUM_KEY = "rescan_preview", "rescan_checksum"


def show_sources(app: App, collection: str) -> None:
    """The sources of a collection; who may, brings the collection up to date with them."""
    curator = app.access.role(person()) >= Action.RESCAN.role
    states = app.sources.states(collection)
    if not states:
        st.info(
            "No folder is known that these pictures came from. Add their folder again, below: what is known stays.",
            icon=":material/folder_off:",
        )
    for state in states:
        with st.container(border=True):
            show_source(app, collection, state, curator)
    if curator and any(state.source.kind != UPLOADS for state in states):
        show_rescan(app, collection)
    show_missing(app, collection, curator)


def show_source(app: App, collection: str, state: SourceState, curator: bool) -> None:
    """One source: where it is, how many files of it are known, when it was read."""
    source = state.source
    name = shown_path(source.root) if curator else source.label
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{'Uploads' if source.kind == UPLOADS else escape_markdown(name)}**", width="content")
        if curator and source.kind != UPLOADS:
            remove_popover(app, collection, state)
    st.caption(" · ".join(source_facts(state)))
    if not state.reachable:
        st.warning("It is not there now. Its pictures stay as they are.", icon=":material/link_off:")
    if curator:
        captions_expander(app, collection, state)


def source_facts(state: SourceState) -> list[str]:
    """What is known of a source, each fact in a few words."""
    source = state.source
    facts = [counted(state.files, "file")]
    if state.missing:
        facts.append(f"{state.missing:,} missing")
    if source.exclude:
        facts.append(f"without {escape_markdown(', '.join(source.exclude))}")
    if source.captions:
        facts.append("with captions")
    when = source.scanned_at or source.added_at
    if when is not None:
        facts.append(f"read {when:%-d %B %Y, %H:%M} UTC" if source.scanned_at else "not read to its end yet")
    return facts


def remove_popover(app: App, collection: str, state: SourceState) -> None:
    root = state.source.root
    with st.popover("Remove", icon=":material/folder_delete:", key=f"remove_source_{root}"):
        st.write(
            f"Forget this folder of {counted(state.files, 'file')}. Pictures that lie nowhere else go to the bin; "
            "files on the disk stay."
        )
        st.button(
            "Remove source",
            key=f"remove_source_now_{root}",
            type="primary",
            on_click=run_and_notify,
            args=(partial(remove_source, app, collection, root),),
        )


def remove_source(app: App, collection: str, root: str) -> str:
    removed = app.sources.remove(person(), collection, root)
    return f"{counted(removed, 'picture')} moved to the bin of {collection}; the folder is forgotten."


# -- captions -----------------------------------------------------------------------------------------------


def captions_expander(app: App, collection: str, state: SourceState) -> None:
    """Upload a table of captions for a source, or download one to fill in."""
    root = state.source.root
    shown = st.expander("Captions", icon=":material/table_view:", key=f"captions_{root}", on_change="rerun")
    if not shown.open:
        return
    with shown:
        st.caption(
            "A table with a row per file: CSV, TSV or JSON, also as exiftool, osxphotos and Excel write them. "
            "It replaces the captions that this folder has now: what it says nothing of loses what the old table said."
        )
        st.download_button(
            "Download a template",
            lambda: app.captions.template(collection, root),
            f"{collection}-captions.csv",
            "text/csv",
            icon=":material/download:",
            key=f"template_{root}",
            on_click="ignore",
        )
        offer_upload(app, "collection")
        table = st.file_uploader(
            "Table of captions",
            type=["csv", "tsv", "txt", "json", "jsonl", "ndjson"],
            key=f"captions_file_{root}_{st.session_state.get('captions_given', 0)}",
        )
        if st.button("Use these captions", disabled=table is None, key=f"use_captions_{root}") and table is not None:
            use_captions(app, collection, root, table.name, table.getvalue())
            release_files(table)
            st.session_state["captions_given"] = st.session_state.get("captions_given", 0) + 1
            st.rerun()


def use_captions(app: App, collection: str, root: str, name: str, content: bytes) -> None:
    def start() -> str:
        job = app.captions.set_captions(person(), collection, root, name, content)
        return f"{name} is stored; job {job.id} below applies it and tells which rows matched."

    run_and_notify(start)


# -- rescan -------------------------------------------------------------------------------------------------


def show_rescan(app: App, collection: str) -> None:
    """A dry run, and the rescan itself."""
    with st.container(horizontal=True, vertical_alignment="center"):
        look = st.button("See what would change", icon=":material/preview:", key="preview_rescan")
        st.button(
            "Rescan now",
            icon=":material/sync:",
            type="primary",
            key="start_rescan",
            on_click=run_and_notify,
            args=(partial(start_rescan, app, collection),),
        )
        st.checkbox(
            "Read every file",
            key=CHECKSUM_KEY,
            help="Slow: also finds changes that left a file's size and time as they were.",
        )
    if look:
        with st.spinner("Looking at the folders…"):
            previews = app.sources.preview(collection, rescan_options())
        st.session_state[PREVIEW_KEY] = (collection, previews)
    shown = st.session_state.get(PREVIEW_KEY)
    if shown and shown[0] == collection:
        for preview in shown[1]:
            show_preview(preview)


def rescan_options() -> RescanOptions:
    return RescanOptions(checksum=bool(st.session_state.get(CHECKSUM_KEY)))


def start_rescan(app: App, collection: str) -> str:
    st.session_state.pop(PREVIEW_KEY, None)
    job = app.sources.start(person(), collection, rescan_options())
    return f"Job {job.id} below looks at the folders of {collection} again."


def show_preview(preview: ScanPreview) -> None:
    """What a rescan would do to one source; nothing was changed."""
    with st.container(border=True):
        st.markdown(f"**{escape_markdown(shown_path(preview.root))}** · {escape_markdown(preview_line(preview))}")
        for remark in preview.remarks:
            st.caption(escape_markdown(sentence(remark)))
        lists = {
            "New": preview.new,
            "Changed": preview.changed,
            "Metadata only": preview.refreshed,
            "Moved": tuple(f"{shown_path(old)} → {shown_path(new)}" for old, new in preview.moved),
            "Missing": preview.missing,
        }
        for name, uris in lists.items():
            list_files(name, uris, preview.root)


def list_files(name: str, uris: Sequence[str], root: str) -> None:
    if not uris:
        return
    with st.expander(f"{name} · {len(uris):,}", key=f"preview_{name}_{root}"):
        below = f"{shown_path(root).rstrip('/')}/"
        st.text("\n".join(shown_path(uri).replace(below, "") for uri in uris[:MAX_LISTED]))
        if len(uris) > MAX_LISTED:
            st.caption(f"The first {MAX_LISTED} of {len(uris):,} are listed.")


def preview_line(preview: ScanPreview) -> str:
    """`2 new, 1 moved, 40 unchanged`, or that nothing would change."""
    counts = {
        "new": len(preview.new),
        "changed": len(preview.changed),
        "with new metadata": len(preview.refreshed),
        "moved": len(preview.moved),
        "missing": len(preview.missing),
    }
    parts = [f"{count:,} {what}" for what, count in counts.items() if count]
    unchanged = f"{preview.unchanged:,} unchanged"
    return ", ".join([*parts, unchanged]) if parts else f"nothing would change, {unchanged}"


# -- missing files ------------------------------------------------------------------------------------------


def show_missing(app: App, collection: str, curator: bool) -> None:
    """The pictures whose files were not there at the last rescan."""
    count = app.sources.count_missing(collection)
    if not count:
        return
    st.markdown(f"**Missing files** · {counted(count, 'picture')}")
    st.caption("Their files were not there at the last rescan. They are still found, by what is stored of them.")
    if curator:
        with st.popover("Move to bin", icon=":material/delete:", key="prune_missing"):
            st.write("Files that are there again by now, and those of folders that cannot be reached, stay.")
            st.button(
                f"Move {counted(count, 'picture')} to the bin",
                key="prune_now",
                type="primary",
                on_click=run_and_notify,
                args=(partial(prune_missing, app, collection),),
            )
    limit = int(st.session_state.get("missing_shown", MISSING_PAGE))
    found = app.sources.missing(collection, 0, limit)
    paths = {a.id: ", ".join(shown_path(u) if curator else Path(u).name for u in a.uris) for a, _ in found}
    gallery(
        collection,
        [Hit(rank, 0.0, asset, thumbnail) for rank, (asset, thumbnail) in enumerate(found, 1)],
        f"missing-{app.version(collection)}-{count}-{limit}",
        GalleryActions(),
        GalleryLayout(show_similarity=False, reasons=paths),
    )
    if count > limit and st.button("Show more", icon=":material/expand_more:", key="more_missing"):
        st.session_state["missing_shown"] = limit + MISSING_PAGE
        st.rerun(scope="fragment")


def prune_missing(app: App, collection: str) -> str:
    pruned = app.sources.prune(person(), collection)
    return f"{counted(pruned, 'missing picture')} moved to the bin of {collection}."
