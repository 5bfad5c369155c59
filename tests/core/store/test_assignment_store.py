"""What is stored beside revisions: the assignments of new assets, and dendrograms."""

from __future__ import annotations

import errno
import logging
import os
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ClusterError, StoreError
from core.logs import ROOT_LOGGER
from core.records.clusterings import Assignment, NewRevision
from core.store.objects.linkage_files import LinkageFiles
from core.store.objects.locks import write_lock
from core.store.sql.assignment_store import AssignmentStore
from core.store.sql.database import Database
from core.store.sql.revision_store import RevisionStore
from tests.core.store.test_full_disk import disk, leave_free  # noqa: F401 - disk is a fixture
from tests.fakes.killed_saving import asset_ids, clustering_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "contactsheet.db")


@pytest.fixture
def assignments(database: Database) -> AssignmentStore:
    return AssignmentStore(database, lambda: NOON)


def saved(database: Database, collection: str = "birds") -> int:
    """The next revision of a collection."""
    revisions = RevisionStore(database)
    newest, clustering = revisions.newest(collection), clustering_of(1, assets=4, clusters=1, dimension=2)
    return revisions.save(
        NewRevision(collection, "v", newest.id if newest else None, 0.82, {}, clustering, "Ada", "")
    ).id


def test_assignments_are_stored_per_revision(assignments: AssignmentStore, database: Database) -> None:
    first, second = saved(database), saved(database)
    assignments.add("birds", first, [("b" * 64, "c1", 0.9), ("a" * 64, "c2", np.float32(0.5))])  # type: ignore[list-item]
    assignments.add("birds", second, iter([("a" * 64, "c3", 1.0)]))
    assert assignments.for_revision("birds", first) == [
        Assignment("a" * 64, "c2", 0.5, first, NOON),
        Assignment("b" * 64, "c1", 0.9, first, NOON),
    ]
    assert [a.cluster_id for a in assignments.for_revision("birds", second)] == ["c3"]


def test_adding_again_changes_nothing(assignments: AssignmentStore, database: Database) -> None:
    revision = saved(database)
    assignments.add("birds", revision, [("a" * 64, "c1", 0.9)])
    before = assignments.for_revision("birds", revision)
    assignments.add("birds", revision, [("a" * 64, "c1", 0.9), ("a" * 64, "c2", 0.95), ("b" * 64, "c1", 0.8)])
    assert assignments.for_revision("birds", revision)[:1] == before
    assert len(assignments.for_revision("birds", revision)) == 2


def test_assignments_to_a_missing_revision_or_one_of_another_collection_are_refused(
    assignments: AssignmentStore, database: Database
) -> None:
    fish = saved(database, "fish")
    for revision in (fish, 99):
        with pytest.raises(ClusterError, match=f"birds has no revision {revision}"):
            assignments.add("birds", revision, [("a" * 64, "c1", 0.9)])
    assert assignments.for_revision("fish", fish) == []


def test_clearing_touches_one_revision(assignments: AssignmentStore, database: Database) -> None:
    first, second = saved(database), saved(database)
    for revision in (first, second):
        assignments.add("birds", revision, [("a" * 64, "c1", 0.9)])
    assignments.clear("birds", first)
    assert assignments.for_revision("birds", first) == []
    assert len(assignments.for_revision("birds", second)) == 1


def test_assignments_are_deleted_with_their_revision(assignments: AssignmentStore, database: Database) -> None:
    first, second = saved(database), saved(database)
    for revision in (first, second):
        assignments.add("birds", revision, [("a" * 64, "c1", 0.9)])
    RevisionStore(database).prune("birds", keep=1)
    assert [len(assignments.for_revision("birds", r)) for r in (first, second)] == [0, 1]


def test_rows_that_fail_half_way_leave_none(assignments: AssignmentStore, database: Database) -> None:
    def rows() -> Any:
        yield "a" * 64, "c1", 0.9
        raise ValueError("half way")

    revision = saved(database)
    with pytest.raises(ValueError, match="half way"):
        assignments.add("birds", revision, rows())
    assert assignments.for_revision("birds", revision) == []


