"""Clusterings as files for other programs, and back: assignments (CSV, JSON, Parquet), centroids and names."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.clusters.edits.model import ClusterRef, Edit, Move, Rename
from core.clusters.edits.validation import MAX_NAME_LENGTH
from core.errors import ClusterError
from core.records.clusterings import Clustering, ClusterRecord, Revision
from core.text import escape_formula, one_line, unescape_formula

Format = Literal["csv", "json", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "json", "parquet")
MAX_CLUSTERS = 10_000
_COLUMNS = ("asset_id", "title", "cluster_id", "cluster")
# What json, csv and pyarrow raise for files that are truncated, overwritten or of another kind.
_READ_ERRORS = (ValueError, KeyError, TypeError, OSError, RecursionError, csv.Error, pa.ArrowException)


def export_clustering(
    revision: Revision, clustering: Clustering, titles: Mapping[str, str], file_format: Format
) -> bytes:
    """A revision as a file with a row per asset; JSON and Parquet have the centroids too."""
    rows = _rows(clustering, titles)
    if file_format == "csv":
        return _csv(rows)
    if file_format == "json":
        return json.dumps(_document(revision, clustering, rows), ensure_ascii=False).encode()
    return _parquet(revision, clustering, rows)


def _rows(clustering: Clustering, titles: Mapping[str, str]) -> list[dict[str, str]]:
    rows = []
    for asset_id, label in zip(clustering.asset_ids, clustering.labels.tolist(), strict=True):
        cluster = clustering.clusters[label] if label >= 0 else None
        values = (asset_id, titles.get(asset_id, ""), cluster.id if cluster else "", cluster.name if cluster else "")
        rows.append(dict(zip(_COLUMNS, values, strict=True)))
    return rows


def _csv(rows: Sequence[Mapping[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS)
    writer.writeheader()
    writer.writerows({column: escape_formula(value) for column, value in row.items()} for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _document(revision: Revision, clustering: Clustering, rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    return {
        "collection": revision.collection,
        "collection_version": revision.collection_version,
        "revision": revision.id,
        "threshold": revision.threshold,
        "author": revision.author,
        "note": revision.note,
        "created_at": revision.created_at.isoformat(),
        "plan": revision.plan,
        "clusters": [_cluster_document(cluster) for cluster in clustering.clusters],
        "assignments": rows,
    }


def _cluster_document(cluster: ClusterRecord) -> dict[str, Any]:
    return {
        "id": cluster.id,
        "name": cluster.name,
        "confirmed": cluster.confirmed,
        "description": cluster.description,
        "size": cluster.size,
        "threshold": cluster.threshold,
        "no_group": cluster.no_group,
        "representative": cluster.representative,
        "cohesion": cluster.cohesion,
        "centroid": cluster.centroid.tolist(),
    }


def _parquet(revision: Revision, clustering: Clustering, rows: Sequence[Mapping[str, str]]) -> bytes:
    """A row per asset with its cluster's centroid, so that one table is enough; the revision is in the metadata."""
    table = pa.Table.from_pylist(list(rows), pa.schema([(column, pa.string()) for column in _COLUMNS]))
    labels = clustering.labels.tolist()
    centroids = [clustering.clusters[label].centroid if label >= 0 else None for label in labels]
    table = table.append_column("centroid", pa.array(centroids, pa.list_(pa.float32())))
    metadata = {"revision": revision.id, "collection": revision.collection, "threshold": revision.threshold}
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"contactsheet": json.dumps(metadata)}), buffer)
    return buffer.getvalue()


def import_edits(data: bytes, name: str, asset_ids: Sequence[str]) -> tuple[list[Edit], int]:
    """The edits that reproduce the clusters of an exported file, and how many of its assets are not in `asset_ids`.

    All assets with the same cluster name become one cluster if there are at least two; if an asset is listed twice, the
    last row counts. Names are made valid. Raises ClusterError for a file that is not an exported clustering.
    """
    cluster_of, known = dict(_read(data, name)), set(asset_ids)
    groups: dict[str, list[str]] = {}
    for asset_id, cluster in cluster_of.items():
        if cluster and asset_id in known:
            groups.setdefault(cluster, []).append(asset_id)
    if len(groups) > MAX_CLUSTERS:
        raise ClusterError(f"{name} names {len(groups)} clusters, at most {MAX_CLUSTERS} can be imported: split it")
    edits: list[Edit] = []
    for cluster, members in sorted(groups.items()):
        if len(members) > 1:
            edits.append(Move(tuple(sorted(members)), None))
            edits.append(Rename(ClusterRef.from_members(members), cluster[:MAX_NAME_LENGTH]))
    if not edits:
        raise ClusterError(f"{name} names no cluster of two pictures of this collection: is it of another one?")
    return edits, len(cluster_of.keys() - known)


def _read(data: bytes, name: str) -> list[tuple[str, str]]:
    """Asset ids and cluster names."""
    try:
        if name.lower().endswith(".json"):
            rows = json.loads(data)["assignments"]
        elif name.lower().endswith(".parquet"):
            rows = pq.read_table(io.BytesIO(data), columns=["asset_id", "cluster"]).to_pylist()
        else:
            rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
            for row in rows:
                row["cluster"] = unescape_formula(row["cluster"] or "")
        return [(str(row["asset_id"]), one_line(str(row["cluster"] or ""))) for row in rows]
    except _READ_ERRORS as error:
        problem = type(error).__name__
        raise ClusterError(f"{name} is not an exported clustering ({problem}): export one to compare") from error


def export_centroids(clustering: Clustering) -> bytes:
    """The centroids as a NumPy .npy file, (k, d) float32, in the order of the clusters."""
    buffer = io.BytesIO()
    np.save(buffer, np.array([cluster.centroid for cluster in clustering.clusters], np.float32))
    return buffer.getvalue()
