"""The condition of a collection: its last ingest, its fragments on disk, its map and dendrogram, its originals."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime

from core.records.assets import CollectionCondition, Freshness
from core.records.jobs import Job
from core.records.text_fit import TextFit
from core.store.lance.snapshot import Snapshot
from core.store.lance.table import AssetTable
from core.store.objects.linkage_files import LinkageFiles
from core.store.objects.map_files import MapFiles
from core.store.objects.names import uri_to_path

SAMPLE_SIZE = 200


def collection_condition(
    table: AssetTable,
    snapshot: Snapshot,
    linkages: LinkageFiles,
    maps: MapFiles,
    jobs: Sequence[Job],
    text_fit: TextFit,
    seed: int = 0,
) -> CollectionCondition:
    """The condition of one collection; `jobs` are the latest of all kinds, newest first."""
    added = (job for job in jobs if job.collection == table.name and job.kind not in ("link", "map"))
    ids = random.Random(seed).sample(sorted(snapshot.ids), min(SAMPLE_SIZE, len(snapshot)))  # noqa: S311 - a sample
    file_uris = [[uri for uri in uris if "://" not in uri] for uris in table.uris(ids).values()]
    local = [uris for uris in file_uris if uris]
    latest = maps.latest()
    return CollectionCondition(
        last_job=next(added, None),
        last_added_at=datetime.fromtimestamp(int(snapshot.ingested_us.max()) / 1e6, UTC) if len(snapshot) else None,
        fragments=table.fragments_and_versions()[0],
        dendrogram=_freshness(linkages.latest_version(), snapshot.version),
        map=_freshness(latest.version if latest else None, snapshot.version),
        sampled=len(local),
        missing=sum(not any(uri_to_path(uri).is_file() for uri in uris) for uris in local),
        removed=len(table.removed_ids()),
        text_fit=text_fit,
    )


def _freshness(version: str | None, current: str) -> Freshness:
    if version is None:
        return "none yet"
    return "up to date" if version == current else "outdated"
