from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.clusters.edits.model import (
    Branch,
    ClusterRef,
    Describe,
    Edit,
    MarkNoGroup,
    Merge,
    Move,
    PairConstraint,
    Pin,
    Rename,
    SetBranch,
    SetMinClusterSize,
    SetThreshold,
    Split,
    Unpin,
)
from core.clusters.edits.plan import Plan, apply, pins
from core.clusters.lineage.matching import KnownCluster
from core.clusters.tree.asset_index import AssetIndex, estimated_containment
from core.clusters.tree.branches import branch_at
from core.clusters.tree.cut import cluster_nodes, cut, leaf_rows
from core.clusters.tree.linkage import Linkage
from core.clusters.views.partition import Cluster, Partition, build_partition
from core.errors import ClusterError
from tests.fakes.dendrograms import (
    CURATIONS,
    IDS,
    PLANS,
    REFS,
    THRESHOLDS,
    applied,
    asset_id,
    dendrogram,
    some_ids,
    unit_vectors,
    world,
    worlds,
)

World = tuple[AssetIndex, Linkage]


def sets(index: AssetIndex, labels: np.ndarray) -> set[frozenset[str]]:
    groups: dict[int, set[str]] = {}
    for row, label in enumerate(labels.tolist()):
        groups.setdefault(label, set()).add(index.asset_ids[row])
    return {frozenset(group) for group in groups.values()}


def majority_group(groups: set[frozenset[str]], ref: ClusterRef) -> frozenset[str] | None:
    """What a reference resolves to, computed the slow way."""
    candidates = [group for group in groups if group & set(ref.sample_ids)]
    return min(candidates, key=lambda group: (-len(group & set(ref.sample_ids)), min(group)), default=None)


def label_of(partition: Partition, asset: str) -> int:
    return int(partition.labels[partition.asset_ids.index(asset)])


def clusters(partition: Partition) -> dict[frozenset[str], Cluster]:
    return {frozenset(partition.members(number)): cluster for number, cluster in enumerate(partition.clusters)}


@given(worlds(), THRESHOLDS, st.integers(1, 4))
def test_a_plan_without_edits_is_the_cut(world: World, threshold: float, smallest: int) -> None:
    index, linkage = world
    partition = build_partition(Plan(threshold, smallest), index, linkage)
    expected = {group for group in sets(index, cut(linkage, threshold)) if len(group) >= max(2, smallest)}
    assert set(clusters(partition)) == expected
    assert {c.node for c in partition.clusters} <= set(cluster_nodes(linkage, threshold).tolist())
    assert partition.unapplied == ()


@given(worlds(), PLANS, PLANS)
def test_every_asset_is_in_exactly_one_cluster_or_unclustered(world: World, before: Plan, plan: Plan) -> None:
    index, linkage = world
    partition = build_partition(plan, index, linkage, build_partition(before, index, linkage).known_clusters())
    counts = Counter(partition.labels.tolist())
    assert partition.labels.dtype == np.int32
    assert {n: counts[n] for n in range(len(partition.clusters))} == {
        number: cluster.size for number, cluster in enumerate(partition.clusters)
    }
    assert set(counts) <= {-1, *range(len(partition.clusters))}
    assert len({cluster.id for cluster in partition.clusters}) == len(partition.clusters)
    order = [(-c.size, partition.members(number)) for number, c in enumerate(partition.clusters)]
    assert order == sorted(order)


@given(worlds(), PLANS)
def test_a_cluster_has_a_node_exactly_if_it_is_a_subtree(world: World, plan: Plan) -> None:
    index, linkage = world
    nodes = {frozenset(index.asset_ids[r] for r in leaf_rows(linkage, v)): v for v in range(2 * linkage.n - 1)}
    for group, cluster in clusters(build_partition(plan, index, linkage)).items():
        assert cluster.node == nodes.get(group)


@given(st.integers(0, 24), st.integers(0, 2**32 - 1), st.randoms(use_true_random=False), PLANS, PLANS)
def test_the_row_order_does_not_matter(count: int, seed: int, random: Random, before: Plan, plan: Plan) -> None:
    vectors, order = unit_vectors(count, seed), list(range(count))
    random.shuffle(order)
    seen = []
    for rows in (list(range(count)), order):
        index, linkage = AssetIndex.from_ids([IDS[row] for row in rows]), dendrogram(vectors[rows])
        partition = build_partition(plan, index, linkage, build_partition(before, index, linkage).known_clusters())
        where = {asset: label_of(partition, asset) for asset in index.asset_ids}
        seen.append((where, [cluster._replace(node=None) for cluster in partition.clusters], partition.unapplied))
    assert seen[0] == seen[1]


