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
from core.clusters.lineage.diff_sentences import describe_diff
from core.clusters.tree.asset_index import AssetIndex
from core.clusters.tree.linkage import Linkage
from core.clusters.views.partition import build_partition
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


def partition(groups: Mapping[str, Sequence[int] | range], unclustered: Sequence[int] | range = ()) -> Clusters:
    """Clusters by name (in capitals: unnamed, and not shown) with the numbers of their assets."""
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
def test_the_same_holds_between_plans_and_between_collection_versions(
    one: tuple[AssetIndex, Linkage], other: tuple[AssetIndex, Linkage], before: Plan, after: Plan
) -> None:
    a = build_partition(before, *one)
    for world in (one, other):
        b = build_partition(after, *world, a.known_clusters())
        assert apply_diff(a, diff(a, b)) == assignment(b)


@given(partitions())
def test_nothing_is_different_from_itself(a: Clusters) -> None:
    same = diff(a, a)
    assert not any((same.flows, same.added, same.removed, same.splits, same.merges, same.vanished, same.appeared))
    assert not any((same.moved, same.affected, same.renamed, same.described, same.marked, same.thresholds))
    assert describe_diff(same) == ["Nothing changes."]


@given(partitions(), partitions(), st.randoms(use_true_random=False))
def test_the_order_of_rows_makes_no_difference(a: Clusters, b: Clusters, random: Random) -> None:
    order = list(range(len(b.asset_ids)))
    random.shuffle(order)
    shuffled = replace(b, asset_ids=tuple(b.asset_ids[row] for row in order), labels=b.labels[order])
    assert describe_diff(diff(a, b), 99) == describe_diff(diff(a, shuffled), 99)


def described_moves(found: Diff) -> Counter[tuple[str | None, str | None]]:
    """How many pictures of each pair of clusters are described as a split, a merge, or a move."""

    def id_of(cluster: ClusterLike | None) -> str | None:
        return cluster.id if cluster else None

    described: Counter[tuple[str | None, str | None]] = Counter()
    for split in found.splits:
        described.update({(split.before.id, piece.cluster.id): piece.count for piece in split.pieces})
    merged = {(part.cluster.id, merge.after.id): part.count for merge in found.merges for part in merge.parts}
    described |= Counter(merged)
    moved = {(id_of(move.before), id_of(move.after)): move.count for move in found.moved}
    assert not set(described) & set(moved)
    return described + Counter(moved)


@given(partitions(), partitions())
def test_every_move_is_described(a: Clusters, b: Clusters) -> None:
    found = diff(a, b)
    described = described_moves(found)
    vanished, appeared = {c.id for c in found.vanished}, {c.id for c in found.appeared}
    for flow in found.flows:
        if flow.after is None and flow.before in vanished:
            continue
        if flow.before is None and flow.after in appeared:
            continue
        assert described.pop((flow.before, flow.after)) == len(flow.asset_ids)
    assert set(described) <= {(old.id, new.id) for old, new in found.continued}


@given(partitions(), partitions())
def test_a_named_cluster_is_affected_exactly_if_its_members_change(a: Clusters, b: Clusters) -> None:
    def members(side: PartitionLike, cluster_id: str, shared: set[str]) -> set[str]:
        return {asset for asset, cluster in assignment(side).items() if cluster == cluster_id and asset in shared}

    found, shared = diff(a, b), set(a.asset_ids) & set(b.asset_ids)
    new_ids = {old.id: new.id for old, new in found.continued}
    for cluster in a.clusters:
        same = cluster.id in new_ids and members(a, cluster.id, shared) == members(b, new_ids[cluster.id], shared)
        assert (cluster in found.affected) == (cluster.confirmed and not same)


def test_a_split_lists_the_pieces() -> None:
    before = partition({"Cats": range(57)})
    after = partition({"Cats": range(41), "B": range(41, 53), "C": range(53, 57)})
    assert describe_diff(diff(before, after)) == [
        "16 pictures change place; 1 cluster before, 3 after.",
        "Named clusters affected: ‘Cats’.",
        "‘Cats’ splits into 3: 41, 12 and 4 pictures.",
    ]


def test_a_split_into_many_lists_the_largest_pieces() -> None:
    before = partition({"Cats": range(30)})
    after = partition({"ABCDEF"[n] * 2: range(n * 5, n * 5 + 5) for n in range(6)})
    assert "‘Cats’ splits into 6, the largest with 5, 5, 5 and 5 pictures." in describe_diff(diff(before, after))


def test_a_merge_lists_the_merged_clusters() -> None:
    before = partition({"Cats": range(5), "Dogs": range(5, 9), "X": range(9, 12)})
    after = partition({"Cats": range(12)})
    assert describe_diff(diff(before, after))[2:] == [
        "‘Cats’, ‘Dogs’ and a cluster of 3 pictures merge into ‘Cats’ (12 pictures)."
    ]


def test_pictures_move_between_continued_clusters() -> None:
    before = partition({"Boats": range(20), "Harbours": range(20, 40)}, range(40, 42))
    after = partition({"Boats": [*range(13), 40], "Harbours": [*range(13, 19), *range(20, 40), 41]}, [19])
    assert describe_diff(diff(before, after)) == [
        "9 pictures change place.",
        "Named clusters affected: ‘Boats’ and ‘Harbours’.",
        "6 pictures move from ‘Boats’ to ‘Harbours’.",
        "1 picture moves from unclustered to ‘Boats’.",
        "1 picture moves from unclustered to ‘Harbours’.",
        "1 picture moves from ‘Boats’ to unclustered.",
    ]


