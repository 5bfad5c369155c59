from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.clusters.edits.plan import Plan
from core.clusters.lineage.diff import ClusterLike, Diff, PartitionLike, apply_diff, assignment, diff
from core.clusters.lineage.diff_sentences import sentences
from core.clusters.tree.asset_index import AssetIndex
from core.clusters.tree.linkage import Linkage
from core.clusters.views.partition import materialise
from tests.fakes.dendrograms import IDS, PLANS, worlds


@dataclass(frozen=True)
class Saved:
    """A cluster as a revision may hold it."""

    id: str
    name: str = ""
    confirmed: bool = False
    description: str = ""
    size: int = 0
    threshold: float = 0.82
    no_group: bool = False


@dataclass(frozen=True, eq=False)
class Clusters:
    """Assets in clusters, as a revision may hold them."""

    asset_ids: tuple[str, ...]
    labels: np.ndarray
    clusters: tuple[Saved, ...] = field(default=())


def laid_out(groups: Mapping[str, Sequence[int] | range], unclustered: Sequence[int] | range = ()) -> Clusters:
    """Clusters by name (in capitals: one that nobody gave, and not shown) with the numbers of their assets."""
    members = [(str(n), label) for label, numbers in enumerate(groups.values()) for n in numbers]
    members += [(str(n), -1) for n in unclustered]
    sizes = Counter(label for _, label in members)
    clusters = tuple(
        Saved(name, "" if name.isupper() else name, not name.isupper(), size=sizes[label])
        for label, name in enumerate(groups)
    )
    return Clusters(tuple(a for a, _ in members), np.array([label for _, label in members], np.int32), clusters)


@st.composite
def partitions(draw: st.DrawFn, ids: Sequence[str] = IDS[:14]) -> Clusters:
    assets = draw(st.lists(st.sampled_from(ids), unique=True))
    labels = np.array([draw(st.integers(-1, 4)) for _ in assets], np.int32)
    used = sorted(set(labels.tolist()) - {-1})
    number = {label: place for place, label in enumerate(used)} | {-1: -1}
    names = draw(st.lists(st.sampled_from("abcdefgh"), min_size=len(used), max_size=len(used), unique=True))
    clusters = tuple(
        Saved(name, name, draw(st.booleans()), size=int((labels == label).sum()))
        for label, name in zip(used, names, strict=True)
    )
    return Clusters(tuple(assets), np.array([number[label] for label in labels.tolist()], np.int32), clusters)


@given(partitions(), partitions())
def test_the_difference_of_a_and_b_applied_to_a_gives_b(a: Clusters, b: Clusters) -> None:
    assert apply_diff(a, diff(a, b)) == assignment(b)


@given(worlds(), worlds(), PLANS, PLANS)
def test_it_holds_between_plans_and_between_versions_of_a_collection(
    one: tuple[AssetIndex, Linkage], other: tuple[AssetIndex, Linkage], before: Plan, after: Plan
) -> None:
    a = materialise(before, *one)
    for world in (one, other):
        b = materialise(after, *world, a.known())
        assert apply_diff(a, diff(a, b)) == assignment(b)


@given(partitions())
def test_nothing_is_different_from_itself(a: Clusters) -> None:
    same = diff(a, a)
    assert not any((same.flows, same.added, same.removed, same.splits, same.merges, same.vanished, same.appeared))
    assert not any((same.moved, same.affected, same.renamed, same.described, same.marked, same.thresholds))
    assert sentences(same) == ["Nothing changes."]


@given(partitions(), partitions(), st.randoms(use_true_random=False))
def test_the_order_of_rows_makes_no_difference(a: Clusters, b: Clusters, random: Random) -> None:
    order = list(range(len(b.asset_ids)))
    random.shuffle(order)
    shuffled = replace(b, asset_ids=tuple(b.asset_ids[row] for row in order), labels=b.labels[order])
    assert sentences(diff(a, b), 99) == sentences(diff(a, shuffled), 99)


def told_pairs(found: Diff) -> Counter[tuple[str | None, str | None]]:
    """How many pictures of each change of place are told of as a split, a merge, or a move."""

    def id_of(cluster: ClusterLike | None) -> str | None:
        return cluster.id if cluster else None

    told: Counter[tuple[str | None, str | None]] = Counter()
    for split in found.splits:
        told.update({(split.before.id, piece.cluster.id): piece.pictures for piece in split.pieces})
    merged = {(part.cluster.id, merge.after.id): part.pictures for merge in found.merges for part in merge.parts}
    told |= Counter(merged)
    moved = {(id_of(move.before), id_of(move.after)): move.pictures for move in found.moved}
    assert not set(told) & set(moved)
    return told + Counter(moved)