@given(worlds(), PLANS, PLANS)
def test_a_saved_plan_gives_the_same_partition_again(world: World, before: Plan, plan: Plan) -> None:
    first = build_partition(plan, *world, build_partition(before, *world).known_clusters())
    again = build_partition(plan, *world, first.known_clusters(), saved_edit_count=len(plan.edits))
    assert [c._replace(origin=None) for c in again.clusters] == [c._replace(origin=None) for c in first.clusters]
    assert np.array_equal(again.labels, first.labels)


@given(worlds(), THRESHOLDS, some_ids(), REFS)
def test_moved_pictures_are_where_they_were_moved_at_any_threshold(
    world: World, threshold: float, moved: tuple[str, ...], to: ClusterRef
) -> None:
    index, linkage = world
    here = [asset for asset in moved if asset in index.position_of]
    partition = build_partition(applied(Plan(threshold), [Move(moved, to)]), index, linkage)
    target = majority_group(sets(index, cut(linkage, threshold)), to)
    if target is None:
        assert any(edit.source == Move(moved, to) for edit in partition.unapplied)
    elif here:
        assert {label_of(partition, asset) for asset in (*here, *(target - set(here)))} == {
            label_of(partition, here[0])
        }
        assert label_of(partition, here[0]) >= 0


@given(worlds(), PLANS, some_ids())
def test_pictures_moved_into_a_cluster_of_their_own_are_alone_together(
    world: World, plan: Plan, moved: tuple[str, ...]
) -> None:
    index, linkage = world
    here = frozenset(moved) & set(index.asset_ids)
    assume(here and not any(isinstance(edit, Pin) for edit in plan.edits))
    assert here in clusters(build_partition(apply(plan, Move(moved, None)), index, linkage))


@given(worlds(), PLANS, REFS, st.sets(st.sampled_from(IDS), min_size=2), st.integers(1, 23))
def test_every_piece_that_was_split_off_is_a_cluster(
    world: World, plan: Plan, ref: ClusterRef, ids: set[str], at: int
) -> None:
    index, linkage = world
    assume(not any(isinstance(edit, Pin) for edit in plan.edits))
    pieces = tuple(piece for piece in (tuple(sorted(ids)[:at]), tuple(sorted(ids)[at:])) if piece)
    found = clusters(build_partition(apply(plan, Split(ref, pieces)), index, linkage))
    for piece in pieces:
        here = frozenset(piece) & set(index.asset_ids)
        assert not here or here in found


@given(worlds(), PLANS, THRESHOLDS, some_ids(), REFS)
def test_pinned_pictures_stay_together_whatever_the_other_edits(
    world: World, plan: Plan, threshold: float, pinned: tuple[str, ...], to: ClusterRef
) -> None:
    index, linkage = world
    plan = applied(plan, [Pin(pinned, to), SetThreshold(threshold)])
    here = [asset for asset in pinned if asset in index.position_of]
    if not any(asset in index.position_of for asset in to.sample_ids):
        return
    partition = build_partition(plan, index, linkage)
    assert len({label_of(partition, asset) for asset in here}) <= 1
    assert all(partition.clusters[label_of(partition, asset)].pinned >= len(here) for asset in here)


@given(worlds(), THRESHOLDS, some_ids(), REFS)
def test_pinned_pictures_are_in_the_cluster_with_most_of_the_sample(
    world: World, threshold: float, pinned: tuple[str, ...], to: ClusterRef
) -> None:
    index, linkage = world
    target = majority_group(sets(index, cut(linkage, threshold)), to) or frozenset()
    here = [asset for asset in pinned if asset in index.position_of]
    assume(target and here)
    partition = build_partition(applied(Plan(threshold), [Pin(pinned, to)]), index, linkage)
    assert {label_of(partition, asset) for asset in (*here, *(target - set(here)))} == {label_of(partition, here[0])}


