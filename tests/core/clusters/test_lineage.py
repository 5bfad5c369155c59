from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clusters.edits.model import ClusterRef, Rename
from core.clusters.lineage.matching import Annotation, ClusterMatch, KnownCluster, match_clusters, resolve_annotations
from core.clusters.tree.asset_index import AssetIndex, Groups, estimated_containment
from tests.fakes.dendrograms import IDS, asset_id

MANY = tuple(sorted(asset_id(number) for number in range(3_000)))


def groups_of(*members: list[int], ids: tuple[str, ...] = tuple(sorted(IDS))) -> Groups:
    """Groups of the first ids; an id in none of the lists is alone."""
    labels = np.arange(len(ids)) + len(members)
    for label, numbers in enumerate(members):
        labels[numbers] = label
    return Groups.from_labels(AssetIndex.from_ids(ids), labels)


def known(name: str, numbers: list[int], ids: tuple[str, ...] = tuple(sorted(IDS))) -> KnownCluster:
    sample_ids = ClusterRef.from_members(ids[number] for number in numbers).sample_ids
    return KnownCluster("id of " + name, name, True, "", False, sample_ids, len(numbers))


def successors(cluster_match: ClusterMatch, groups: Groups) -> list[list[int] | None]:
    """The positions in the group that takes each parent's identity."""
    return [
        groups.members(successor).tolist() if successor >= 0 else None
        for successor in cluster_match.successor_of.tolist()
    ]


LABELS = st.lists(st.integers(0, 6), min_size=1, max_size=24).map(lambda labels: np.array(labels))


@given(LABELS, st.lists(st.sets(st.integers(0, 23), min_size=1), max_size=6))
def test_each_identity_goes_to_one_group_and_each_group_takes_the_best_offer(
    labels: np.ndarray, sets: list[set[int]]
) -> None:
    ids = tuple(sorted(IDS))
    groups = Groups.from_labels(AssetIndex.from_ids(ids[: len(labels)]), labels)
    parents = [known(str(number), sorted(members), ids) for number, members in enumerate(sets)]
    cluster_match = match_clusters(groups, parents)
    shared = [[len(members & set(groups.members(g).tolist())) for g in range(len(groups))] for members in sets]
    for group in range(len(groups)):
        offers = [p for p in range(len(parents)) if max(shared[p]) > 0 and np.argmax(shared[p]) == group]
        best = max(offers, key=lambda p: (shared[p][group], -p), default=-1)
        assert cluster_match.parent_of[group] == best
        if best >= 0:
            assert (cluster_match.successor_of[best], cluster_match.origin_of[group]) == (group, -1)
        else:
            origins = [p for p in range(len(parents)) if 2 * shared[p][group] > groups.size[group]]
            assert cluster_match.origin_of[group] in (origins or [-1])


def test_the_larger_half_keeps_the_identity_and_the_smaller_one_knows_its_origin() -> None:
    groups = groups_of([0, 1, 2], [3, 4])
    cluster_match = match_clusters(groups, [known("Cats", [0, 1, 2, 3, 4])])
    assert successors(cluster_match, groups) == [[0, 1, 2]]
    assert cluster_match.origin_of[:2].tolist() == [-1, 0]


def test_of_two_equal_halves_the_one_with_the_smallest_id_keeps_the_identity() -> None:
    groups = groups_of([1, 3], [0, 2])
    assert successors(match_clusters(groups, [known("Cats", [0, 1, 2, 3])]), groups) == [[0, 2]]


def test_of_two_that_join_the_larger_one_keeps_its_identity_and_the_other_gets_no_second_choice() -> None:
    groups = groups_of([0, 1, 2, 3, 4, 5, 6], [7, 8, 9])
    parents = [known("Boats", [4, 5, 6, 7]), known("Cats", [0, 1, 2, 3])]
    assert successors(match_clusters(groups, parents), groups) == [None, [0, 1, 2, 3, 4, 5, 6]]


def test_a_group_mostly_of_new_assets_has_no_origin() -> None:
    groups = groups_of([0, 1, 2, 7, 8], [3, 4, 5, 6])
    assert match_clusters(groups, [known("Cats", [0, 1, 2, 7, 8, 3, 4])]).origin_of[1] == -1
    assert match_clusters(groups, [known("Cats", [0, 1, 2, 7, 8, 3, 4, 5])]).origin_of[1] == 0


def test_the_order_in_which_parents_are_listed_does_not_matter() -> None:
    groups = groups_of([0, 1, 2, 3])
    parents = [known("A", [0, 1]), known("B", [2, 3])]
    for listed in (parents, parents[::-1]):
        taken = match_clusters(groups, listed).parent_of[0]
        assert listed[taken].name == "A"


def test_nothing_is_inherited_without_parents_or_where_their_assets_are_gone() -> None:
    groups = groups_of([0, 1])
    assert set(match_clusters(groups, []).parent_of.tolist()) == {-1}
    gone = replace(known("Ghosts", [0]), sample_ids=(asset_id("gone"),))
    assert match_clusters(groups, [gone]).successor_of.tolist() == [-1]
    empty = Groups.from_labels(AssetIndex.from_ids(()), np.empty(0, np.int64))
    assert match_clusters(empty, [gone]).successor_of.tolist() == [-1]


