"""Clusters and revisions as JSON documents and as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.clusters.curation import cluster_name
from core.clusters.views.cluster_view import ClusterView
from core.clusters.views.naming import NameSuggestion
from core.records.clusterings import Revision

if TYPE_CHECKING:
    from core.app import App  # loads LanceDB: only commands that need it should wait for it


def cluster_document(app: App, collection: str, view: ClusterView, with_members: bool = True) -> dict[str, Any]:
    """The JSON document of `cluster --json`."""
    suggestions = app.clusters.name_suggestions(collection, view)
    clusters = []
    for number in np.flatnonzero(view.sizes).tolist():  # clusters without pictures are not listed
        entry = _cluster_entry(view, number, suggestions[number])
        clusters.append(entry | {"members": _members(view, number)} if with_members else entry)
    return {
        "collection": collection,
        "collection_version": view.base.snapshot.version,
        "threshold": view.plan.threshold,
        "smallest": view.plan.min_cluster_size,
        "unclustered": int((view.labels < 0).sum()),
        "clusters": clusters,
        "losses": [loss.sentence for loss in view.partition.unapplied],
    }


def _cluster_entry(view: ClusterView, number: int, suggestion: NameSuggestion | None) -> dict[str, Any]:
    cluster, statistics = view.clusters[number], view.statistics
    name = cluster_name(cluster, suggestion)
    confidence = 1.0 if cluster.confirmed else None
    if suggestion and name == suggestion.name and not cluster.confirmed:
        confidence = round(suggestion.confidence, 4)
    return {
        "id": cluster.id,
        "name": name,
        "confirmed": cluster.confirmed,
        "confidence": confidence,
        "size": int(view.sizes[number]),
        "threshold": cluster.threshold,
        "no_group": cluster.no_group,
        "cohesion": round(float(statistics.cohesion[number]), 6),
        "borderline": int(view.borderline[number]),
        "representative": view.asset_ids[int(statistics.representatives[number])],
    }


def _members(view: ClusterView, number: int) -> list[dict[str, Any]]:
    ids, titles, statistics = view.asset_ids, view.base.snapshot.titles, view.statistics
    return [
        {"id": ids[row], "title": titles[row], "similarity": round(float(statistics.similarity[row]), 6)}
        for row in statistics.members(number).tolist()
    ]


def revision_document(revision: Revision) -> dict[str, Any]:
    """One entry of `revisions --json`."""
    return {**vars(revision), "created_at": revision.created_at.isoformat()}


def revision_line(revision: Revision) -> str:
    """One line of `revisions`."""
    marks = " · ".join(filter(None, ["published" if revision.published else "", revision.name, revision.note]))
    return (
        f"{revision.id:>5}  {revision.created_at:%Y-%m-%d %H:%M}  {revision.threshold:<8g} "
        f"{revision.cluster_count:>6} clusters  {revision.author}  {marks}"
    )