def test_clusters_vanish_and_appear() -> None:
    before = partition({"Boats": range(5), "X": range(5, 8)}, range(8, 14))
    after = partition({"Stars": range(8, 10), "Y": range(10, 12), "Z": range(12, 14)}, range(8))
    assert describe_diff(diff(before, after)) == [
        "14 pictures change place; 2 clusters before, 3 after.",
        "Named clusters affected: ‘Boats’.",
        "‘Boats’ with its 5 pictures is gone: most of them are unclustered now.",
        "‘Stars’ is new, with 2 pictures.",
        "2 new clusters appear, with 4 pictures.",
        "1 cluster without a name, with 3 pictures, is gone.",
    ]


def test_a_cluster_absorbed_by_another_and_a_new_piece_are_described() -> None:
    before = partition({"Cats": range(10), "Dogs": range(10, 13)}, range(13, 33))
    after = partition({"Pets": [*range(6), *range(13, 33)], "Paws": [6, 7, 8, 10], "X": [9], "Dogs": [11, 12]})
    assert describe_diff(diff(before, after)) == [
        "31 pictures change place; 2 clusters before, 4 after.",
        "Named clusters affected: ‘Cats’ and ‘Dogs’.",
        "‘Cats’ goes into ‘Pets’ (26 pictures).",
        "20 pictures move from unclustered to ‘Pets’.",
        "‘Cats’ splits into 2: 3 and 1 pictures.",
        "1 picture moves from ‘Dogs’ to ‘Paws’.",
    ]
    alone = partition({"Pets": [*range(6), *range(13, 33)], "Paws": range(6, 10), "Dogs": range(10, 13)})
    assert "4 pictures of ‘Cats’ become ‘Paws’." in describe_diff(diff(before, alone))
    single = partition({"Pets": [*range(9), *range(13, 33)], "X": [9], "Dogs": range(10, 13)})
    assert "1 picture of ‘Cats’ becomes a cluster of its own." in describe_diff(diff(before, single))


def test_a_cluster_that_leaves_a_piece_is_not_described_as_gone() -> None:
    before, after = partition({"Cats": range(10)}), partition({"X": range(4)}, range(4, 10))
    assert describe_diff(diff(before, after))[2:] == [
        "6 pictures move from ‘Cats’ to unclustered.",
        "4 pictures of ‘Cats’ become a cluster of their own.",
    ]
    pieces = describe_diff(diff(after, before))
    assert "A cluster of 4 pictures goes into ‘Cats’ (10 pictures)." in pieces
    assert "6 pictures move from unclustered to ‘Cats’." in pieces


def test_names_descriptions_marks_and_thresholds_are_described() -> None:
    before = partition({"Cats": range(5), "X": range(5, 9), "Junk": range(9, 12), "Old": range(12, 14)})
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
    assert describe_diff(diff(suggested, after)) == [
        "The threshold of 2 clusters changes from 0.82 to 0.9.",
        "‘Cats’ is called ‘Felines’ now.",
        "The description of ‘Cats’ changes.",
        "The name ‘Sea’ is confirmed.",
        "‘Junk’ is marked as not a group.",
        "‘Old’ has no name any more.",
    ]
    back = describe_diff(diff(after, suggested))
    assert "‘Junk’ counts as a group again." in back
    assert "The name ‘Sea’ is a suggestion again." in back
    assert "A cluster of 4 pictures is called ‘Sea’ now." in describe_diff(diff(before, after))


def test_added_and_removed_assets_are_described_and_move_nothing() -> None:
    before = partition({"Cats": range(5), "Ghosts": range(20, 23)})
    after = partition({"Cats": range(7)}, [7])
    assert describe_diff(diff(before, after)) == [
        "Named clusters affected: ‘Ghosts’.",
        "‘Ghosts’ with its 3 pictures is gone: they are no longer in the collection.",
        "New in the collection: 3 pictures, 2 of them in clusters.",
        "No longer in the collection: 3 pictures.",
    ]


def test_the_most_important_changes_come_first_and_the_rest_is_counted() -> None:
    wide = {f"{chr(65 + n)}{chr(65 + n)}": range(n * 10, n * 10 + 10) for n in range(20)}
    halves = {f"{name}{half}": numbers[half * 5 : half * 5 + 5] for name, numbers in wide.items() for half in (0, 1)}
    before = partition({"Cats": range(300, 303), **wide})
    after = partition({"Cats": range(300, 302), **halves}, [302])
    lines = describe_diff(diff(before, after), 6)
    assert len(lines) == 6
    assert lines[2] == "1 picture moves from ‘Cats’ to unclustered."
    assert lines[3] == "A cluster of 10 pictures splits into 2: 5 and 5 pictures."
    assert lines[-1] == "And 18 smaller changes."


@given(partitions(), partitions(), st.integers(3, 12))
def test_sentences_are_bounded_and_each_is_one_line(a: Clusters, b: Clusters, limit: int) -> None:
    lines = describe_diff(diff(a, b), limit)
    assert 1 <= len(lines) <= limit
    assert all(line.endswith(".") and line[0] == line[0].upper() and "\n" not in line for line in lines)
