"""The progress of a long task as a bar and a line of text."""

from __future__ import annotations

from streamlit.delta_generator import DeltaGenerator

from core.records.jobs import Progress
from core.text import duration

PHASE_LABELS = {
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
    "back up": "Backing up",
    "restore": "Restoring",
    "verify": "Verifying",
    "originals": "Comparing the original files",
}


def show_progress(container: DeltaGenerator, progress: Progress, prefix: str = "") -> None:
    """Draw a bar with one line of text into a container."""
    share = progress.done / progress.total if progress.total else 0.0
    container.progress(min(share, 1.0), text=f"{prefix}{progress_text(progress)}")


def progress_text(progress: Progress) -> str:
    """`Embedding: 120 of 529 · 24.1 images/s · 0:17 left`."""
    parts = [PHASE_LABELS.get(progress.phase, progress.phase)]
    if progress.total:
        unit = "" if progress.unit == "images" else f" {progress.unit}"
        parts[0] += f": {progress.done:,} of {progress.total:,}{unit}"
    if progress.rate:
        parts.append(f"{progress.rate:.1f} {progress.unit}/s")
    if progress.remaining_s is not None and progress.done < progress.total:
        parts.append(f"{duration(progress.remaining_s)} left")
    return " · ".join(parts)
