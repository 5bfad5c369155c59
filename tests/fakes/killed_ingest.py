"""A process for tests to kill: it finishes one ingest, starts another, and announces one of its stages.

`python -m tests.fakes.killed_ingest DATA PICTURES FINISH BEGIN STAGE LINGER_AT PIPE`: FINISH and BEGIN are collections
(`-` for none). Whenever the stage is entered or left, a line is written to the file descriptor PIPE; at entry number
LINGER_AT (0 for never) it stays there.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
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


def main(arguments: Sequence[str]) -> None:
    data, pictures, finish, begin, stage, linger_at, pipe = arguments
    pipeline.COMMIT_ASSETS = COMMIT_ASSETS
    app = colour_app(Path(data))
    if finish != "-":
        app.ingest(Path(pictures), finish)
    os.write(int(pipe), b"begin\n")
    announcer = Announcer(int(pipe), int(linger_at))
    for owner, name in STAGES[stage]:
        setattr(owner, name, announcer.wrap(getattr(owner, name)))
    if begin != "-":
        app.ingest(Path(pictures), begin)


if __name__ == "__main__":
    main(sys.argv[1:])
