"""Progress in a terminal: one line, redrawn in place; plain lines where the output is a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from core.records.jobs import Progress
from core.text import duration

WIDTH = 28
LINE_INTERVAL_S = 5.0


class ProgressBar:
    """Shows `Progress` on a stream: phase, share done, speed and remaining time."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._redraws = stream.isatty()
        self._last_s, self._last_phase, self._open = float("-inf"), "", False

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open:
            self._stream.write("\n")
            self._stream.flush()

    def show(self, progress: Progress) -> None:
        """Draw this progress; a file gets a line per phase and then one every five seconds."""
        finished = progress.total > 0 and progress.done >= progress.total
        due = self._clock() - self._last_s >= (0.1 if self._redraws else LINE_INTERVAL_S)
        if not (due or finished or progress.phase != self._last_phase):
            return
        self._last_s, self._last_phase = self._clock(), progress.phase
        text = describe(progress)
        self._stream.write(f"\r\x1b[2K{text}" if self._redraws else f"{text}\n")
        self._open = self._redraws
        self._stream.flush()


def describe(progress: Progress) -> str:
    """One line: `embed ██████······ 120/529 24.1 images/s 0:17 left`."""
    if progress.total == 0:
        return f"{progress.phase} {progress.done or ''}".rstrip()
    filled = int(WIDTH * progress.done / progress.total)
    parts = [f"{progress.phase:<10}", "█" * filled + "·" * (WIDTH - filled), f"{progress.done}/{progress.total}"]
    if progress.rate:
        parts.append(f"{progress.rate:.1f} {progress.unit}/s")
    if progress.remaining_s is not None and progress.done < progress.total:
        parts.append(f"{duration(progress.remaining_s)} left")
    return "  ".join(parts)
