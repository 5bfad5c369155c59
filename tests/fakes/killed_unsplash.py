"""A process for tests to kill while it adds a synthetic Unsplash dataset; it prints its progress.

`python -m tests.fakes.killed_unsplash DATA DATASET COLLECTION WIDTH COMMIT_ASSETS LINGER_AT MODEL`: it starts when it
reads a line, and stays where it is once it has seen LINGER_AT photos (0 for never). MODEL is `colour` or a value of the
model setting. It prints lines `DONE SECONDS MEMORY_MB`, then the report as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import lancedb  # noqa: F401 - imported before the start signal, since that takes seconds

from core.embedding.encoder_registry import EncoderRegistry, encoder_loader
from core.ingest import pipeline
from core.ingest.runner import IngestRunner
from core.ingest.sources.unsplash import UnsplashIngest, UnsplashOptions
from core.records.jobs import Progress
from core.settings import Settings
from core.store.lance.collections import Collections
from core.store.sql.database import Database
from core.store.sql.migrations import CONTACTSHEET
from core.store.sql.source_store import SourceStore
from tests.fakes.encoder import ColourEncoder
from tests.fakes.unsplash import HOSTS, loopback_environment

LINGER_S = 120.0


def unsplash(data: Path, model: str = "colour", encoder: ColourEncoder | None = None) -> UnsplashIngest:
    """Adds datasets to the collections of a data folder, from the synthetic server alone."""
    settings = Settings(data=data, model="local-dir:colour" if model == "colour" else model, model_is_explicit=True)
    load = (lambda *_: encoder or ColourEncoder()) if model == "colour" else encoder_loader(settings)
    sources = SourceStore(Database(data.with_name(f"{data.name}-sources.db"), CONTACTSHEET), data / "uploads")
    runner = IngestRunner(Collections(data / "collections"), EncoderRegistry(settings, load), sources, settings)
    return UnsplashIngest(runner, settings, HOSTS, loopback_environment())


def memory_mb() -> float:
    """The resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(arguments: Sequence[str]) -> None:
    data, dataset, collection, width, commit_assets, linger_at, model = arguments
    pipeline.COMMIT_ASSETS = int(commit_assets)
    sys.stdin.readline()
    start_s = time.monotonic()

    def print_progress(progress: Progress) -> None:
        if progress.phase == "embed":
            print(progress.done, f"{time.monotonic() - start_s:.2f}", f"{memory_mb():.1f}", flush=True)
            if 0 < int(linger_at) <= progress.done:
                time.sleep(LINGER_S)

    report = unsplash(Path(data), model).ingest(dataset, collection, UnsplashOptions(width=int(width)), print_progress)
    counts = Counter(failure.reason for failure in report.failures)
    print(json.dumps({"added": report.added, "known": report.known, "failures": counts}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
