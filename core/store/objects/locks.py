"""OS file locks of a collection. They are released when their process ends, however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import CollectionBusy
from core.store.disk_errors import wrap_write_errors

WRITE_WAIT_S = 5.0


@contextmanager
def write_lock(folder: Path, wait_s: float = WRITE_WAIT_S) -> Iterator[None]:
    """Hold the write lock of a collection, for one batch or one compaction at a time.

    Raises CollectionBusy if another process still holds it after `wait_s`, StoreError if the folder takes no files.
    """
    message = f"{folder.name} is being written to by another process: try again"
    with ExitStack() as stack:
        # The first waiter holds the turn lock, so that a process that writes in a loop cannot starve it.
        with held_lock(folder / "turn.lock", wait_s, message):
            stack.enter_context(held_lock(folder / "write.lock", wait_s, message))
        yield


@contextmanager
def ingest_lock(folder: Path) -> Iterator[None]:
    """Hold the ingest lock of a collection. Raises CollectionBusy at once if another process has it."""
    message = f"another ingest into {folder.name} is running: wait for it to end, or stop it, then try again"
    with held_lock(folder / "ingest.lock", 0.0, message):
        yield


@contextmanager
def held_lock(path: Path, wait_s: float, message: str) -> Iterator[None]:
    """Hold a lock file. Raises CollectionBusy with the message if it is not free within `wait_s`, StoreError."""
    with wrap_write_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=wait_s, thread_local=False)
        try:
            lock.acquire(poll_interval=0.02)
        except Timeout:
            raise CollectionBusy(message) from None
    try:
        yield
    finally:
        lock.release()
