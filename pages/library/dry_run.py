"""What a rescan would do: looked at in the background, as that may take long, and shown source by source."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.logs import log
from core.records.assets import shown_path
from core.records.sources import CollectionSource, RescanOptions, ScanPreview
from core.text import duration
from pages.ui.format import escape_markdown, sentence

MAX_LISTED, REFRESH_S, FIRST_WAIT_S = 200, 1.0, 1.5
DRY_RUN_KEY = "dry_run"


class DryRun:
    """A look at the folders of a collection, as its `sources` were then; `previews` (by root) are there at its end."""

    def __init__(self, sources: Sequence[CollectionSource], look: Callable[[], list[ScanPreview]]) -> None:
        self.sources, self.error = sources, ""
        self.previews: dict[str, ScanPreview] = {}
        self._began, self._ended = time.monotonic(), threading.Event()
        threading.Thread(target=self._run, args=(look,), name="dry-run", daemon=True).start()

    @property
    def running(self) -> bool:
        """Whether it still looks at the folders."""
        return not self._ended.is_set()

    @property
    def seconds(self) -> float:
        """How long ago it began."""
        return time.monotonic() - self._began

    def wait(self, seconds: float) -> None:
        """Wait up to `seconds` for its end: most folders take no longer than a moment."""
        self._ended.wait(seconds)

    def _run(self, look: Callable[[], list[ScanPreview]]) -> None:
        try:
            self.previews = {preview.root: preview for preview in look()}
        except ContactSheetError as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001 - the page must say how the thread ended, whatever ended it
            log("pages", "dry run failed", level=logging.ERROR, error=repr(error))
            self.error = f"the folders could not be looked at ({type(error).__name__}): see the log, then try again"
        finally:
            self._ended.set()


def start_dry_run(app: App, collection: str, options: RescanOptions) -> None:
    """Look at the folders of a collection, and show in the next runs what was found."""
    sources = [state.source for state in app.sources.states(collection)]
    st.session_state[DRY_RUN_KEY] = DryRun(sources, lambda: app.sources.preview(collection, options))


def forget_dry_run() -> None:
    """What it found is history as soon as something is done about it."""
    st.session_state.pop(DRY_RUN_KEY, None)


def current_dry_run(sources: Sequence[CollectionSource]) -> DryRun | None:
    """The last one, if it is about these sources, none of which was scanned or changed since."""
    dry_run: DryRun | None = st.session_state.get(DRY_RUN_KEY)
    if dry_run is None or dry_run.sources != sources:
        return None
    dry_run.wait(max(0.0, FIRST_WAIT_S - dry_run.seconds))
    return dry_run


def show_state(dry_run: DryRun) -> None:
    """That it is still running, with the page refreshed at its end; or why it failed."""
    if dry_run.running:
        st.fragment(_show_waiting, run_every=REFRESH_S)(dry_run)
    elif dry_run.error:
        st.error(escape_markdown(sentence(dry_run.error)), icon=":material/error:")


def _show_waiting(dry_run: DryRun) -> None:
    st.caption(f":material/progress_activity: Looking at the folders · {duration(dry_run.seconds)}")
    if not dry_run.running:
        st.rerun()


def show_preview(preview: ScanPreview) -> None:
    """What a rescan would do to one source; nothing was changed."""
    if line := preview_line(preview):
        st.markdown(f":material/preview: {escape_markdown(line)}")
    for remark in preview.remarks:
        st.caption(escape_markdown(sentence(remark)))
    below = f"{shown_path(preview.root).rstrip('/')}/"
    with st.container(gap="xsmall"):
        for name, (count, lines) in preview_lists(preview).items():
            if count:
                with st.expander(f"{name} · {count:,}", key=f"preview_{name}_{preview.root}"):
                    st.text("\n".join(line.replace(below, "") for line in lines))
                    if count > len(lines):
                        st.caption(f"The first {len(lines)} of {count:,} are listed.")


def preview_lists(preview: ScanPreview) -> Mapping[str, tuple[int, list[str]]]:
    """How many files would become what, and the first of them, as people know their paths."""
    plain = {
        "New": preview.new,
        "Edited": preview.changed,
        "New metadata": preview.refreshed,
        "Missing": preview.missing,
    }
    listed = {name: (len(uris), [shown_path(uri) for uri in uris[:MAX_LISTED]]) for name, uris in plain.items()}
    moves = [f"{shown_path(old)} → {shown_path(new)}" for old, new in preview.moved[:MAX_LISTED]]
    broken = [f"{shown_path(failure.uri)}  ({failure.reason})" for failure in preview.failures[:MAX_LISTED]]
    return listed | {"Moved": (len(preview.moved), moves), "Cannot be read": (len(preview.failures), broken)}


def preview_line(preview: ScanPreview) -> str:
    """`2 new, 1 moved, 40 unchanged`, or that nothing would change; empty where nothing could be looked at."""
    counts = {
        "new": len(preview.new),
        "edited": len(preview.changed),
        "with new metadata": len(preview.refreshed),
        "moved": len(preview.moved),
        "missing": len(preview.missing),
    }
    parts = [f"{count:,} {what}" for what, count in counts.items() if count]
    if not parts and not preview.unchanged:
        return "" if preview.remarks else "No pictures are in this folder"
    unchanged = f"{preview.unchanged:,} unchanged"
    return f"A rescan finds {', '.join([*parts, unchanged])}" if parts else f"Nothing would change: {unchanged}"
