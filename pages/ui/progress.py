"""A long task's progress as one line."""

from __future__ import annotations

from streamlit.delta_generator import DeltaGenerator

from core.cli.progress_bar import duration
from core.records.jobs import Progress

PHASES = {
    "": "Starting",
    "download model": "Downloading the model",
    "load model": "Loading the model",
    "scan": "Looking for pictures",
    "embed": "Embedding",
    "compact": "Tidying up",
    "compare": "Comparing all with all",
    "look": "Looking at what is alike",
    "link": "Linking pictures",
    "map: neighbours": "Looking for neighbours",
    "map: layout": "Laying out the map",
}


def show_progress(place: DeltaGenerator, progress: Progress, before: str = "") -> None:
    """A bar with one line of text, drawn into `place`."""
    share = progress.done / progress.total if progress.total else 0.0
    place.progress(min(share, 1.0), text=f"{before}{progress_text(progress)}")


def progress_text(progress: Progress) -> str:
    """`Embedding: 120 of 529 · 24.1 images/s · 0:17 left`."""
    parts = [PHASES.get(progress.phase, progress.phase)]
    if progress.total:
        parts[0] += f": {progress.done:,} of {progress.total:,}"
    if progress.rate:
        parts.append(f"{progress.rate:.1f} {progress.unit}/s")
    if progress.remaining_s is not None and progress.done < progress.total:
        parts.append(f"{duration(progress.remaining_s)} left")
    return " · ".join(parts)
