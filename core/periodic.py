"""Work that is done again and again beside everything else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Self

from core.errors import ContactSheetError
from core.logs import log


def ignore_close() -> None:
    """For work that leaves nothing to close."""


class Periodic:
    """Calls a function at intervals, in a daemon thread, until it is closed. What it raises is logged."""

    def __init__(
        self,
        area: str,
        problem: str,
        work: Callable[[], object],
        interval_s: float,
        on_close: Callable[[], object] = ignore_close,
    ) -> None:
        """`area` is that of the log, `problem` what it says where the work failed."""
        self._area, self._problem, self._work, self._interval_s = area, problem, work, interval_s
        self._on_close, self._closed = on_close, threading.Event()
        threading.Thread(target=self._run, name=area, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Begin no more."""
        self._closed.set()
        self._on_close()

    def _run(self) -> None:
        while not self._closed.wait(self._interval_s):
            try:
                self._work()
            except (ContactSheetError, OSError) as error:
                log(self._area, self._problem, logging.ERROR, error=str(error))