@given(worlds(), THRESHOLDS, st.lists(REFS, min_size=2, max_size=4, unique=True))
def test_a_merge_survives_raising_and_lowering_the_threshold(
    world: World, threshold: float, refs: list[ClusterRef]
) -> None:
    index, linkage = world
    plan = applied(Plan(threshold), [Merge(tuple(refs))])
    groups = sets(index, cut(linkage, threshold))
    found = [group for ref in refs if (group := majority_group(groups, ref))]
    assume(len(found) == len(refs))
    assert frozenset().union(*found) in clusters(build_partition(plan, index, linkage))


@given(worlds(), THRESHOLDS, THRESHOLDS)
def test_a_name_stays_with_most_of_its_pictures_at_any_threshold(
    world: World, when_named: float, threshold: float
) -> None:
    index, linkage = world
    first = build_partition(Plan(when_named), index, linkage)
    assume(first.clusters)
    plan = applied(Plan(when_named), [Rename(first.ref(0), "Cats"), SetThreshold(threshold)])
    named = {cluster.name: group for group, cluster in clusters(build_partition(plan, index, linkage)).items()}
    assert named["Cats"] == majority_group(sets(index, cut(linkage, threshold)), first.ref(0))


@given(st.lists(CURATIONS, max_size=12), st.sets(st.sampled_from(IDS)))
def test_edits_of_pictures_that_are_gone_are_unapplied(curations: list[Edit], left: set[str]) -> None:
    branch, keep = Branch(tuple(sorted(IDS[:2])), 0.5), sorted(left)
    plan = applied(Plan(), [*curations, SetBranch(branch)])
    partition = build_partition(plan, AssetIndex.from_ids(keep), dendrogram(unit_vectors(len(keep), 1)))
    unapplied = [edit.source for edit in partition.unapplied]
    for edit in plan.edits:
        match edit:
            case Rename(ref) | Describe(ref) | MarkNoGroup(ref) if left.isdisjoint(ref.sample_ids):
                assert edit in unapplied
            case Merge(refs) if any(left.isdisjoint(ref.sample_ids) for ref in refs):
                assert edit in unapplied
            case Move(asset_ids) if not left.issuperset(asset_ids):
                assert edit in unapplied
            case Split(_, pieces) if not left.issuperset(asset for piece in pieces for asset in piece):
                assert edit in unapplied
    assert {pin for asset, pin in pins(plan).items() if asset not in left} <= set(unapplied)
    assert (branch in unapplied) == (not left.issuperset(branch.leaf_ids))
    assert all(edit.sentence.endswith(".") and "\n" not in edit.sentence for edit in partition.unapplied)


@given(worlds(2), PLANS, PLANS)
def test_every_name_is_shown_or_replaced_or_listed_as_unapplied(world: World, before: Plan, plan: Plan) -> None:
    parents = build_partition(before, *world).known_clusters()
    partition = build_partition(plan, *world, parents)
    shown = {cluster.name for cluster in partition.clusters if cluster.confirmed}
    unapplied = [edit.source for edit in partition.unapplied]
    renames = [edit for edit in plan.edits if isinstance(edit, Rename)]
    claims = [(known.name, known.sample_ids, known, renames) for known in parents if known.confirmed]
    claims += [(edit.name, edit.ref.sample_ids, edit, renames[n + 1 :]) for n, edit in enumerate(renames)]
    for name, sample_ids, source, later in claims:
        # Of two samples that share half, the later one may mean the same cluster and then replaces the name.
        replaced = any(estimated_containment(sample_ids, edit.ref.sample_ids) >= 0.5 for edit in later)
        assert name in shown or replaced or source in unapplied


# A curator's story. Ten pictures: five cats, of which two are kittens, three boats, and two that are like nothing else.

CATS, KITTENS, BOATS, OTHERS = [0, 1, 2], [3, 4], [5, 6, 7], [8, 9]
STORY_IDS = tuple(asset_id(f"story {number}") for number in range(10))


def ids_of(*groups: list[int]) -> tuple[str, ...]:
    return tuple(STORY_IDS[number] for group in groups for number in group)


@pytest.fixture
def story() -> World:
    """Cats join at 0.95, kittens at 0.95, both at 0.80, boats at 0.90; all others far below."""
    similarity = np.full((10, 10), 0.1)
    for group, value in ((CATS + KITTENS, 0.8), (CATS, 0.95), (KITTENS, 0.95), (BOATS, 0.9)):
        similarity[np.ix_(group, group)] = value
    similarity[8:, :] = similarity[:, 8:] = -0.2
    np.fill_diagonal(similarity, 1)
    vectors = np.linalg.svd(similarity)[0] * np.sqrt(np.linalg.svd(similarity)[1])
    return AssetIndex.from_ids(STORY_IDS), dendrogram(vectors)


