from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clusters.edits.model import ClusterRef, Move, Rename
from core.clusters.edits.plan import Plan, apply
from core.clusters.views.cluster_view import ClusterBase, build_view
from core.clusters.views.partition import build_partition
from core.store.lance.snapshot import Snapshot
from tests.fakes.dendrograms import IDS, PLANS, THRESHOLDS, asset_id, dendrogram, unit_vectors


def snapshot(ids: tuple[str, ...], vectors: np.ndarray, version: str = "now") -> Snapshot:
    """A collection of these pictures without metadata."""
    count, zeros, none = len(ids), np.zeros(len(ids), np.int64), ((),) * len(ids)
    return Snapshot(
        version=version,
        ids=ids,
        vectors=vectors.astype(np.float32).reshape(count, -1 if count else 3),
        titles=("",) * count,
        sources=none,
        keywords=none,
        people=none,
        places=none,
        cameras=("",) * count,
        authors=("",) * count,
        rating=zeros,
        has_gps=zeros.astype(np.bool_),
        width=zeros.astype(np.int32),
        height=zeros.astype(np.int32),
        created_us=zeros,
        created_end_us=zeros,
        ingested_us=zeros,
    )


def complete_base(count: int, seed: int) -> ClusterBase:
    """A collection and its own dendrogram."""
    vectors = unit_vectors(count, seed)
    return ClusterBase.from_linkage("now", snapshot(IDS[:count], vectors), IDS[:count], dendrogram(vectors))


def base_of(then: list[int], now: list[int], seed: int) -> ClusterBase:
    """The dendrogram of the pictures `then`, mapped to a collection with the pictures `now`."""
    vectors = unit_vectors(len(IDS), seed)
    known, here = tuple(IDS[i] for i in then), tuple(IDS[i] for i in now)
    return ClusterBase.from_linkage("then", snapshot(here, vectors[now]), known, dendrogram(vectors[then]))


SOME = st.lists(st.integers(0, len(IDS) - 1), unique=True)
BASES = st.builds(base_of, SOME, SOME, st.integers(0, 1000))
COMPLETE = st.builds(complete_base, st.integers(0, len(IDS)), st.integers(0, 1000))


@settings(deadline=None)
@given(BASES)
def test_a_base_maps_the_rows_of_snapshot_and_linkage_to_each_other(base: ClusterBase) -> None:
    here, known = base.snapshot.ids, base.index.asset_ids
    assert [known[row] if row >= 0 else None for row in base.row_in_linkage] == [
        i if i in known else None for i in here
    ]
    assert [here[row] if row >= 0 else None for row in base.row_in_snapshot] == [
        i if i in here else None for i in known
    ]
    assert [here[row] for row in base.new_rows] == [i for i in here if i not in known]
    assert base.complete == (set(here) == set(known))


@settings(deadline=None)
@given(COMPLETE, PLANS)
def test_over_its_own_dendrogram_a_view_is_the_plans_partition(base: ClusterBase, plan: Plan) -> None:
    view = build_view(base, plan)
    expected = build_partition(plan, base.index, base.linkage)
    assert view.labels.tolist() == expected.labels.tolist()
    assert view.clusters == expected.clusters
    assert view.sizes.tolist() == [cluster.size for cluster in view.clusters]
    assert view.asset_ids == base.snapshot.ids


@settings(deadline=None)
@given(BASES, PLANS)
def test_known_pictures_keep_their_clusters_and_new_ones_join_the_nearest_if_it_is_near_enough(
    base: ClusterBase, plan: Plan
) -> None:
    view = build_view(base, plan)
    label_of = dict(zip(base.index.asset_ids, view.partition.labels.tolist(), strict=True))
    labels = view.labels.tolist()
    assert [label for i, label in zip(view.asset_ids, labels, strict=True) if i in label_of] == [
        label_of[i] for i in view.asset_ids if i in label_of
    ]
    centroids = build_view(without_new_pictures(base), plan).statistics.centroids
    thresholds = [cluster.threshold for cluster in view.clusters]
    for row in base.new_rows.tolist():
        cosines = (centroids @ base.snapshot.vectors[row]).tolist()
        ranked = sorted(range(len(cosines)), key=lambda number: -cosines[number])
        if len(ranked) > 1 and cosines[ranked[0]] - cosines[ranked[1]] < 1e-5:
            continue
        joins = [number for number in ranked[:1] if cosines[number] >= thresholds[number]]
        assert labels[row] == (joins[0] if joins else -1)


