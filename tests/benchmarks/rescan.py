"""A rescan of 100,000 files of which none changed, then of which a few changed.

`make bench NAME=rescan`
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from core.access import OPERATOR
from core.app import App, open_app
from core.ingest.source_files import fingerprint
from core.records.assets import Asset, Location, utc_now
from core.records.descriptions import Description
from core.records.jobs import IngestReport
from core.records.sources import CollectionSource, RescanOptions
from core.settings import Settings
from core.store.lance.collections import Collections
from core.store.objects.names import path_to_uri
from core.store.sql.database import Database
from core.store.sql.migrations import CONTACTSHEET
from core.store.sql.source_store import SourceStore
from tests.benchmarks.measure import peak_memory_gb, verdict
from tests.benchmarks.planted_collection import WRITE_BATCH, thumbnail

FILES, FOLDERS, BUDGET_S = 100_000, 500, 20.0
MOVED, DELETED, DESCRIBED = 500, 100, 500
XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="3"/></rdf:RDF></x:xmpmeta>"""


def plant(app: App, root: Path) -> list[Path]:
    """Files of a few bytes, and a collection that has been told that they are pictures; returns their paths."""
    table = Collections(app.settings.data / "collections").create("c", app.encoder.card)
    jpeg, now, dimension = thumbnail(), utc_now(), app.encoder.card.dimension
    vectors = np.random.default_rng(0).standard_normal((WRITE_BATCH, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    paths, assets = list[Path](), list[Asset]()
    for number in range(FILES):
        path = root / f"{number % FOLDERS:03}" / f"DSC_{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = f"picture {number}".encode()
        path.write_bytes(content)
        status = path.stat()
        place = Location(path_to_uri(path), "archive", status.st_size, status.st_mtime_ns, fingerprint("archive"))
        asset_id = hashlib.sha256(content).hexdigest()
        assets.append(Asset(asset_id, (place,), Description(title=f"Picture {number}"), 400, 300, now))
        paths.append(path)
        if len(assets) == WRITE_BATCH:
            table.add(assets, [jpeg] * WRITE_BATCH, vectors)
            assets.clear()
    table.compact()
    sources = SourceStore(Database(app.settings.data / "contactsheet.db", CONTACTSHEET), app.settings.data / "uploads")
    sources.put("c", CollectionSource(path_to_uri(root), "archive"))
    return paths


def change(paths: list[Path]) -> None:
    for path in paths[:MOVED]:
        path.rename(path.with_name(f"moved-{path.name}"))
    for path in paths[MOVED : MOVED + DELETED]:
        path.unlink()
    for path in paths[MOVED + DELETED : MOVED + DELETED + DESCRIBED]:
        path.with_suffix(".xmp").write_text(XMP)


def scanned(app: App) -> tuple[IngestReport, float]:
    start = time.perf_counter()
    report = app.sources.rescan(OPERATOR, "c", RescanOptions())
    return report, time.perf_counter() - start


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        settings = Settings(data=Path(temporary) / "data", model="bundled", model_is_explicit=True)
        own, root = open_app(settings), Path(os.path.realpath(temporary)) / "archive"
        planted = plant(own, root)
        own.encoder  # noqa: B018 - loaded before the clock runs
        met = True
        for _ in range(3):
            found, seconds = scanned(own)
            assert found.known == FILES, found
            met &= verdict(f"rescan of {FILES:,} unchanged files", seconds, BUDGET_S, "s")
        start = time.perf_counter()
        own.sources.preview("c")
        print(f"dry run: {time.perf_counter() - start:.1f} s")
        change(planted)
        start = time.perf_counter()
        (preview,) = own.sources.preview("c")
        figures = (len(preview.moved), len(preview.missing), len(preview.refreshed))
        print(f"dry run with changes {figures}: {time.perf_counter() - start:.1f} s")
        print(f"peak memory: {peak_memory_gb():.2f} GB")
    raise SystemExit(0 if met else 1)
