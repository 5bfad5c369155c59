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
    SetSmallest,
    SetThreshold,
    Split,
    Unpin,
)
from core.clusters.edits.plan import Plan, apply, pins
from core.clusters.lineage.matching import KnownCluster
from core.clusters.tree.asset_index import AssetIndex, estimated_containment
from core.clusters.tree.branches import branch_at
from core.clusters.tree.cut import cut, members, nodes_at
from core.clusters.tree.linkage import Linkage
from core.clusters.views.partition import Cluster, Partition, materialise
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


def sets(roster: AssetIndex, labels: np.ndarray) -> set[frozenset[str]]:
    groups: dict[int, set[str]] = {}
    for row, label in enumerate(labels.tolist()):
        groups.setdefault(label, set()).add(roster.asset_ids[row])
    return {frozenset(group) for group in groups.values()}


def holding_most(groups: set[frozenset[str]], ref: ClusterRef) -> frozenset[str] | None:
    """What a reference means, worked out the slow way."""
    held = [group for group in groups if group & set(ref.witnesses)]
    return min(held, key=lambda group: (-len(group & set(ref.witnesses)), min(group)), default=None)


def home(partition: Partition, asset: str) -> int:
    return int(partition.labels[partition.asset_ids.index(asset)])


def clusters(partition: Partition) -> dict[frozenset[str], Cluster]:
    return {frozenset(partition.members(number)): cluster for number, cluster in enumerate(partition.clusters)}


@given(worlds(), THRESHOLDS, st.integers(1, 4))
def test_a_plan_without_edits_is_the_cut(world: World, threshold: float, smallest: int) -> None:
    roster, linkage = world
    partition = materialise(Plan(threshold, smallest), roster, linkage)
    expected = {group for group in sets(roster, cut(linkage, threshold)) if len(group) >= max(2, smallest)}
    assert set(clusters(partition)) == expected
    assert {c.node for c in partition.clusters} <= set(nodes_at(linkage, threshold).tolist())
    assert partition.losses == ()


@given(worlds(), PLANS, PLANS)
def test_every_asset_is_in_exactly_one_place(world: World, before: Plan, plan: Plan) -> None:
    roster, linkage = world
    partition = materialise(plan, roster, linkage, materialise(before, roster, linkage).known())
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
def test_a_cluster_names_its_node_exactly_where_it_is_one(world: World, plan: Plan) -> None:
    roster, linkage = world
    nodes = {frozenset(roster.asset_ids[r] for r in members(linkage, v)): v for v in range(2 * linkage.n - 1)}
    for group, cluster in clusters(materialise(plan, roster, linkage)).items():
        assert cluster.node == nodes.get(group)


@given(st.integers(0, 24), st.integers(0, 2**32 - 1), st.randoms(use_true_random=False), PLANS, PLANS)
def test_the_order_of_rows_does_not_matter(count: int, seed: int, random: Random, before: Plan, plan: Plan) -> None:
    vectors, order = unit_vectors(count, seed), list(range(count))
    random.shuffle(order)
    seen = []
    for rows in (list(range(count)), order):
        roster, linkage = AssetIndex.of([IDS[row] for row in rows]), dendrogram(vectors[rows])
        partition = materialise(plan, roster, linkage, materialise(before, roster, linkage).known())
        where = {asset: home(partition, asset) for asset in roster.asset_ids}
        seen.append((where, [cluster._replace(node=None) for cluster in partition.clusters], partition.losses))
    assert seen[0] == seen[1]


@given(worlds(), PLANS, PLANS)
def test_a_saved_plan_gives_the_same_partition_again(world: World, before: Plan, plan: Plan) -> None:
    first = materialise(plan, *world, materialise(before, *world).known())
    again = materialise(plan, *world, first.known(), settled=len(plan.edits))
    assert [c._replace(origin=None) for c in again.clusters] == [c._replace(origin=None) for c in first.clusters]
    assert np.array_equal(again.labels, first.labels)