@settings(deadline=None)
@given(BASES, PLANS, PLANS)
def test_a_view_is_the_same_with_a_previous_one(base: ClusterBase, other: Plan, plan: Plan) -> None:
    view, faster = build_view(base, plan), build_view(base, plan, previous=build_view(base, other))
    assert faster.labels.tolist() == view.labels.tolist()
    assert faster.clusters == view.clusters
    for name in ("centroids", "representatives", "cohesion", "similarity"):
        assert np.array_equal(getattr(faster.statistics, name), getattr(view.statistics, name), equal_nan=True)


def test_a_previous_view_of_another_snapshot_is_not_used() -> None:
    here, there = complete_base(6, 1), complete_base(6, 2)
    faster = build_view(here, Plan(0.5), previous=build_view(there, Plan(0.5)))
    assert np.array_equal(faster.statistics.centroids, build_view(here, Plan(0.5)).statistics.centroids)


def without_new_pictures(base: ClusterBase) -> ClusterBase:
    stay = np.flatnonzero(base.row_in_linkage >= 0).tolist()
    here = tuple(base.snapshot.ids[row] for row in stay)
    return ClusterBase.from_linkage(
        "then", snapshot(here, base.snapshot.vectors[stay]), base.index.asset_ids, base.linkage
    )


@settings(deadline=None)
@given(BASES, PLANS)
def test_sizes_and_statistics_count_pictures_that_are_here_now(base: ClusterBase, plan: Plan) -> None:
    view = build_view(base, plan)
    for number, cluster in enumerate(view.clusters):
        rows = np.flatnonzero(view.labels == number)
        assert view.sizes[number] == len(rows)
        assert view.number(cluster.id) == number
        assert (int(view.statistics.representatives[number]) in rows.tolist()) == bool(len(rows))
        assert view.borderline[number] <= len(rows)
    assert view.sizes.sum() == (view.labels >= 0).sum()
    assert view.number("no such cluster") is None


@settings(deadline=None)
@given(COMPLETE, THRESHOLDS, THRESHOLDS)
def test_ids_and_names_stay_when_the_threshold_moves_and_comes_back(
    base: ClusterBase, threshold: float, other: float
) -> None:
    saved = build_view(base, Plan(threshold)).partition
    if saved.clusters:
        plan = apply(Plan(threshold), Rename(saved.ref(0), "Boats"))
        parents = build_view(base, plan).partition.known_clusters()
        moved = build_view(base, Plan(other, edits=plan.edits), parents)
        back = build_view(base, plan, parents)
        assert [(c.id, c.name) for c in back.clusters] == [(k.id, k.name) for k in parents]
        assert "Boats" in {c.name for c in moved.clusters}


@settings(deadline=None)
@given(COMPLETE, PLANS, PLANS)
def test_a_saved_plan_gives_the_same_view_again(base: ClusterBase, before: Plan, plan: Plan) -> None:
    saved = build_view(base, plan, build_view(base, before).partition.known_clusters())
    again = build_view(base, plan, saved.partition.known_clusters(), saved_edit_count=len(plan.edits))
    assert again.labels.tolist() == saved.labels.tolist()
    assert [(c.id, c.name) for c in again.clusters] == [(c.id, c.name) for c in saved.clusters]


def test_a_view_applies_edits() -> None:
    base = complete_base(6, 1)
    plan = Plan(1.0, edits=(Move(IDS[:3], None), Rename(ClusterRef.from_members(IDS[:3]), "Trio")))
    (cluster,) = build_view(base, plan).clusters
    assert (cluster.name, cluster.size, cluster.confirmed) == ("Trio", 3, True)


@pytest.mark.parametrize("count", [0, 1])
def test_an_empty_collection_and_one_of_one_picture_have_views(count: int) -> None:
    view = build_view(complete_base(count, 1), Plan())
    assert view.clusters == ()
    assert view.labels.tolist() == [-1] * count


def test_a_cluster_whose_pictures_are_all_gone_has_size_zero() -> None:
    vectors = np.repeat(np.eye(3), 2, axis=0)
    ids = tuple(asset_id(number) for number in range(6))
    base = ClusterBase.from_linkage("then", snapshot(ids[2:], vectors[2:]), ids, dendrogram(vectors))
    view = build_view(base, Plan(0.9))
    assert sorted(view.sizes.tolist()) == [0, 2, 2]
    assert not base.complete
