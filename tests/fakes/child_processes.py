"""Child processes that begin with torch and LanceDB loaded, which takes a new interpreter two seconds.

They are forked from a server that has only imported; it starts at the first use, once per process that runs tests.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import time
from collections.abc import Callable
from typing import Any

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.fakes.preloaded"])
DEADLINE_S = 60.0


def killed(target: Callable[..., None], arguments: tuple[str, ...], delay_s: float | None) -> tuple[bool, float]:
    """Run in a process that is killed `delay_s` after it began: whether that came before its end, and its seconds."""
    readable, writable = os.pipe()
    try:
        child: Any = FORKS.Process(target=target, args=(*arguments, _Inherited(writable)))
        child.start()
        assert select.select([readable], [], [], DEADLINE_S)[0], "the child did not begin"
        began = time.monotonic()
        child.join(delay_s)
        struck = bool(child.is_alive())
        child.kill()
        child.join(DEADLINE_S)
        assert struck or child.exitcode == 0
        return struck, time.monotonic() - began
    finally:
        os.close(readable)
        os.close(writable)


class _Inherited(int):
    """A descriptor that is passed on to a child."""

    def __reduce__(self) -> Any:
        from multiprocessing.reduction import DupFd

        return _descriptor, (DupFd(int(self)),)


def _descriptor(duplicate: Any) -> int:
    return int(duplicate.detach())
