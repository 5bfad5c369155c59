"""Work for tests to kill: it stores uploaded files, and runs the job that adds them."""

from __future__ import annotations

import os
import random
from io import BytesIO
from pathlib import Path

import lancedb.merge
from PIL import Image

from core.access import OPERATOR
from core.embedding import images
from core.ingest import pipeline
from core.ingest.sources import upload
from core.jobs.background import BackgroundJobs
from core.store.sql.job_store import JobStore
from tests.fakes.colour_app import colour_app
from tests.fakes.strikes import Announcer, Stage

FILES, SIDE_PX, COMMIT_ASSETS = 16, 120, 5
STAGES: dict[str, Stage] = {
    "write": ((upload, "write_durably"),),
    "name": ((os, "link"),),
    "queue": ((JobStore, "add"),),
    "start": ((JobStore, "start"),),
    "decode": ((images, "upright_rgb"),),
    "commit": ((lancedb.merge.LanceMergeInsertBuilder, "execute"),),
    "end": ((JobStore, "end"),),
}


def files(number: int) -> list[tuple[str, bytes]]:
    """The files of an upload: (name, content), all pictures of one name and of some size."""
    rng, found = random.Random(number), []
    for _ in range(FILES):
        buffer = BytesIO()
        Image.frombytes("RGB", (SIDE_PX, SIDE_PX), rng.randbytes(SIDE_PX * SIDE_PX * 3)).save(buffer, "PNG")
        found.append(("IMG.png", buffer.getvalue()))
    return found


def upload_and_run(data: Path, number: int, collection: str, stage: str, announcer: Announcer) -> None:
    """Upload the files of this number, promise that they are stored, and run the job in this process."""
    BackgroundJobs._spawn = lambda *_: None  # type: ignore[method-assign]
    pipeline.COMMIT_ASSETS = COMMIT_ASSETS
    app = colour_app(data)
    app.collection_names()
    announcer.announce(STAGES[stage])
    job = app.library.add_files(OPERATOR, files(number), collection)
    announcer.promise()
    app.run_job(job.id)
