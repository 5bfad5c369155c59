"""Work for tests to kill: it finishes one ingest, starts another, and announces one of its stages."""

from __future__ import annotations

from pathlib import Path

import lancedb.merge
import lancedb.table

from core.embedding import images
from core.ingest import pipeline
from core.store.lance import schema
from tests.fakes.colour_app import colour_app
from tests.fakes.encoder import ColourEncoder
from tests.fakes.strikes import Announcer, Stage

COMMIT_ASSETS = 40
STAGES: dict[str, Stage] = {
    "decode": ((images, "upright_rgb"),),
    "write": ((ColourEncoder, "encode_pixels"), (schema, "to_table")),
    "commit": ((lancedb.merge.LanceMergeInsertBuilder, "execute"),),
    "compaction": ((lancedb.table.LanceTable, "create_index"), (lancedb.table.LanceTable, "optimize")),
}


def ingest_announced(
    data: Path, pictures: Path, finish: str | None, begin: str | None, stage: str, announcer: Announcer
) -> None:
    """Ingest into the collection `finish`, then, announced, into `begin`; None for none."""
    pipeline.COMMIT_ASSETS = COMMIT_ASSETS
    app = colour_app(data)
    if finish is not None:
        app.ingest(pictures, finish)
    announcer.announce(STAGES[stage])
    if begin is not None:
        app.ingest(pictures, begin)