@given(partitions(), partitions())
def test_every_change_of_place_is_told_of(a: Clusters, b: Clusters) -> None:
    found = diff(a, b)
    told = told_pairs(found)
    vanished, appeared = {c.id for c in found.vanished}, {c.id for c in found.appeared}
    for flow in found.flows:
        if flow.after is None and flow.before in vanished:
            continue
        if flow.before is None and flow.after in appeared:
            continue
        assert told.pop((flow.before, flow.after)) == len(flow.asset_ids)
    assert set(told) <= {(old.id, new.id) for old, new in found.continues}


@given(partitions(), partitions())
def test_a_named_cluster_is_affected_exactly_if_its_members_change(a: Clusters, b: Clusters) -> None:
    def members(side: PartitionLike, cluster_id: str, shared: set[str]) -> set[str]:
        return {asset for asset, cluster in assignment(side).items() if cluster == cluster_id and asset in shared}

    found, shared = diff(a, b), set(a.asset_ids) & set(b.asset_ids)
    goes_on = {old.id: new.id for old, new in found.continues}
    for cluster in a.clusters:
        same = cluster.id in goes_on and members(a, cluster.id, shared) == members(b, goes_on[cluster.id], shared)
        assert (cluster in found.affected) == (cluster.confirmed and not same)


def test_a_split_tells_the_pieces() -> None:
    before = laid_out({"Cats": range(57)})
    after = laid_out({"Cats": range(41), "B": range(41, 53), "C": range(53, 57)})
    assert sentences(diff(before, after)) == [
        "16 pictures change place; 1 cluster before, 3 after.",
        "Named clusters affected: ‘Cats’.",
        "‘Cats’ splits into 3: 41, 12 and 4 pictures.",
    ]


def test_a_split_into_many_tells_the_largest_pieces() -> None:
    before = laid_out({"Cats": range(30)})
    after = laid_out({"ABCDEF"[n] * 2: range(n * 5, n * 5 + 5) for n in range(6)})
    assert "‘Cats’ splits into 6, the largest with 5, 5, 5 and 5 pictures." in sentences(diff(before, after))


def test_a_merge_tells_who_comes_together() -> None:
    before = laid_out({"Cats": range(5), "Dogs": range(5, 9), "X": range(9, 12)})
    after = laid_out({"Cats": range(12)})
    assert sentences(diff(before, after))[2:] == [
        "‘Cats’, ‘Dogs’ and a cluster of 3 pictures merge into ‘Cats’ (12 pictures)."
    ]


def test_pictures_move_between_clusters_that_go_on() -> None:
    before = laid_out({"Boats": range(20), "Harbours": range(20, 40)}, range(40, 42))
    after = laid_out({"Boats": [*range(13), 40], "Harbours": [*range(13, 19), *range(20, 40), 41]}, [19])
    assert sentences(diff(before, after)) == [
        "9 pictures change place.",
        "Named clusters affected: ‘Boats’ and ‘Harbours’.",
        "6 pictures move from ‘Boats’ to ‘Harbours’.",
        "1 picture moves from unclustered to ‘Boats’.",
        "1 picture moves from unclustered to ‘Harbours’.",
        "1 picture moves from ‘Boats’ to unclustered.",
    ]


def test_clusters_vanish_and_appear() -> None:
    before = laid_out({"Boats": range(5), "X": range(5, 8)}, range(8, 14))
    after = laid_out({"Stars": range(8, 10), "Y": range(10, 12), "Z": range(12, 14)}, range(8))
    assert sentences(diff(before, after)) == [
        "14 pictures change place; 2 clusters before, 3 after.",
        "Named clusters affected: ‘Boats’.",
        "‘Boats’ with its 5 pictures is gone: most of them are unclustered now.",
        "‘Stars’ is new, with 2 pictures.",
        "2 new clusters appear, with 4 pictures.",
        "1 cluster without a name, with 3 pictures, is gone.",
    ]