def test_samples_of_large_clusters_estimate_fractions_and_containment_well() -> None:
    thousand, two_thousand = list(range(0, 3_000, 3)), [n for n in range(3_000) if n % 3]
    groups = groups_of(list(range(3_000)), ids=MANY)
    small, large = known("small", thousand, MANY), known("large", two_thousand, MANY)
    assert len(small.sample_ids) == len(large.sample_ids) == 128
    assert groups.fraction_from(small.sample_ids, 0) == pytest.approx(1 / 3, abs=0.02)
    assert groups.fraction_from(large.sample_ids, 0) == pytest.approx(2 / 3, abs=0.02)
    everything = ClusterRef.from_members(MANY).sample_ids
    assert estimated_containment(small.sample_ids, everything) == 1
    assert estimated_containment(everything, large.sample_ids) == pytest.approx(2 / 3, abs=0.05)
    assert estimated_containment(small.sample_ids, large.sample_ids) == 0
    assert successors(match_clusters(groups, [small, large]), groups)[0] is None


def test_containment_is_unknown_where_a_small_cluster_lies_beyond_the_sample_of_a_large_one() -> None:
    assert estimated_containment(MANY[-3:], ClusterRef.from_members(MANY).sample_ids) == 0


@given(st.sets(st.integers(0, 23), min_size=1), st.sets(st.integers(0, 23), min_size=1))
def test_up_to_128_members_containment_and_fraction_are_exact(some: set[int], others: set[int]) -> None:
    ids = tuple(sorted(IDS))
    assert estimated_containment(
        tuple(ids[n] for n in sorted(some)), tuple(ids[n] for n in sorted(others))
    ) == pytest.approx(len(some & others) / len(some))
    groups = groups_of(sorted(others))
    group = int(groups.group_at[min(others)])
    assert groups.fraction_from(tuple(ids[n] for n in sorted(some)), group) == pytest.approx(
        len(some & others) / len(others)
    )


def named(name: str, numbers: list[int]) -> Annotation:
    ref = ClusterRef.from_members(sorted(IDS)[number] for number in numbers)
    return Annotation(ref.sample_ids, name, Rename(ref, name))


def test_a_later_name_for_the_same_cluster_overrides_nothing_worth_reporting() -> None:
    groups = groups_of([0, 1, 2, 3, 4])
    current, overridden = resolve_annotations(
        (), {}, [named("Cats", [0, 1, 2, 3]), named("Felines", [0, 1, 2])], groups
    )
    assert {group: a.value for group, a in current.items()} == {0: "Felines"}
    assert overridden == ()


def test_where_two_names_meet_the_larger_part_keeps_its_own_whichever_was_given_first() -> None:
    groups = groups_of([0, 1, 2, 3, 4])
    large, small = named("Cats", [0, 1, 2]), named("Boats", [3, 4])
    for edits in ([large, small], [small, large]):
        current, overridden = resolve_annotations((), {}, edits, groups)
        assert current == {0: large}
        assert [(o.annotation, o.winner) for o in overridden] == [(small, large)]


def test_an_inherited_name_yields_to_an_edit_of_its_cluster_but_not_of_a_small_part() -> None:
    groups = groups_of([0, 1, 2, 3, 4])
    inherited = {0: named("Cats", [0, 1, 2])}
    assert resolve_annotations((), inherited, [named("Felines", [0, 1, 2])], groups)[0][0].value == "Felines"
    assert resolve_annotations((), inherited, [named("Boats", [3, 4])], groups)[0][0].value == "Cats"


def test_two_parts_with_the_same_name_join_without_an_override() -> None:
    groups = groups_of([0, 1, 2, 3, 4])
    assert resolve_annotations((), {}, [named("Cats", [0, 1, 2]), named("Cats", [3, 4])], groups)[1] == ()


def test_of_two_names_for_equal_parts_the_later_one_wins() -> None:
    groups = groups_of([0, 1, 2, 3])
    first, second = named("Cats", [0, 1]), named("Boats", [2, 3])
    current, overridden = resolve_annotations((), {}, [first, second], groups)
    assert current == {0: second}
    assert [(o.annotation, o.winner) for o in overridden] == [(first, second)]


def test_inherited_annotations_count_as_later_than_saved_edits() -> None:
    groups = groups_of([0, 1, 2, 3, 4])
    old, inherited, new = named("Cats", [0, 1, 2]), named("Pets", [0, 1, 2, 3, 4]), named("Pals", [0, 1, 2, 3])
    assert resolve_annotations([old], {0: inherited}, [], groups) == ({0: inherited}, ())
    assert resolve_annotations([old], {0: inherited}, [new], groups) == ({0: new}, ())
    assert resolve_annotations([old], {0: replace(inherited, value="")}, [], groups) == ({}, ())