def dendrogram(assets: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((max(assets - 1, 0), 4))


@pytest.fixture
def linkages(tmp_path: Path) -> LinkageFiles:
    return LinkageFiles(tmp_path / "linkages")


@pytest.mark.parametrize("assets", [0, 1, 2, 50])
def test_a_dendrogram_comes_back_as_it_was_stored(linkages: LinkageFiles, assets: int) -> None:
    ids, z = asset_ids(assets), dendrogram(assets)
    assert linkages.get("v1") is None
    linkages.put("v1", ids, z)
    found = linkages.get("v1")
    assert found is not None
    assert found[0] == ids
    assert found[1].dtype == np.float64
    assert np.array_equal(found[1], z)
    assert linkages.get("v2") is None


def test_a_dendrogram_of_another_size_is_refused(linkages: LinkageFiles) -> None:
    with pytest.raises(ClusterError, match=r"of 5 assets is \(4, 4\) float64, not \(3, 4\) float64"):
        linkages.put("v1", asset_ids(5), dendrogram(4))
    with pytest.raises(ClusterError, match=r"not .* float32"):
        linkages.put("v1", asset_ids(5), dendrogram(5).astype(np.float32))  # type: ignore[arg-type]


def test_the_newest_three_are_kept_whatever_the_clock_says(linkages: LinkageFiles, tmp_path: Path) -> None:
    for number in range(1, 5):
        linkages.put(f"v{number}", asset_ids(4), dendrogram(4))
        os.utime(tmp_path / "linkages" / f"v{number}.npz", (1e9 + number, 1e9 + number))
    assert [f"v{n}" for n in range(1, 5) if linkages.get(f"v{n}")] == ["v2", "v3", "v4"]
    for path in (tmp_path / "linkages").glob("*.npz"):
        os.utime(path, (4e9, 4e9))
    linkages.put("v5", asset_ids(4), dendrogram(4))
    assert linkages.get("v5") is not None
    assert len(list((tmp_path / "linkages").glob("*.npz"))) == 3


def test_a_damaged_dendrogram_is_removed_with_a_line_in_the_log_and_can_be_stored_again(
    linkages: LinkageFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(ROOT_LOGGER), "propagate", True)
    path, rng = tmp_path / "linkages" / "v1.npz", random.Random(5)
    linkages.put("v1", asset_ids(20), dendrogram(20))
    whole = path.read_bytes()
    flipped = [whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :] for at in rng.sample(range(len(whole)), 200)]
    cut = [whole[: rng.randrange(len(whole))] for _ in range(50)]
    for content in [b"", b"text", b"PK\x03\x04", whole + whole[:99], *flipped, *cut]:
        path.write_bytes(content)
        caplog.clear()
        found = linkages.get("v1")
        if found is None:
            assert "a damaged dendrogram is removed" in caplog.text
            assert not path.exists()
        else:  # the flipped byte is one that nobody reads
            assert found[0] == asset_ids(20)
            assert np.array_equal(found[1], dendrogram(20))
    linkages.put("v1", asset_ids(20), dendrogram(20))
    assert linkages.get("v1") is not None


def test_a_file_that_belongs_to_another_version_is_not_taken(linkages: LinkageFiles, tmp_path: Path) -> None:
    linkages.put("v1", asset_ids(4), dendrogram(4))
    (tmp_path / "linkages" / "v1.npz").rename(tmp_path / "linkages" / "v2.npz")
    assert linkages.get("v2") is None


def test_a_write_that_fails_leaves_the_file_that_was_there(
    linkages: LinkageFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linkages.put("v1", asset_ids(4), dendrogram(4, seed=1))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=r"linkages could not be written \(the disk is full\)"):
            linkages.put("v1", asset_ids(4), dendrogram(4, seed=2))
    found = linkages.get("v1")
    assert found is not None
    assert np.array_equal(found[1], dendrogram(4, seed=1))
    assert not list((tmp_path / "linkages").glob("*.draft"))


def test_a_full_disk_is_told_and_takes_the_dendrogram_once_there_is_space(disk: Path) -> None:  # noqa: F811
    linkages = LinkageFiles(disk / "linkages")
    with write_lock(disk / "linkages"):
        ballast = leave_free(disk, 40)
    with pytest.raises(StoreError, match="the disk is full"):
        linkages.put("v1", asset_ids(5_000), dendrogram(5_000))
    assert linkages.get("v1") is None
    ballast.unlink()
    linkages.put("v1", asset_ids(5_000), dendrogram(5_000))
    assert linkages.get("v1") is not None


def test_a_folder_that_cannot_be_read_is_not_taken_for_damage(
    linkages: LinkageFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linkages.put("v1", asset_ids(4), dendrogram(4))

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(StoreError, match=r"could not be read \(access is denied\)"):
        linkages.get("v1")
    assert (tmp_path / "linkages" / "v1.npz").exists()