@given(worlds(), THRESHOLDS, some_ids(), REFS)
def test_moved_pictures_are_where_they_were_moved_at_any_threshold(
    world: World, threshold: float, moved: tuple[str, ...], to: ClusterRef
) -> None:
    roster, linkage = world
    here = [asset for asset in moved if asset in roster.place_of]
    partition = materialise(applied(Plan(threshold), [Move(moved, to)]), roster, linkage)
    target = holding_most(sets(roster, cut(linkage, threshold)), to)
    if target is None:
        assert any(loss.of == Move(moved, to) for loss in partition.losses)
    elif here:
        assert {home(partition, asset) for asset in (*here, *(target - set(here)))} == {home(partition, here[0])}
        assert home(partition, here[0]) >= 0


@given(worlds(), PLANS, some_ids())
def test_pictures_moved_into_a_cluster_of_their_own_are_alone_together(
    world: World, plan: Plan, moved: tuple[str, ...]
) -> None:
    roster, linkage = world
    here = frozenset(moved) & set(roster.asset_ids)
    assume(here and not any(isinstance(edit, Pin) for edit in plan.edits))
    assert here in clusters(materialise(apply(plan, Move(moved, None)), roster, linkage))


@given(worlds(), PLANS, REFS, st.sets(st.sampled_from(IDS), min_size=2), st.integers(1, 23))
def test_every_piece_that_was_split_off_is_a_cluster(
    world: World, plan: Plan, ref: ClusterRef, ids: set[str], at: int
) -> None:
    roster, linkage = world
    assume(not any(isinstance(edit, Pin) for edit in plan.edits))
    pieces = tuple(piece for piece in (tuple(sorted(ids)[:at]), tuple(sorted(ids)[at:])) if piece)
    found = clusters(materialise(apply(plan, Split(ref, pieces)), roster, linkage))
    for piece in pieces:
        here = frozenset(piece) & set(roster.asset_ids)
        assert not here or here in found


@given(worlds(), PLANS, THRESHOLDS, some_ids(), REFS)
def test_pinned_pictures_are_together_whatever_else_is_done(
    world: World, plan: Plan, threshold: float, pinned: tuple[str, ...], to: ClusterRef
) -> None:
    roster, linkage = world
    plan = applied(plan, [Pin(pinned, to), SetThreshold(threshold)])
    here = [asset for asset in pinned if asset in roster.place_of]
    if not any(witness in roster.place_of for witness in to.witnesses):
        return
    partition = materialise(plan, roster, linkage)
    assert len({home(partition, asset) for asset in here}) <= 1
    assert all(partition.clusters[home(partition, asset)].pinned >= len(here) for asset in here)


@given(worlds(), THRESHOLDS, some_ids(), REFS)
def test_pinned_pictures_are_in_the_cluster_that_holds_most_of_its_witnesses(
    world: World, threshold: float, pinned: tuple[str, ...], to: ClusterRef
) -> None:
    roster, linkage = world
    target = holding_most(sets(roster, cut(linkage, threshold)), to) or frozenset()
    here = [asset for asset in pinned if asset in roster.place_of]
    assume(target and here)
    partition = materialise(applied(Plan(threshold), [Pin(pinned, to)]), roster, linkage)
    assert {home(partition, asset) for asset in (*here, *(target - set(here)))} == {home(partition, here[0])}


@given(worlds(), THRESHOLDS, st.lists(REFS, min_size=2, max_size=4, unique=True))
def test_a_merge_survives_raising_and_lowering_the_threshold(
    world: World, threshold: float, refs: list[ClusterRef]
) -> None:
    roster, linkage = world
    plan = applied(Plan(threshold), [Merge(tuple(refs))])
    groups = sets(roster, cut(linkage, threshold))
    found = [group for ref in refs if (group := holding_most(groups, ref))]
    assume(len(found) == len(refs))
    assert frozenset().union(*found) in clusters(materialise(plan, roster, linkage))


