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
    """Groups of the first ids; who is in none of the lists is alone."""
    labels = np.arange(len(ids)) + len(members)
    for label, numbers in enumerate(members):
        labels[numbers] = label
    return Groups.of(AssetIndex.of(ids), labels)


def known(name: str, numbers: list[int], ids: tuple[str, ...] = tuple(sorted(IDS))) -> KnownCluster:
    sketch = ClusterRef.of(ids[number] for number in numbers).witnesses
    return KnownCluster("id of " + name, name, True, "", False, sketch, len(numbers))


def heirs(heritage: ClusterMatch, groups: Groups) -> list[list[int] | None]:
    """The places that each parent's identity goes to."""
    return [groups.members(heir).tolist() if heir >= 0 else None for heir in heritage.heir_of.tolist()]


LABELS = st.lists(st.integers(0, 6), min_size=1, max_size=24).map(lambda labels: np.array(labels))


@given(LABELS, st.lists(st.sets(st.integers(0, 23), min_size=1), max_size=6))
def test_each_identity_goes_to_one_group_and_each_group_takes_the_best_offer(
    labels: np.ndarray, sets: list[set[int]]
) -> None:
    ids = tuple(sorted(IDS))
    groups = Groups.of(AssetIndex.of(ids[: len(labels)]), labels)
    parents = [known(str(number), sorted(members), ids) for number, members in enumerate(sets)]
    heritage = match_clusters(groups, parents)
    shared = [[len(members & set(groups.members(g).tolist())) for g in range(len(groups))] for members in sets]
    for group in range(len(groups)):
        offers = [p for p in range(len(parents)) if max(shared[p]) > 0 and np.argmax(shared[p]) == group]
        best = max(offers, key=lambda p: (shared[p][group], -p), default=-1)
        assert heritage.parent_of[group] == best
        if best >= 0:
            assert (heritage.heir_of[best], heritage.origin_of[group]) == (group, -1)
        else:
            most = [p for p in range(len(parents)) if 2 * shared[p][group] > groups.size[group]]
            assert heritage.origin_of[group] in (most or [-1])


def test_the_larger_half_keeps_the_identity_and_the_smaller_one_knows_where_it_comes_from() -> None:
    groups = groups_of([0, 1, 2], [3, 4])
    heritage = match_clusters(groups, [known("Cats", [0, 1, 2, 3, 4])])
    assert heirs(heritage, groups) == [[0, 1, 2]]
    assert heritage.origin_of[:2].tolist() == [-1, 0]


def test_of_two_equal_halves_the_one_with_the_smallest_id_keeps_the_identity() -> None:
    groups = groups_of([1, 3], [0, 2])
    assert heirs(match_clusters(groups, [known("Cats", [0, 1, 2, 3])]), groups) == [[0, 2]]


def test_of_two_that_join_the_one_that_brings_more_keeps_its_identity_and_the_other_gets_no_second_choice() -> None:
    groups = groups_of([0, 1, 2, 3, 4, 5, 6], [7, 8, 9])
    parents = [known("Boats", [4, 5, 6, 7]), known("Cats", [0, 1, 2, 3])]
    assert heirs(match_clusters(groups, parents), groups) == [None, [0, 1, 2, 3, 4, 5, 6]]


def test_a_group_mostly_of_newcomers_does_not_come_from_anybody() -> None:
    groups = groups_of([0, 1, 2, 7, 8], [3, 4, 5, 6])
    assert match_clusters(groups, [known("Cats", [0, 1, 2, 7, 8, 3, 4])]).origin_of[1] == -1
    assert match_clusters(groups, [known("Cats", [0, 1, 2, 7, 8, 3, 4, 5])]).origin_of[1] == 0


def test_the_order_in_which_parents_are_listed_does_not_matter() -> None:
    groups = groups_of([0, 1, 2, 3])
    parents = [known("A", [0, 1]), known("B", [2, 3])]
    for listed in (parents, parents[::-1]):
        taken = match_clusters(groups, listed).parent_of[0]
        assert listed[taken].name == "A"


def test_nobody_inherits_where_nothing_was_known_or_nothing_is_left() -> None:
    groups = groups_of([0, 1])
    assert set(match_clusters(groups, []).parent_of.tolist()) == {-1}
    gone = replace(known("Ghosts", [0]), sketch=(asset_id("gone"),))
    assert match_clusters(groups, [gone]).heir_of.tolist() == [-1]
    nobody = Groups.of(AssetIndex.of(()), np.empty(0, np.int64))
    assert match_clusters(nobody, [gone]).heir_of.tolist() == [-1]


