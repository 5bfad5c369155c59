"""A collection of painted pictures with published clusters, those of one colour each, named by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from core.access import OPERATOR
from core.app import App
from core.clusters.edits.model import ClusterRef, Move, Rename
from core.clusters.edits.plan import Plan, apply
from core.records.clusterings import Revision


def ids_of(app: App, names: Iterable[str], collection: str = "c") -> list[str]:
    """The ids of the pictures whose files have these names."""
    wanted = set(names)
    titles = app.pictures(collection, list(app.titles(collection)))
    return sorted(hit.asset.id for hit in titles if any(Path(uri).name in wanted for uri in hit.asset.uris))


def publish_named(app: App, clusters: Mapping[str, Iterable[str]], collection: str = "c") -> Revision:
    """Publish clusters by name, each of the pictures whose files have the names given."""
    plan = Plan()
    for name, files in clusters.items():
        members = ids_of(app, files, collection)
        plan = apply(plan, Move(tuple(members), None))
        plan = apply(plan, Rename(ClusterRef.from_members(members), name))
    newest = app.clusters.revisions.newest(collection)
    revision = app.curation.save_plan(OPERATOR, collection, plan, newest.id if newest else None)
    published = app.clusters.revisions.published(collection)
    return app.curation.publish(OPERATOR, revision.id, published.id if published else None)
