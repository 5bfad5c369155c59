"""A process for tests to kill: it saves, publishes or writes a draft, again and again, and announces each step.

Before every statement, every row of many and every commit, and after every commit and close, a line `step NAME` is
written to a pipe; at one step it may stay there. `done COUNT` follows each call.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from core.records.clusterings import Clustering, ClusterRecord, NewRevision
from core.store.sql.database import Database
from core.store.sql.draft_store import DraftStore
from core.store.sql.revision_store import RevisionStore

ASSETS, CLUSTERS, DIMENSION = 2_000, 24, 512
LINGER_S = 120.0


@functools.cache
def asset_ids(count: int) -> tuple[str, ...]:
    """`count` ids in random order."""
    return tuple(hashlib.sha256(b"%d" % number).hexdigest() for number in range(count))


def clustering_of(
    number: int, assets: int = ASSETS, clusters: int = CLUSTERS, dimension: int = DIMENSION
) -> Clustering:
    """The clustering of revision `number`: deterministic, and unlike any other."""
    rng, ids = np.random.default_rng(number), asset_ids(assets)
    labels = rng.integers(-1, clusters, assets).astype(np.int32)
    centroids = rng.standard_normal((clusters, dimension)).astype(np.float32)
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    return Clustering(
        ids, labels, tuple(_cluster(label, number, labels, centroids[label]) for label in range(clusters))
    )


def _cluster(label: int, number: int, labels: Any, centroid: Any) -> ClusterRecord:
    members = sorted(asset_ids(len(labels))[row] for row in np.flatnonzero(labels == label))
    return ClusterRecord(
        id=f"c{label}",
        name=f"Group {label} of {number}",
        confirmed=label % 2 == 0,
        description="",
        size=len(members),
        threshold=0.82,
        no_group=label % 5 == 0,
        representative=members[0] if members else "",
        cohesion=0.9,
        centroid=centroid,
        sample_ids=tuple(members[:128]),
    )


def history_of(version: int) -> dict[str, Any]:
    """The history of a draft at a version."""
    return {"version": version, "done": [f"{version} {number}" for number in range(2_000)]}


def save_next(revisions: RevisionStore) -> int:
    """Save the revision after the newest; returns its number."""
    newest = revisions.newest("c")
    clustering = clustering_of(newest.id + 1 if newest else 1)
    return revisions.save(NewRevision("c", "v", newest.id if newest else None, 0.82, {}, clustering, "Ada", "")).id


def publish_other(revisions: RevisionStore) -> int:
    """Publish revision 1 if 2 is published, and vice versa; returns the number of publications so far."""
    published = revisions.published("c")
    current = published.id if published else None
    revisions.publish(1 if current == 2 else 2, "Ada", current)
    return len(revisions.publications("c", limit=-1))


def write_next(drafts: DraftStore) -> int:
    """Write the next version of the only draft; returns its number."""
    (draft,) = drafts.list("c")
    return drafts.update(draft.id, history_of(draft.version + 1), draft.version).version


class StepAnnouncer:
    """Announces steps to the parent, and lingers at one of them."""

    def __init__(self, pipe: int, linger_at: int) -> None:
        self._pipe, self._linger_at, self._steps = pipe, linger_at, 0

    def write(self, line: str) -> None:
        os.write(self._pipe, f"{line}\n".encode())

    def step(self, name: str) -> None:
        self._steps += 1
        self.write(f"step {name}")
        if self._steps == self._linger_at:
            time.sleep(LINGER_S)


class AnnouncingConnection(sqlite3.Connection):
    """A connection that announces what it is about to do."""

    announcer: StepAnnouncer

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        self.announcer.step(" ".join(sql.split()[:3]))
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any]) -> sqlite3.Cursor:
        return super().executemany(sql, self._announced(parameters))

    def commit(self) -> None:
        self.announcer.step("COMMIT")
        super().commit()
        self.announcer.step("committed")

    def close(self) -> None:
        super().close()
        self.announcer.step("closed")

    def _announced(self, rows: Iterable[Any]) -> Iterator[Any]:
        for row in rows:
            self.announcer.step("one row of many")
            yield row


def act_announced(path: Path, action: str, linger_at: int, pipe: Connection) -> None:
    """`save`, `publish` or write a `draft` for ever, lingering at step number `linger_at`, 0 for never."""
    database = Database(path)
    revisions, drafts = RevisionStore(database), DraftStore(database)
    actions = {
        "save": lambda: save_next(revisions),
        "publish": lambda: publish_other(revisions),
        "draft": lambda: write_next(drafts),
    }
    clustering_of(1)
    AnnouncingConnection.announcer = announcer = StepAnnouncer(pipe.fileno(), linger_at)
    sqlite3.connect = functools.partial(sqlite3.connect, factory=AnnouncingConnection)  # type: ignore[assignment]
    while True:
        announcer.write(f"done {actions[action]()}")