def at(threshold: float, *edits: Edit) -> Plan:
    return applied(Plan(threshold), edits)


def named(partition: Partition) -> dict[str, int]:
    return {cluster.name: cluster.size for cluster in partition.clusters if cluster.name}


CATS_REF, BOATS_REF = ClusterRef.from_members(ids_of(CATS, KITTENS)), ClusterRef.from_members(ids_of(BOATS))


def test_a_picture_alone_is_unclustered(story: World) -> None:
    partition = build_partition(Plan(0.75), *story)
    assert [cluster.size for cluster in partition.clusters] == [5, 3]
    assert partition.labels[OTHERS].tolist() == [-1, -1]
    assert [c.threshold for c in partition.clusters] == [0.75, 0.75]
    assert partition.clusters[1].id == "c" + min(ids_of(BOATS))[:10]


def test_small_clusters_are_unclustered_until_somebody_edits_them(story: World) -> None:
    few = build_partition(at(0.75, SetMinClusterSize(4)), *story)
    assert [cluster.size for cluster in few.clusters] == [5]
    for edit in (
        Rename(BOATS_REF, "Boats"),
        Describe(BOATS_REF, "on water"),
        MarkNoGroup(BOATS_REF, True),
        Pin(ids_of(BOATS)[:1], BOATS_REF),
        Merge((BOATS_REF, ClusterRef.from_members(ids_of(OTHERS)[:1]))),
    ):
        assert len(build_partition(at(0.75, SetMinClusterSize(4), edit), *story).clusters) == 2


def test_a_named_cluster_splits_under_a_higher_threshold_and_its_offshoot_has_a_suggested_name(story: World) -> None:
    saved = build_partition(at(0.75, Rename(CATS_REF, "Cats")), *story)
    assert named(saved) == {"Cats": 5}
    after = build_partition(at(0.93, Rename(CATS_REF, "Cats")), *story, parents=saved.known_clusters())
    assert named(after) == {"Cats": 3, "Cats · 2": 2}
    cats, offshoot = after.clusters
    assert (cats.id, cats.confirmed, cats.origin) == (saved.clusters[0].id, True, None)
    assert (offshoot.confirmed, offshoot.origin) == (False, cats.id)
    assert offshoot.id != cats.id
    # the boats fell apart at 0.93; nobody had named them, so nothing is lost
    assert after.unapplied == ()


def test_offshoots_are_numbered_past_names_that_are_taken(story: World) -> None:
    everything = build_partition(at(-1, Rename(ClusterRef.from_members(STORY_IDS), "All")), *story)
    taken = Rename(ClusterRef.from_members(ids_of(KITTENS)), "All · 2")
    assert named(build_partition(at(0.85, taken), *story, everything.known_clusters())) == {
        "All": 3,
        "All · 3": 3,
        "All · 2": 2,
    }
    whole = KnownCluster("c1", "x" * 80, True, "", False, tuple(sorted(STORY_IDS)), 10)
    assert max(map(len, named(build_partition(Plan(0.85), *story, [whole])))) == 80
    assert "x" * 72 + " · 2" in named(build_partition(Plan(0.85), *story, [whole]))


def test_a_saved_cluster_gets_no_annotation_from_an_edit_that_it_already_reflects(story: World) -> None:
    known = build_partition(Plan(0.75), *story).known_clusters()
    plan = at(0.75, Describe(BOATS_REF, "on water"))
    assert build_partition(plan, *story, known).clusters[1].description == "on water"
    assert build_partition(plan, *story, known, saved_edit_count=1).clusters[1].description == ""
    larger = build_partition(replace(plan, threshold=0.05), *story, known[1:], saved_edit_count=1)
    assert (larger.clusters[0].size, larger.clusters[0].description) == (8, "on water")


def test_a_name_given_to_an_offshoot_gives_way_when_the_clusters_join_again_and_is_listed(story: World) -> None:
    named_apart = [
        Rename(ClusterRef.from_members(ids_of(CATS)), "Cats"),
        Rename(ClusterRef.from_members(ids_of(KITTENS)), "Kittens"),
    ]
    assert named(build_partition(at(0.93, *named_apart), *story)) == {"Cats": 3, "Kittens": 2}
    joined = build_partition(at(0.75, *named_apart), *story)
    assert named(joined) == {"Cats": 5}
    assert [edit.sentence for edit in joined.unapplied] == [
        "The name ‘Kittens’ is not used: its pictures are now in a cluster that is called ‘Cats’."
    ]