@given(worlds(), THRESHOLDS, THRESHOLDS)
def test_a_name_stays_with_most_of_its_pictures_at_any_threshold(
    world: World, when_named: float, threshold: float
) -> None:
    roster, linkage = world
    first = materialise(Plan(when_named), roster, linkage)
    assume(first.clusters)
    plan = applied(Plan(when_named), [Rename(first.ref(0), "Cats"), SetThreshold(threshold)])
    named = {cluster.name: group for group, cluster in clusters(materialise(plan, roster, linkage)).items()}
    assert named["Cats"] == holding_most(sets(roster, cut(linkage, threshold)), first.ref(0))


@given(st.lists(CURATIONS, max_size=12), st.sets(st.sampled_from(IDS)))
def test_whatever_names_pictures_that_are_gone_is_a_loss(curations: list[Edit], left: set[str]) -> None:
    branch, keep = Branch(tuple(sorted(IDS[:2])), 0.5), sorted(left)
    plan = applied(Plan(), [*curations, SetBranch(branch)])
    partition = materialise(plan, AssetIndex.of(keep), dendrogram(unit_vectors(len(keep), 1)))
    lost = [loss.of for loss in partition.losses]
    for edit in plan.edits:
        match edit:
            case Rename(ref) | Describe(ref) | MarkNoGroup(ref) if left.isdisjoint(ref.witnesses):
                assert edit in lost
            case Merge(refs) if any(left.isdisjoint(ref.witnesses) for ref in refs):
                assert edit in lost
            case Move(asset_ids) if not left.issuperset(asset_ids):
                assert edit in lost
            case Split(_, pieces) if not left.issuperset(asset for piece in pieces for asset in piece):
                assert edit in lost
    assert {pin for asset, pin in pins(plan).items() if asset not in left} <= set(lost)
    assert (branch in lost) == (not left.issuperset(branch.witnesses))
    assert all(loss.sentence.endswith(".") and "\n" not in loss.sentence for loss in partition.losses)


@given(worlds(2), PLANS, PLANS)
def test_every_name_is_shown_or_replaced_or_listed_as_lost(world: World, before: Plan, plan: Plan) -> None:
    parents = materialise(before, *world).known()
    partition = materialise(plan, *world, parents)
    shown = {cluster.name for cluster in partition.clusters if cluster.confirmed}
    lost = [loss.of for loss in partition.losses]
    renames = [edit for edit in plan.edits if isinstance(edit, Rename)]
    claims = [(known.name, known.sketch, known, renames) for known in parents if known.confirmed]
    claims += [(edit.name, edit.ref.witnesses, edit, renames[n + 1 :]) for n, edit in enumerate(renames)]
    for name, witnesses, source, later in claims:
        replaced = any(estimated_containment(witnesses, edit.ref.witnesses) > 0.5 for edit in later)
        assert name in shown or replaced or source in lost


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
    return AssetIndex.of(STORY_IDS), dendrogram(vectors)


def at(threshold: float, *edits: Edit) -> Plan:
    return applied(Plan(threshold), edits)


def named(partition: Partition) -> dict[str, int]:
    return {cluster.name: cluster.size for cluster in partition.clusters if cluster.name}


CATS_REF, BOATS_REF = ClusterRef.of(ids_of(CATS, KITTENS)), ClusterRef.of(ids_of(BOATS))


def test_what_is_alone_is_unclustered(story: World) -> None:
    partition = materialise(Plan(0.75), *story)
    assert [cluster.size for cluster in partition.clusters] == [5, 3]
    assert partition.labels[OTHERS].tolist() == [-1, -1]
    assert [c.threshold for c in partition.clusters] == [0.75, 0.75]
    assert partition.clusters[1].id == "c" + min(ids_of(BOATS))[:10]