def test_sketches_of_large_clusters_judge_shares_and_containment_well() -> None:
    thousand, two_thousand = list(range(0, 3_000, 3)), [n for n in range(3_000) if n % 3]
    groups = groups_of(list(range(3_000)), ids=MANY)
    small, large = known("small", thousand, MANY), known("large", two_thousand, MANY)
    assert len(small.sketch) == len(large.sketch) == 128
    assert groups.share(small.sketch, 0) == pytest.approx(1 / 3, abs=0.02)
    assert groups.share(large.sketch, 0) == pytest.approx(2 / 3, abs=0.02)
    everything = ClusterRef.of(MANY).witnesses
    assert estimated_containment(small.sketch, everything) == 1
    assert estimated_containment(everything, large.sketch) == pytest.approx(2 / 3, abs=0.05)
    assert estimated_containment(small.sketch, large.sketch) == 0
    assert heirs(match_clusters(groups, [small, large]), groups)[0] is None


def test_containment_is_unknown_where_a_small_cluster_lies_beyond_the_witnesses_of_a_large_one() -> None:
    assert estimated_containment(MANY[-3:], ClusterRef.of(MANY).witnesses) == 0


@given(st.sets(st.integers(0, 23), min_size=1), st.sets(st.integers(0, 23), min_size=1))
def test_up_to_128_members_containment_and_share_are_exact(some: set[int], others: set[int]) -> None:
    ids = tuple(sorted(IDS))
    assert estimated_containment(
        tuple(ids[n] for n in sorted(some)), tuple(ids[n] for n in sorted(others))
    ) == pytest.approx(len(some & others) / len(some))
    groups = groups_of(sorted(others))
    group = int(groups.group_at[min(others)])
    assert groups.share(tuple(ids[n] for n in sorted(some)), group) == pytest.approx(len(some & others) / len(others))


def claim(name: str, numbers: list[int]) -> Annotation:
    ref = ClusterRef.of(sorted(IDS)[number] for number in numbers)
    return Annotation(ref.witnesses, name, Rename(ref, name))


def test_a_later_name_for_the_same_cluster_stands_without_a_loss() -> None:
    groups = groups_of([0, 1, 2, 3, 4])
    standing, defeats = resolve_annotations((), {}, [claim("Cats", [0, 1, 2, 3]), claim("Felines", [0, 1, 2])], groups)
    assert {group: c.value for group, c in standing.items()} == {0: "Felines"}
    assert defeats == ()


def test_where_two_names_meet_the_larger_part_keeps_its_own_whichever_was_given_first() -> None:
    groups = groups_of([0, 1, 2, 3, 4])
    large, small = claim("Cats", [0, 1, 2]), claim("Boats", [3, 4])
    for asked in ([large, small], [small, large]):
        standing, defeats = resolve_annotations((), {}, asked, groups)
        assert standing == {0: large}
        assert [(d.claim, d.winner) for d in defeats] == [(small, large)]


def test_an_inherited_name_gives_way_to_an_edit_of_its_cluster_but_not_to_that_of_a_small_part() -> None:
    groups = groups_of([0, 1, 2, 3, 4])
    inherited = {0: claim("Cats", [0, 1, 2])}
    assert resolve_annotations((), inherited, [claim("Felines", [0, 1, 2])], groups)[0][0].value == "Felines"
    assert resolve_annotations((), inherited, [claim("Boats", [3, 4])], groups)[0][0].value == "Cats"


def test_two_parts_of_the_same_name_lose_nothing_by_joining() -> None:
    groups = groups_of([0, 1, 2, 3, 4])
    assert resolve_annotations((), {}, [claim("Cats", [0, 1, 2]), claim("Cats", [3, 4])], groups)[1] == ()


def test_of_two_names_for_equal_parts_the_later_one_stands() -> None:
    groups = groups_of([0, 1, 2, 3])
    first, second = claim("Cats", [0, 1]), claim("Boats", [2, 3])
    standing, defeats = resolve_annotations((), {}, [first, second], groups)
    assert standing == {0: second}
    assert [(d.claim, d.winner) for d in defeats] == [(first, second)]


def test_what_is_handed_down_counts_as_later_than_the_edits_that_the_parents_know_of() -> None:
    groups = groups_of([0, 1, 2, 3, 4])
    old, handed_down, new = claim("Cats", [0, 1, 2]), claim("Pets", [0, 1, 2, 3, 4]), claim("Pals", [0, 1, 2, 3])
    assert resolve_annotations([old], {0: handed_down}, [], groups) == ({0: handed_down}, ())
    assert resolve_annotations([old], {0: handed_down}, [new], groups) == ({0: new}, ())
    assert resolve_annotations([old], {0: replace(handed_down, value="")}, [], groups) == ({}, ())
