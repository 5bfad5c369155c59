"""The machine that serves, and how the collections lie on its disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.metrics.machine import Capacity, Machine
from core.records.assets import StorageStats
from pages.ui.format import escape_markdown, format_bytes

BEFORE = "machine_before"
NOT_TOLD = "not told"


def show_machine(app: App) -> None:
    """Processor, memory, disk and GPU, as they are now."""
    machine = app.monitor.machine(st.session_state.get(BEFORE))
    st.session_state[BEFORE] = machine
    with st.grid("auto", min_column_width=170):
        for label, (value, beside) in figures(machine).items():
            st.metric(label, value, beside, delta_color="off", delta_arrow="off", border=True)
    st.caption(jobs_line(app.monitor.jobs_by_state()))


def figures(machine: Machine) -> dict[str, tuple[str, str]]:
    """Value and what it is of, by label."""
    load = "" if machine.load is None else f", load {machine.load:.1f}"
    share, own, peak = machine.cpu_share, machine.process_bytes, machine.process_peak_bytes
    return {
        "Processor": ("…" if share is None else f"{share * 100:.0f} %", f"{machine.cores} cores{load}"),
        "Memory": _filled(machine.memory, NOT_TOLD),
        "This process": (format_bytes(own) if own else NOT_TOLD, f"at most {format_bytes(peak)}" if peak else NOT_TOLD),
        "Disk": _filled(machine.disk, NOT_TOLD),
        "GPU memory": _filled(machine.gpu, "none in use"),
    }


def _filled(filled: Capacity | None, without: str) -> tuple[str, str]:
    if filled is None:
        return "–", without
    return f"{filled.share * 100:.0f} %", f"{format_bytes(filled.used_bytes)} of {format_bytes(filled.total_bytes)}"


def jobs_line(jobs: Mapping[str, int]) -> str:
    """`Background jobs: done 3, failed 1`."""
    return "Background jobs: " + (", ".join(f"{state} {n:,}" for state, n in sorted(jobs.items())) or "none yet")


def show_collections(app: App) -> None:
    """How each collection lies on the disk, and how it is searched."""
    st.subheader("Collections", anchor=False)
    found, faults = healths(app)
    if found:
        st.dataframe(health_rows(found), key="healths", hide_index=True)
        st.caption("Each search compares with every picture, in memory: recall is 100 %, nothing has to be sampled.")
    elif not faults:
        st.info("There are no collections yet.", icon=":material/photo_library:")
    for fault in faults:
        st.warning(escape_markdown(fault), icon=":material/folder_off:")


def healths(app: App) -> tuple[list[StorageStats], list[str]]:
    """What could be read, and why the rest could not."""
    found, faults = [], []
    for name in app.existing_collections():
        try:
            found.append(app.health(name))
        except ContactSheetError as error:
            faults.append(str(error))
    return found, faults


def health_rows(found: Sequence[StorageStats]) -> list[dict[str, object]]:
    return [
        {
            "Collection": health.name,
            "Pictures": health.size,
            "Fragments": health.fragments,
            "Versions": health.versions,
            "Search": "exact",
        }
        for health in found
    ]
