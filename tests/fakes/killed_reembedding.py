"""Work for tests to kill: it embeds a collection with another model and switches to it."""

from __future__ import annotations

import os
from pathlib import Path

import lancedb.merge
import lancedb.table

from core.access import OPERATOR
from core.library import reembedder
from core.records.jobs import ignore
from core.store.lance.collections import Collections
from tests.fakes.strikes import Announcer, Stage
from tests.fakes.two_models import NEW_MODEL, Inverted, two_models

ROWS_PER_COMMIT = 16
STAGES: dict[str, Stage] = {
    "create": ((Collections, "create_sibling"),),
    "read": ((reembedder, "read_original"),),
    "encode": ((Inverted, "encode_pixels"),),
    "commit": ((lancedb.merge.LanceMergeInsertBuilder, "execute"),),
    "bin": ((reembedder, "copy_removals"),),
    "compaction": ((lancedb.table.LanceTable, "create_index"), (lancedb.table.LanceTable, "optimize")),
    "switch": ((os, "fsync"), (Path, "replace")),
}


def embed_and_switch(data: Path, collection: str, name: str, stage: str, announcer: Announcer) -> None:
    """Embed `collection` as its sibling `name`, then switch to that; only one of both is announced."""
    reembedder.ROWS_PER_COMMIT = ROWS_PER_COMMIT
    app = two_models(data)
    if stage != "switch":
        announcer.announce(STAGES[stage])
    app.reembedding.embed("Ada", collection, NEW_MODEL, name, False, ignore)
    announcer.promise()
    if stage == "switch":
        announcer.announce(STAGES[stage])
        app.reembedding.switch(OPERATOR, collection, name)