def test_a_second_name_replaces_the_first_and_nothing_is_unapplied(story: World) -> None:
    partition = build_partition(at(0.75, Rename(CATS_REF, "Pets"), Rename(CATS_REF, "Cats")), *story)
    assert named(partition) == {"Cats": 5}
    assert partition.unapplied == ()
    renamed = build_partition(at(0.75, Rename(CATS_REF, "Felines")), *story, parents=partition.known_clusters())
    assert named(renamed) == {"Felines": 5}
    assert (renamed.unapplied, renamed.clusters[0].id) == ((), partition.clusters[0].id)


def test_two_named_clusters_that_are_merged_keep_one_name_and_the_other_is_listed(story: World) -> None:
    saved = build_partition(at(0.75, Rename(CATS_REF, "Cats"), Rename(BOATS_REF, "Boats")), *story)
    merged = build_partition(at(0.75, Merge((CATS_REF, BOATS_REF))), *story, parents=saved.known_clusters())
    assert named(merged) == {"Cats": 8}
    assert merged.clusters[0].edited
    assert [edit.sentence for edit in merged.unapplied] == [
        "‘Boats’ (3 pictures) is gone: its pictures are now in ‘Cats’."
    ]


def test_a_cluster_that_is_no_group_stays_a_cluster_with_its_mark_and_description(story: World) -> None:
    edits = (MarkNoGroup(CATS_REF, True), Describe(CATS_REF, "a bit of everything"))
    saved = build_partition(at(0.75, *edits), *story)
    again = build_partition(at(0.75), *story, parents=saved.known_clusters())
    for partition in (saved, again):
        assert (partition.clusters[0].no_group, partition.clusters[0].description) == (True, "a bit of everything")
    after_all = build_partition(
        at(0.75, MarkNoGroup(CATS_REF, False), Describe(CATS_REF, "")), *story, saved.known_clusters()
    )
    assert (after_all.clusters[0].no_group, after_all.clusters[0].description) == (False, "")
    assert after_all.unapplied == ()


def test_one_branch_has_its_own_threshold_wherever_the_slider_is(story: World) -> None:
    index, linkage = story
    whole = build_partition(Plan(0.75), index, linkage)
    assert whole.clusters[0].node is not None
    deeper = branch_at(linkage, index, whole.clusters[0].node, 0.93)
    for threshold in (0.75, 0.5):
        partition = build_partition(at(threshold, SetBranch(deeper)), index, linkage)
        assert sorted((c.size, c.threshold) for c in partition.clusters) == [
            (2, 0.93),
            (3, threshold),
            (3, 0.93),
        ]
    upward = replace(deeper, threshold=0.7)
    assert max(c.size for c in build_partition(at(0.93, SetBranch(upward)), index, linkage).clusters) == 5


def test_of_nested_branches_the_innermost_applies_and_a_cluster_in_two_has_the_stricter_threshold(story: World) -> None:
    index, linkage = story
    cats = next(c.node for c in build_partition(Plan(0.93), index, linkage).clusters if c.size == 3)
    outer = build_partition(Plan(0.75), index, linkage).clusters[0].node
    assert cats is not None
    assert outer is not None
    inner_first = [SetBranch(branch_at(linkage, index, node, own)) for node, own in ((cats, 0.94), (outer, 0.9))]
    for branches in (inner_first, inner_first[::-1]):
        partition = build_partition(at(0.75, *branches), index, linkage)
        assert [(c.size, c.threshold) for c in partition.clusters] == [(3, 0.94), (3, 0.75), (2, 0.9)]
    merged = build_partition(at(0.75, *inner_first, Merge((CATS_REF, BOATS_REF))), index, linkage)
    assert (merged.clusters[0].size, merged.clusters[0].threshold) == (6, 0.94)


def test_a_branch_that_lost_a_leaf_and_one_that_was_set_twice_are_listed(story: World) -> None:
    index, linkage = story
    gone, first = (
        Branch((asset_id("gone"), STORY_IDS[0]), 0.9),
        Branch(tuple(sorted((STORY_IDS[0], STORY_IDS[3]))), 0.9),
    )
    again = Branch(tuple(sorted((STORY_IDS[1], STORY_IDS[4]))), 0.6)
    partition = build_partition(at(0.95, SetBranch(gone), SetBranch(first), SetBranch(again)), index, linkage)
    unused = "The threshold 0.9 of one branch is not used"
    assert [(edit.source, edit.sentence) for edit in partition.unapplied] == [
        (gone, f"{unused}: a picture that marks the branch is no longer in the collection."),
        (first, f"{unused}: the same branch was set to 0.6 later."),
    ]


