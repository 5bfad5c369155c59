"""Work for tests to kill: it adds a synthetic Unsplash dataset to a collection."""

from __future__ import annotations

from pathlib import Path

import lancedb.merge
import lancedb.table

from core.embedding import images
from core.ingest import pipeline
from core.ingest.http.fetcher import Fetcher
from core.ingest.sources.unsplash import UnsplashOptions
from tests.fakes.encoder import ColourEncoder
from tests.fakes.killed_unsplash import unsplash
from tests.fakes.strikes import Announcer, Stage

WIDTH, COMMIT_ASSETS = 64, 8
STAGES: dict[str, Stage] = {
    "download": ((Fetcher, "body"),),
    "save": ((Path, "write_bytes"), (Path, "replace")),
    "decode": ((images, "upright_rgb"),),
    "encode": ((ColourEncoder, "encode_pixels"),),
    "commit": ((lancedb.merge.LanceMergeInsertBuilder, "execute"),),
    "compaction": ((lancedb.table.LanceTable, "create_index"), (lancedb.table.LanceTable, "optimize")),
}


def ingest_unsplash(data: Path, dataset: Path, collection: str, stage: str, announcer: Announcer) -> None:
    """Add the photos of a dataset at a width of 64 pixels, in commits of 8."""
    pipeline.COMMIT_ASSETS = COMMIT_ASSETS
    adding = unsplash(data)
    announcer.announce(STAGES[stage])
    adding.ingest(str(dataset), collection, UnsplashOptions(width=WIDTH))