def test_small_clusters_are_unclustered_until_somebody_edits_them(story: World) -> None:
    few = materialise(at(0.75, SetSmallest(4)), *story)
    assert [cluster.size for cluster in few.clusters] == [5]
    for edit in (
        Rename(BOATS_REF, "Boats"),
        Describe(BOATS_REF, "on water"),
        MarkNoGroup(BOATS_REF, True),
        Pin(ids_of(BOATS)[:1], BOATS_REF),
        Merge((BOATS_REF, ClusterRef.of(ids_of(OTHERS)[:1]))),
    ):
        assert len(materialise(at(0.75, SetSmallest(4), edit), *story).clusters) == 2


def test_a_named_cluster_splits_under_a_higher_threshold_and_its_offshoot_has_a_suggested_name(story: World) -> None:
    saved = materialise(at(0.75, Rename(CATS_REF, "Cats")), *story)
    assert named(saved) == {"Cats": 5}
    after = materialise(at(0.93, Rename(CATS_REF, "Cats")), *story, parents=saved.known())
    assert named(after) == {"Cats": 3, "Cats · 2": 2}
    cats, offshoot = after.clusters
    assert (cats.id, cats.confirmed, cats.origin) == (saved.clusters[0].id, True, None)
    assert (offshoot.confirmed, offshoot.origin) == (False, cats.id)
    assert offshoot.id != cats.id
    # the boats fell apart at 0.93; nobody had named them, so nothing is lost
    assert after.losses == ()


def test_offshoots_are_numbered_past_names_that_are_taken(story: World) -> None:
    everything = materialise(at(-1, Rename(ClusterRef.of(STORY_IDS), "All")), *story)
    taken = Rename(ClusterRef.of(ids_of(KITTENS)), "All · 2")
    assert named(materialise(at(0.85, taken), *story, everything.known())) == {"All": 3, "All · 3": 3, "All · 2": 2}
    whole = KnownCluster("c1", "x" * 80, True, "", False, tuple(sorted(STORY_IDS)), 10)
    assert max(map(len, named(materialise(Plan(0.85), *story, [whole])))) == 80
    assert "x" * 72 + " · 2" in named(materialise(Plan(0.85), *story, [whole]))


def test_what_a_saved_cluster_does_not_have_comes_from_no_edit_that_it_knows_of(story: World) -> None:
    known = materialise(Plan(0.75), *story).known()
    plan = at(0.75, Describe(BOATS_REF, "on water"))
    assert materialise(plan, *story, known).clusters[1].description == "on water"
    assert materialise(plan, *story, known, settled=1).clusters[1].description == ""
    larger = materialise(replace(plan, threshold=0.05), *story, known[1:], settled=1)
    assert (larger.clusters[0].size, larger.clusters[0].description) == (8, "on water")


def test_a_name_given_to_an_offshoot_gives_way_when_the_clusters_join_again_and_is_listed(story: World) -> None:
    named_apart = [Rename(ClusterRef.of(ids_of(CATS)), "Cats"), Rename(ClusterRef.of(ids_of(KITTENS)), "Kittens")]
    assert named(materialise(at(0.93, *named_apart), *story)) == {"Cats": 3, "Kittens": 2}
    joined = materialise(at(0.75, *named_apart), *story)
    assert named(joined) == {"Cats": 5}
    assert [loss.sentence for loss in joined.losses] == [
        "The name ‘Kittens’ is not used: its pictures are now in a cluster that is called ‘Cats’."
    ]


def test_a_second_name_replaces_the_first_and_nothing_is_lost(story: World) -> None:
    partition = materialise(at(0.75, Rename(CATS_REF, "Pets"), Rename(CATS_REF, "Cats")), *story)
    assert named(partition) == {"Cats": 5}
    assert partition.losses == ()
    renamed = materialise(at(0.75, Rename(CATS_REF, "Felines")), *story, parents=partition.known())
    assert named(renamed) == {"Felines": 5}
    assert (renamed.losses, renamed.clusters[0].id) == ((), partition.clusters[0].id)


