"""The peak memory of this process, regardless of its parent's."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path


def peak_mb() -> float:
    """On Linux from /proc, since `getrusage` starts from the parent's peak."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def reset_peak() -> None:
    """Let the peak begin anew, where the system can; elsewhere only what exceeds the old one shows."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