def test_a_cluster_that_goes_into_another_and_one_that_comes_off_are_told_of() -> None:
    before = laid_out({"Cats": range(10), "Dogs": range(10, 13)}, range(13, 33))
    after = laid_out({"Pets": [*range(6), *range(13, 33)], "Paws": [6, 7, 8, 10], "X": [9], "Dogs": [11, 12]})
    assert sentences(diff(before, after)) == [
        "31 pictures change place; 2 clusters before, 4 after.",
        "Named clusters affected: ‘Cats’ and ‘Dogs’.",
        "‘Cats’ goes into ‘Pets’ (26 pictures).",
        "20 pictures move from unclustered to ‘Pets’.",
        "‘Cats’ splits into 2: 3 and 1 pictures.",
        "1 picture moves from ‘Dogs’ to ‘Paws’.",
    ]
    alone = laid_out({"Pets": [*range(6), *range(13, 33)], "Paws": range(6, 10), "Dogs": range(10, 13)})
    assert "4 pictures of ‘Cats’ become ‘Paws’." in sentences(diff(before, alone))
    single = laid_out({"Pets": [*range(9), *range(13, 33)], "X": [9], "Dogs": range(10, 13)})
    assert "1 picture of ‘Cats’ becomes a cluster of its own." in sentences(diff(before, single))


def test_a_cluster_that_leaves_a_piece_behind_is_not_said_to_be_gone() -> None:
    before, after = laid_out({"Cats": range(10)}), laid_out({"X": range(4)}, range(4, 10))
    assert sentences(diff(before, after))[2:] == [
        "6 pictures move from ‘Cats’ to unclustered.",
        "4 pictures of ‘Cats’ become a cluster of their own.",
    ]
    pieces = sentences(diff(after, before))
    assert "A cluster of 4 pictures goes into ‘Cats’ (10 pictures)." in pieces
    assert "6 pictures move from unclustered to ‘Cats’." in pieces


def test_names_descriptions_marks_and_thresholds_are_told_of() -> None:
    before = laid_out({"Cats": range(5), "X": range(5, 9), "Junk": range(9, 12), "Old": range(12, 14)})
    cats, x, junk, old = before.clusters
    suggested = replace(before, clusters=(cats, replace(x, name="Sea"), junk, old))
    after = replace(
        before,
        clusters=(
            replace(cats, name="Felines", description="all kinds", threshold=0.9),
            replace(x, name="Sea", confirmed=True, threshold=0.9),
            replace(junk, no_group=True),
            replace(old, name="", confirmed=False),
        ),
    )
    assert sentences(diff(suggested, after)) == [
        "The threshold of 2 clusters changes from 0.82 to 0.9.",
        "‘Cats’ is called ‘Felines’ now.",
        "The description of ‘Cats’ changes.",
        "The name ‘Sea’ is confirmed.",
        "‘Junk’ is marked as not a group.",
        "‘Old’ has no name any more.",
    ]
    back = sentences(diff(after, suggested))
    assert "‘Junk’ counts as a group again." in back
    assert "The name ‘Sea’ is a suggestion again." in back
    assert "A cluster of 4 pictures is called ‘Sea’ now." in sentences(diff(before, after))


def test_what_the_collection_gained_and_lost_is_told_of_and_moves_nothing() -> None:
    before = laid_out({"Cats": range(5), "Ghosts": range(20, 23)})
    after = laid_out({"Cats": range(7)}, [7])
    assert sentences(diff(before, after)) == [
        "Named clusters affected: ‘Ghosts’.",
        "‘Ghosts’ with its 3 pictures is gone: they are no longer in the collection.",
        "New in the collection: 3 pictures, 2 of them in clusters.",
        "No longer in the collection: 3 pictures.",
    ]


def test_the_most_important_comes_first_and_the_rest_is_counted() -> None:
    wide = {f"{chr(65 + n)}{chr(65 + n)}": range(n * 10, n * 10 + 10) for n in range(20)}
    halves = {f"{name}{half}": numbers[half * 5 : half * 5 + 5] for name, numbers in wide.items() for half in (0, 1)}
    before = laid_out({"Cats": range(300, 303), **wide})
    after = laid_out({"Cats": range(300, 302), **halves}, [302])
    lines = sentences(diff(before, after), 6)
    assert len(lines) == 6
    assert lines[2] == "1 picture moves from ‘Cats’ to unclustered."
    assert lines[3] == "A cluster of 10 pictures splits into 2: 5 and 5 pictures."
    assert lines[-1] == "And 18 smaller changes."


@given(partitions(), partitions(), st.integers(3, 12))
def test_sentences_are_bounded_and_each_is_one_line(a: Clusters, b: Clusters, most: int) -> None:
    lines = sentences(diff(a, b), most)
    assert 1 <= len(lines) <= most
    assert all(line.endswith(".") and line[0] == line[0].upper() and "\n" not in line for line in lines)