def test_two_named_clusters_that_are_merged_keep_one_name_and_the_other_is_listed(story: World) -> None:
    saved = materialise(at(0.75, Rename(CATS_REF, "Cats"), Rename(BOATS_REF, "Boats")), *story)
    merged = materialise(at(0.75, Merge((CATS_REF, BOATS_REF))), *story, parents=saved.known())
    assert named(merged) == {"Cats": 8}
    assert merged.clusters[0].edited
    assert [loss.sentence for loss in merged.losses] == [
        "‘Boats’ (3 pictures) is gone: its pictures are now in ‘Cats’."
    ]


def test_a_cluster_that_is_no_group_stays_a_cluster_with_its_mark_and_description(story: World) -> None:
    edits = (MarkNoGroup(CATS_REF, True), Describe(CATS_REF, "a bit of everything"))
    saved = materialise(at(0.75, *edits), *story)
    again = materialise(at(0.75), *story, parents=saved.known())
    for partition in (saved, again):
        assert (partition.clusters[0].no_group, partition.clusters[0].description) == (True, "a bit of everything")
    after_all = materialise(at(0.75, MarkNoGroup(CATS_REF, False), Describe(CATS_REF, "")), *story, saved.known())
    assert (after_all.clusters[0].no_group, after_all.clusters[0].description) == (False, "")
    assert after_all.losses == ()


def test_one_branch_has_its_own_threshold_wherever_the_slider_is(story: World) -> None:
    roster, linkage = story
    whole = materialise(Plan(0.75), roster, linkage)
    assert whole.clusters[0].node is not None
    deeper = branch_at(linkage, roster, whole.clusters[0].node, 0.93)
    for threshold in (0.75, 0.5):
        partition = materialise(at(threshold, SetBranch(deeper)), roster, linkage)
        assert sorted((c.size, c.threshold) for c in partition.clusters) == [
            (2, 0.93),
            (3, threshold),
            (3, 0.93),
        ]
    upward = replace(deeper, threshold=0.7)
    assert max(c.size for c in materialise(at(0.93, SetBranch(upward)), roster, linkage).clusters) == 5


def test_of_branches_within_each_other_the_inner_one_holds_and_a_cluster_of_two_has_the_stricter(story: World) -> None:
    roster, linkage = story
    cats = next(c.node for c in materialise(Plan(0.93), roster, linkage).clusters if c.size == 3)
    outer = materialise(Plan(0.75), roster, linkage).clusters[0].node
    assert cats is not None
    assert outer is not None
    inner_first = [SetBranch(branch_at(linkage, roster, node, own)) for node, own in ((cats, 0.94), (outer, 0.9))]
    for branches in (inner_first, inner_first[::-1]):
        partition = materialise(at(0.75, *branches), roster, linkage)
        assert [(c.size, c.threshold) for c in partition.clusters] == [(3, 0.94), (3, 0.75), (2, 0.9)]
    merged = materialise(at(0.75, *inner_first, Merge((CATS_REF, BOATS_REF))), roster, linkage)
    assert (merged.clusters[0].size, merged.clusters[0].threshold) == (6, 0.94)


def test_a_branch_that_lost_a_witness_and_one_that_was_set_twice_are_listed(story: World) -> None:
    roster, linkage = story
    gone, first = (
        Branch((asset_id("gone"), STORY_IDS[0]), 0.9),
        Branch(tuple(sorted((STORY_IDS[0], STORY_IDS[3]))), 0.9),
    )
    again = Branch(tuple(sorted((STORY_IDS[1], STORY_IDS[4]))), 0.6)
    partition = materialise(at(0.95, SetBranch(gone), SetBranch(first), SetBranch(again)), roster, linkage)
    unused = "The threshold 0.9 of one branch is not used"
    assert [(loss.of, loss.sentence) for loss in partition.losses] == [
        (gone, f"{unused}: a picture that marks the branch is no longer in the collection."),
        (first, f"{unused}: the same branch was set to 0.6 later."),
    ]


