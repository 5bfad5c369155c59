"""The machine that serves, and how the collections are stored on its disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core import __version__
from core.app import App
from core.errors import ContactSheetError, StoreError
from core.metrics.image_counts import BASELINE_PERCENT, delivered_percent
from core.metrics.machine import Capacity, Machine
from core.records.assets import StorageStats
from core.records.encoded_images import ImageOutcome
from core.text import format_bytes
from pages.ui.format import escape_markdown, sentence

PREVIOUS_READING_KEY = "machine_before"
NOT_AVAILABLE = "unknown"


def show_machine(app: App) -> None:
    """Processor, memory, disk and GPU, as they are now."""
    machine = app.monitor.machine(st.session_state.get(PREVIOUS_READING_KEY))
    st.session_state[PREVIOUS_READING_KEY] = machine
    with st.grid("auto", min_column_width=170):
        for label, (value, beside) in figures(machine).items():
            st.metric(label, value, beside, delta_color="off", delta_arrow="off", border=True)
    try:
        st.caption(jobs_line(app.monitor.jobs_by_state()))
    except StoreError as error:
        st.error(escape_markdown(sentence(str(error))), icon=":material/error:")
    st.caption(images_line(app.monitor.image_counts.totals()))
    st.caption(f"Contact Sheet {__version__}")


def figures(machine: Machine) -> dict[str, tuple[str, str]]:
    """A value and what it is relative to, by label."""
    load = "" if machine.load is None else f", load {machine.load:.1f}"
    share, own, peak = machine.cpu_share, machine.process_bytes, machine.process_peak_bytes
    highest = f"at most {format_bytes(peak)}" if peak else NOT_AVAILABLE
    return {
        "Processor": ("…" if share is None else f"{share * 100:.0f} %", f"{machine.cores} cores{load}"),
        "Memory": _usage(machine.memory, NOT_AVAILABLE),
        "This process": (format_bytes(own) if own else NOT_AVAILABLE, highest),
        "Disk": _usage(machine.disk, NOT_AVAILABLE),
        "GPU memory": _usage(machine.gpu, "none in use"),
    }


def _usage(capacity: Capacity | None, without: str) -> tuple[str, str]:
    if capacity is None:
        return "–", without
    return (
        f"{capacity.share * 100:.0f} %",
        f"{format_bytes(capacity.used_bytes)} of {format_bytes(capacity.total_bytes)}",
    )


def images_line(totals: Mapping[ImageOutcome, int]) -> str:
    """`Pictures served: 12,345 · 99.98 % delivered (baseline: 98 %), by this process since it started`."""
    percent = delivered_percent(totals)
    delivered = "none requested yet" if percent is None else f"{percent:.2f} % delivered"
    return (
        f"Pictures served: {totals['served']:,} · {delivered} (baseline: {BASELINE_PERCENT} %), "
        "by this process since it started"
    )


def jobs_line(jobs: Mapping[str, int]) -> str:
    """`Background jobs: done 3, failed 1`."""
    return "Background jobs: " + (", ".join(f"{state} {n:,}" for state, n in sorted(jobs.items())) or "none yet")


def show_collections(app: App) -> None:
    """How each collection is stored, and how it is searched."""
    st.header("Collections", anchor=False)
    found, errors = read_stats(app)
    if found:
        st.dataframe(stats_rows(found), key="healths", hide_index=True)
        st.caption("Each search compares with every picture, in memory: recall is 100 %, nothing has to be sampled.")
    elif not errors:
        st.info("There are no collections yet.", icon=":material/photo_library:")
    for error in errors:
        st.warning(escape_markdown(sentence(error)), icon=":material/folder_off:")


def read_stats(app: App) -> tuple[list[StorageStats], list[str]]:
    """What could be read, and why the rest could not."""
    found, errors = [], []
    for name in app.existing_collections():
        try:
            found.append(app.health(name))
        except ContactSheetError as error:
            errors.append(str(error))
    return found, errors


def stats_rows(found: Sequence[StorageStats]) -> list[dict[str, object]]:
    return [
        {
            "Collection": stats.name,
            "Pictures": stats.size,
            "Fragments": stats.fragments,
            "Versions": stats.versions,
            "Search": "exact",
        }
        for stats in found
    ]
