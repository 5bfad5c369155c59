"""Clusterings as files for other programs, and back: who is where (CSV, JSON, Parquet), centroids and names."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.clusters.edits.model import ClusterRef, Edit, Move, Rename
from core.clusters.edits.validation import NAME_LENGTH
from core.errors import ClusterError
from core.records.clusterings import Clustering, Revision

Format = Literal["csv", "json", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "json", "parquet")
MOST_CLUSTERS = 10_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_TURNS_DIRECTION = ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")
# What json, csv and pyarrow raise for a file that is cut off, overwritten or of another make.
_DAMAGE = (ValueError, KeyError, TypeError, OSError, RecursionError, csv.Error, pa.ArrowException)


def exported(revision: Revision, clustering: Clustering, titles: Mapping[str, str], how: Format) -> bytes:
    """A revision as a file. CSV has a row per picture; JSON and Parquet have the centroids too."""
    rows = _rows(clustering, titles)
    if how == "csv":
        return _csv(rows)
    if how == "json":
        return json.dumps(_document(revision, clustering, rows), ensure_ascii=False).encode()
    return _parquet(revision, clustering, rows)


def _rows(clustering: Clustering, titles: Mapping[str, str]) -> list[dict[str, str]]:
    rows = []
    for asset_id, label in zip(clustering.asset_ids, clustering.labels.tolist(), strict=True):
        cluster = clustering.clusters[label] if label >= 0 else None
        rows.append(
            {
                "asset_id": asset_id,
                "title": titles.get(asset_id, ""),
                "cluster_id": cluster.id if cluster else "",
                "cluster": cluster.name if cluster else "",
            }
        )
    return rows


def _csv(rows: Sequence[Mapping[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["asset_id", "title", "cluster_id", "cluster"])
    writer.writeheader()
    writer.writerows({name: f"'{v}" if _is_formula(v) else v for name, v in row.items()} for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _is_formula(value: str) -> bool:
    """Whether a spreadsheet would run it; such a cell gets an apostrophe in front, as OWASP advises.

    So does one that begins with apostrophes already, so that a reader can tell which of them to take away.
    """
    return value.lstrip("'").startswith(_FORMULA)


def _as_meant(cell: str) -> str:
    """A cell of a CSV file without the apostrophe that keeps it from being run."""
    return cell.removeprefix("'") if _is_formula(cell) else cell


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
        "clusters": [
            {
                "id": c.id,
                "name": c.name,
                "confirmed": c.confirmed,
                "description": c.description,
                "size": c.size,
                "threshold": c.threshold,
                "no_group": c.no_group,
                "representative": c.representative,
                "cohesion": c.cohesion,
                "centroid": c.centroid.tolist(),
            }
            for c in clustering.clusters
        ],
        "assignments": rows,
    }


def _parquet(revision: Revision, clustering: Clustering, rows: Sequence[Mapping[str, str]]) -> bytes:
    """A row per picture with its cluster's centroid, so that one table is enough; the revision is in the metadata."""
    table = pa.Table.from_pylist(
        list(rows), pa.schema([(name, pa.string()) for name in ("asset_id", "title", "cluster_id", "cluster")])
    )
    centroids = [clustering.clusters[label].centroid if label >= 0 else None for label in clustering.labels.tolist()]
    table = table.append_column("centroid", pa.array(centroids, pa.list_(pa.float32())))
    about = {"revision": revision.id, "collection": revision.collection, "threshold": revision.threshold}
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"contactsheet": json.dumps(about)}), buffer)
    return buffer.getvalue()


def imported(data: bytes, name: str, known: Sequence[str]) -> tuple[list[Edit], int]:
    """The edits that bring about the clusters of an exported file, and how many of its pictures are not here.

    All pictures with the same name become one cluster, if there are two or more; where one is listed twice, the last
    line counts. Names are made such as a curator may give. Raises ClusterError for a file that is none.
    """
    placed, here = dict(_read(data, name)), set(known)
    groups: dict[str, list[str]] = {}
    for asset_id, cluster in placed.items():
        if cluster and asset_id in here:
            groups.setdefault(cluster, []).append(asset_id)
    if len(groups) > MOST_CLUSTERS:
        raise ClusterError(f"{name} names {len(groups)} clusters, at most {MOST_CLUSTERS} can be imported: split it")
    edits: list[Edit] = []
    for cluster, members in sorted(groups.items()):
        if len(members) > 1:
            edits += [Move(tuple(sorted(members)), None), Rename(ClusterRef.of(members), cluster[:NAME_LENGTH])]
    if not edits:
        raise ClusterError(f"{name} names no cluster of two pictures of this collection: is it of another one?")
    return edits, len(placed.keys() - here)


def _read(data: bytes, name: str) -> list[tuple[str, str]]:
    try:
        if name.lower().endswith(".json"):
            rows = json.loads(data)["assignments"]
        elif name.lower().endswith(".parquet"):
            rows = pq.read_table(io.BytesIO(data), columns=["asset_id", "cluster"]).to_pylist()
        else:
            rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
            for row in rows:
                row["cluster"] = _as_meant(row["cluster"] or "")
        return [(str(row["asset_id"]), _plain(str(row["cluster"] or ""))) for row in rows]
    except _DAMAGE as error:
        raise ClusterError(
            f"{name} is no exported clustering ({type(error).__name__}): export one to compare"
        ) from error


def _plain(name: str) -> str:
    """A name on one line, without control characters, halves of characters, and what turns the text around it."""
    kept = (
        c
        for c in name
        if c.isspace()
        or not (unicodedata.category(c) in ("Cc", "Cs") or unicodedata.bidirectional(c) in _TURNS_DIRECTION)
    )
    return " ".join("".join(kept).split())


def centroids(clustering: Clustering) -> bytes:
    """The centroids as a NumPy .npy file, (k, d) float32, in the order of the clusters."""
    buffer = io.BytesIO()
    np.save(buffer, np.array([c.centroid for c in clustering.clusters], np.float32))
    return buffer.getvalue()