def test_unclustered_pictures_can_be_moved_pinned_named_and_let_go(story: World) -> None:
    odd = ids_of(OTHERS)
    moved = materialise(at(0.75, Move(odd[:1], BOATS_REF)), *story)
    assert [(c.size, c.edited, c.node is None) for c in moved.clusters] == [(5, False, False), (4, True, True)]
    own = materialise(at(0.75, Move(odd, None)), *story)
    assert set(odd) in [set(group) for group in clusters(own)]
    alone = materialise(at(0.75, Rename(ClusterRef.of(odd[:1]), "The odd one")), *story)
    assert named(alone) == {"The odd one": 1}
    pinned = Pin(odd[:1], CATS_REF)
    assert sorted(c.pinned for c in materialise(at(0.75, pinned), *story).clusters) == [0, 1]
    assert sorted(c.pinned for c in materialise(at(0.75, pinned, Unpin(odd[:1])), *story).clusters) == [0, 0]


def test_a_pin_outlives_the_merge_that_would_carry_it_away(story: World) -> None:
    kitten = ids_of(KITTENS)[:1]
    edits = (Pin(kitten, BOATS_REF), Move(kitten, CATS_REF), PairConstraint(kitten[0], STORY_IDS[0], True))
    partition = materialise(at(0.75, *edits), *story)
    assert set(ids_of(BOATS)) | set(kitten) in [set(group) for group in clusters(partition)]


def test_edits_whose_cluster_has_left_the_collection_are_listed_and_change_nothing(story: World) -> None:
    gone = ClusterRef.of([asset_id("gone")])
    odd = ids_of(OTHERS)[:1]
    edits = (Move(odd, gone), Pin(odd, gone), Merge((gone, BOATS_REF)), Rename(gone, "Ghosts"))
    partition = materialise(at(0.75, *edits), *story)
    assert sorted(cluster.size for cluster in partition.clusters) == [3, 5]
    assert not any(cluster.edited or cluster.pinned for cluster in partition.clusters)
    unknown = "the pictures that its cluster is known by are no longer in the collection."
    assert [loss.sentence for loss in partition.losses] == [
        f"The move of 1 picture is not done: {unknown}",
        "A merge could not be done with 1 of its 2 clusters: their pictures are no longer in the collection.",
        f"The pin of 1 picture is not done: {unknown}",
        "The name ‘Ghosts’ is not used: its pictures are no longer in the collection.",
    ]


def test_a_curated_cluster_whose_pictures_all_left_is_listed(story: World) -> None:
    ghosts = KnownCluster("c1", "Ghosts", True, "", False, (asset_id("gone"),), 1)
    assert [loss.sentence for loss in materialise(at(0.75), *story, parents=(ghosts,)).losses] == [
        "‘Ghosts’ (1 picture) is gone: its pictures are no longer in the collection."
    ]


def test_a_new_cluster_never_takes_the_id_of_one_that_is_known(story: World) -> None:
    boats = materialise(at(0.75), *story).clusters[1]
    other = KnownCluster(boats.id, "Ghosts", True, "", False, (asset_id("gone"),), 1)
    assert materialise(at(0.75), *story, parents=(other,)).clusters[1].id == boats.id + "-2"


def test_a_dendrogram_of_another_collection_is_refused(story: World) -> None:
    with pytest.raises(ClusterError, match="the dendrogram has 10 pictures, the collection 2"):
        materialise(Plan(), AssetIndex.of(IDS[:2]), story[1])
    with pytest.raises(ClusterError, match="1 of 3 asset ids are listed twice"):
        AssetIndex.of([*IDS[:2], IDS[0]])


def test_nothing_and_a_single_picture_are_partitions_too() -> None:
    for count in (0, 1):
        roster, linkage = world(count, 0)
        partition = materialise(Plan(), roster, linkage)
        assert partition.labels.tolist() == [-1] * count
        assert partition.clusters == ()