def test_unclustered_pictures_can_be_moved_pinned_named_and_unpinned(story: World) -> None:
    odd = ids_of(OTHERS)
    moved = build_partition(at(0.75, Move(odd[:1], BOATS_REF)), *story)
    assert [(c.size, c.edited, c.node is None) for c in moved.clusters] == [(5, False, False), (4, True, True)]
    own = build_partition(at(0.75, Move(odd, None)), *story)
    assert set(odd) in [set(group) for group in clusters(own)]
    alone = build_partition(at(0.75, Rename(ClusterRef.from_members(odd[:1]), "The odd one")), *story)
    assert named(alone) == {"The odd one": 1}
    pinned = Pin(odd[:1], CATS_REF)
    assert sorted(c.pinned for c in build_partition(at(0.75, pinned), *story).clusters) == [0, 1]
    assert sorted(c.pinned for c in build_partition(at(0.75, pinned, Unpin(odd[:1])), *story).clusters) == [0, 0]


def test_a_pin_outlives_the_merge_that_would_carry_it_away(story: World) -> None:
    kitten = ids_of(KITTENS)[:1]
    edits = (Pin(kitten, BOATS_REF), Move(kitten, CATS_REF), PairConstraint(kitten[0], STORY_IDS[0], True))
    partition = build_partition(at(0.75, *edits), *story)
    assert set(ids_of(BOATS)) | set(kitten) in [set(group) for group in clusters(partition)]


def test_edits_whose_cluster_has_left_the_collection_are_listed_and_change_nothing(story: World) -> None:
    gone = ClusterRef.from_members([asset_id("gone")])
    odd = ids_of(OTHERS)[:1]
    edits = (Move(odd, gone), Pin(odd, gone), Merge((gone, BOATS_REF)), Rename(gone, "Ghosts"))
    partition = build_partition(at(0.75, *edits), *story)
    assert sorted(cluster.size for cluster in partition.clusters) == [3, 5]
    assert not any(cluster.edited or cluster.pinned for cluster in partition.clusters)
    unknown = "the pictures that its cluster is known by are no longer in the collection."
    assert [edit.sentence for edit in partition.unapplied] == [
        f"The move of 1 picture is not done: {unknown}",
        "A merge could not be done with 1 of its 2 clusters: their pictures are no longer in the collection.",
        f"The pin of 1 picture is not done: {unknown}",
        "The name ‘Ghosts’ is not used: its pictures are no longer in the collection.",
    ]


def test_a_curated_cluster_whose_pictures_all_left_is_listed(story: World) -> None:
    ghosts = KnownCluster("c1", "Ghosts", True, "", False, (asset_id("gone"),), 1)
    assert [edit.sentence for edit in build_partition(at(0.75), *story, parents=(ghosts,)).unapplied] == [
        "‘Ghosts’ (1 picture) is gone: its pictures are no longer in the collection."
    ]


def test_a_new_cluster_never_takes_the_id_of_one_that_is_known(story: World) -> None:
    boats = build_partition(at(0.75), *story).clusters[1]
    other = KnownCluster(boats.id, "Ghosts", True, "", False, (asset_id("gone"),), 1)
    assert build_partition(at(0.75), *story, parents=(other,)).clusters[1].id == boats.id + "-2"


def test_a_dendrogram_of_another_collection_is_refused(story: World) -> None:
    with pytest.raises(ClusterError, match="the dendrogram has 10 pictures, the collection 2"):
        build_partition(Plan(), AssetIndex.from_ids(IDS[:2]), story[1])
    with pytest.raises(ClusterError, match="1 of 3 asset ids are listed twice"):
        AssetIndex.from_ids([*IDS[:2], IDS[0]])


def test_an_empty_collection_and_one_of_one_picture_have_partitions() -> None:
    for count in (0, 1):
        index, linkage = world(count, 0)
        partition = build_partition(Plan(), index, linkage)
        assert partition.labels.tolist() == [-1] * count
        assert partition.clusters == ()
