from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.clusters.tree.asset_index import AssetIndex, identical_groups, stable_argsort


@given(st.lists(st.integers(-1, 2**31 - 1), max_size=20))
def test_a_fast_argsort_of_labels_is_stable(labels: list[int]) -> None:
    for dtype in (np.int32, np.int64):
        assert stable_argsort(np.array(labels, dtype)).tolist() == np.argsort(labels, kind="stable").tolist()


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 3)), max_size=12))
def test_groups_are_identical_if_their_members_are(pairs: list[tuple[int, int]]) -> None:
    here, there = (np.array([pair[side] for pair in pairs], np.int32) for side in (0, 1))
    members = [{number: set(np.flatnonzero(side == number).tolist()) for number in range(4)} for side in (here, there)]
    expected = [
        next((other for other in range(4) if members[0][number] and members[1][other] == members[0][number]), -1)
        for number in range(4)
    ]
    assert identical_groups(here, 4, there, 4).tolist() == expected


def test_cached_positions_are_computed_again_only_for_another_object() -> None:
    index, computed = AssetIndex.from_ids(["b", "a"]), list[str]()

    def positions(name: str) -> list[int]:
        return index.cached_positions(name, lambda: (computed.append(name), index.positions([name]))[1]).tolist()

    first, second = "a", "b"
    assert [positions(name) for name in (first, first, second, second, first)] == [[0], [0], [1], [1], [0]]
    assert computed == ["a", "b", "a"]
