"""What a page shows while the demo collection is being built."""

from __future__ import annotations

import streamlit as st

from core.records import Progress
from core.terminal import duration
from pages.ui.resources import DemoBuild, demo_build, retry_demo_build

PHASES = {
    "prepare": "Getting ready",
    "load model": "Loading the bundled model",
    "scan": "Looking for photographs",
    "embed": "Embedding the demo photographs",
    "compact": "Tidying up",
}


def wait_for_demo() -> None:
    """Return at once if the demo collection is there; otherwise show the progress and end this run of the page."""
    build = demo_build()
    build.wait(0.2)
    if build.error is not None:
        st.error(f"The demo collection could not be built: {build.error}", icon=":material/error:")
        st.button("Try again", on_click=retry_demo_build)
        st.stop()
    if build.running:
        _progress(build)
        st.stop()


@st.fragment(run_every=0.5)
def _progress(build: DemoBuild) -> None:
    progress = build.progress
    share = progress.done / progress.total if progress.total else 0.0
    st.progress(share, text=progress_text(progress))
    if not build.running:
        st.rerun()


def progress_text(progress: Progress) -> str:
    """`Embedding the demo photographs: 120 of 529 · 24.1 images/s · 0:17 left`."""
    parts = [PHASES.get(progress.phase, progress.phase)]
    if progress.total > 1:
        parts[0] += f": {progress.done} of {progress.total}"
    if progress.rate:
        parts.append(f"{progress.rate:.1f} images/s")
    if progress.remaining_s is not None and progress.done < progress.total:
        parts.append(f"{duration(progress.remaining_s)} left")
    return " · ".join(parts)
