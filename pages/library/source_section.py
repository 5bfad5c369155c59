"""Where a collection's pictures come from: its folders, reading them again, captions, and files that are gone."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.access import Action
from core.app import App
from core.records.assets import shown_path
from core.records.sources import UPLOADS, RescanOptions, ScanPreview, SourceState
from core.text import counted
from pages.library.dry_run import current_dry_run, forget_dry_run, show_preview, show_state, start_dry_run
from pages.library.missing_pictures import show_missing
from pages.library.outcome_notice import reporting_errors, run_and_notify
from pages.library.source_captions import captions_popover
from pages.ui.format import escape_markdown
from pages.ui.person import person
from pages.ui.streamlit_internals import uninterrupted

CHECKSUM_KEY = "rescan_checksum"


def show_sources(app: App, collection: str) -> None:
    """The sources of a collection; who may, brings the collection up to date with them."""
    curator = app.access.role(person()) >= Action.RESCAN.role
    states = app.sources.states(collection)
    folders = [state for state in states if state.source.kind != UPLOADS]
    if not states:
        st.info(
            "No folder is known that these pictures came from. Add their folder again, below: what is known stays.",
            icon=":material/folder_off:",
        )
    previews: dict[str, ScanPreview] = {}
    if curator and folders:
        dry_run = current_dry_run([state.source for state in states])
        rescan_bar(app, collection, len(folders), looking=dry_run is not None and dry_run.running)
        if dry_run:
            show_state(dry_run)
            previews = dry_run.previews
    for state in states:
        with st.container(border=True):
            show_source(app, collection, state, curator, len(folders) > 1)
            if state.reachable and state.source.root in previews:
                show_preview(previews[state.source.root])
    show_missing(app, collection, curator)


def rescan_bar(app: App, collection: str, folders: int, looking: bool) -> None:
    """A dry run, unless one is `looking` at the folders already, and the rescan of all of them."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "See what would change",
            icon=":material/preview:",
            key="preview_rescan",
            disabled=looking,
            on_click=look_at_folders,
            args=(app, collection),
            help="A dry run: looks at the folders and changes nothing",
        )
        st.button(
            "Rescan all" if folders > 1 else "Rescan",
            icon=":material/sync:",
            type="primary",
            key="start_rescan",
            on_click=run_and_notify,
            args=(partial(start_rescan, app, collection),),
        )
        st.checkbox(
            "Read every file",
            key=CHECKSUM_KEY,
            help="Takes longer: also finds edits that left a file's size and time as they were",
        )


@uninterrupted
def look_at_folders(app: App, collection: str) -> None:
    with reporting_errors():
        app.access.require(person(), Action.RESCAN)
        start_dry_run(app, collection, rescan_options())


def start_rescan(app: App, collection: str, *roots: str) -> str:
    job = app.sources.start(person(), collection, rescan_options(*roots))
    forget_dry_run()
    return f"Job {job.id} below reads the folders of {collection} again."


def rescan_options(*roots: str) -> RescanOptions:
    return RescanOptions(roots, checksum=bool(st.session_state.get(CHECKSUM_KEY)))


def show_source(app: App, collection: str, state: SourceState, curator: bool, rescanned_alone: bool) -> None:
    """One source: where it is, how many files of it are known, when it was read, and what can be done with it."""
    source, uploads = state.source, state.source.kind == UPLOADS
    name = "Uploads" if uploads else shown_path(source.root) if curator else source.label
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{escape_markdown(name)}**", width="content")
        if curator:
            with st.container(horizontal=True, width="content", gap="small"):
                if rescanned_alone and not uploads:
                    rescan_button(app, collection, state)
                captions_popover(app, collection, source.root)
                if not uploads:
                    remove_popover(app, collection, state)
    st.caption(" · ".join(source_facts(state, curator)))
    if not state.reachable:
        st.warning(
            "This folder cannot be reached now: is its disk connected? Its pictures stay as they are.",
            icon=":material/link_off:",
        )


def source_facts(state: SourceState, with_patterns: bool) -> list[str]:
    """What is known of a source, each fact in a few words; patterns of what is excluded name folders."""
    source = state.source
    facts = [counted(state.files, "file")]
    if state.missing:
        facts.append(f"{state.missing:,} missing")
    if source.exclude and with_patterns:
        facts.append(f"excluding {escape_markdown(', '.join(source.exclude))}")
    if source.captions:
        facts.append("with captions")
    scanned = source.scanned_at
    facts.append(f"last scanned {scanned:%-d %B %Y, %H:%M} UTC" if scanned else "never scanned to its end")
    return facts


def rescan_button(app: App, collection: str, state: SourceState) -> None:
    root = state.source.root
    st.button(
        "Rescan",
        type="tertiary",
        key=f"rescan_{root}",
        disabled=not state.reachable,
        on_click=run_and_notify,
        args=(partial(start_rescan, app, collection, root),),
    )


def remove_popover(app: App, collection: str, state: SourceState) -> None:
    root = state.source.root
    popover = st.popover("Remove", type="tertiary", key=f"remove_source_{root}", on_change="rerun")
    if not popover.open:
        return
    with popover:
        going = bin_sentence(app.sources.count_only_in(collection, root))
        st.write(f"The collection forgets this folder. {going} No file on the disk is touched.")
        st.button(
            "Remove source",
            key=f"remove_source_now_{root}",
            type="primary",
            on_click=run_and_notify,
            args=(partial(remove_source, app, collection, root),),
        )


def bin_sentence(alone: int) -> str:
    """What becomes of the pictures of a source that is removed, `alone` of which lie nowhere else."""
    if not alone:
        return "All of its pictures lie elsewhere as well, and stay."
    lie, go = ("lies", "goes") if alone == 1 else ("lie", "go")
    return f"{counted(alone, 'picture')} that {lie} nowhere else {go} to the bin."


def remove_source(app: App, collection: str, root: str) -> str:
    removed = app.sources.remove(person(), collection, root)
    forget_dry_run()
    return f"{counted(removed, 'picture')} moved to the bin of {collection}; the folder is forgotten."
