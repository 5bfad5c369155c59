"""A process for tests to kill: it finishes one ingest, starts another, and announces one of its stages.

Whenever the stage is entered or left, a line is written to a pipe; at one entry it may stay there.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import lancedb.merge
import lancedb.table

from core.embedding import images
from core.ingest import pipeline
from core.store.lance import schema
from tests.fakes.colour_app import colour_app
from tests.fakes.encoder import ColourEncoder

COMMIT_ASSETS = 40
LINGER_S = 120.0
STAGES: dict[str, tuple[tuple[Any, str], ...]] = {
    "decode": ((images, "upright_rgb"),),
    "write": ((ColourEncoder, "encode_pixels"), (schema, "to_table")),
    "commit": ((lancedb.merge.LanceMergeInsertBuilder, "execute"),),
    "compaction": ((lancedb.table.LanceTable, "create_index"), (lancedb.table.LanceTable, "optimize")),
}


class Announcer:
    """Wraps functions so that every entry and exit is announced, and one entry lingers."""

    def __init__(self, pipe: int, linger_at: int) -> None:
        self._pipe, self._linger_at, self._entries, self._lock = pipe, linger_at, 0, threading.Lock()

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def announced(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                self._entries += 1
                entry = self._entries
                os.write(self._pipe, b"enter\n")
            if entry == self._linger_at:
                time.sleep(LINGER_S)
            try:
                return function(*args, **kwargs)
            finally:
                os.write(self._pipe, b"leave\n")

        return announced


def ingest_announced(
    data: Path, pictures: Path, finish: str | None, begin: str | None, stage: str, linger_at: int, pipe: Connection
) -> None:
    """Ingest into the collection `finish`, then, announced, into `begin`; None for none, `linger_at` 0 for never."""
    pipeline.COMMIT_ASSETS = COMMIT_ASSETS
    app = colour_app(data)
    if finish is not None:
        app.ingest(pictures, finish)
    os.write(pipe.fileno(), b"begin\n")
    announcer = Announcer(pipe.fileno(), linger_at)
    for owner, name in STAGES[stage]:
        setattr(owner, name, announcer.wrap(getattr(owner, name)))
    if begin is not None:
        app.ingest(pictures, begin)
