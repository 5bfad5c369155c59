"""OS file locks of a collection. They end with the process that holds them, however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import CollectionBusy

WRITE_WAIT_S = 5.0


@contextmanager
def write_lock(folder: Path, wait_s: float = WRITE_WAIT_S) -> Iterator[None]:
    """Hold the right to change a collection's rows: one batch, or one compaction, at a time.

    Raises CollectionBusy if another process still holds it after `wait_s`.
    """
    with _held(folder / "write.lock", wait_s, f"{folder.name} is being written to by another process: try again"):
        yield


@contextmanager
def ingest_lock(folder: Path) -> Iterator[None]:
    """Hold the right to ingest into a collection. Raises CollectionBusy at once if another process has it."""
    message = f"another ingest into {folder.name} is running: wait for it to end, or stop it, then try again"
    with _held(folder / "ingest.lock", 0.0, message):
        yield


@contextmanager
def _held(path: Path, wait_s: float, message: str) -> Iterator[None]:
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
