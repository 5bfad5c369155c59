from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.clusters.tree.asset_index import AssetIndex, by_label, same_groups


@given(st.lists(st.integers(-1, 2**31 - 1), max_size=20))
def test_positions_by_label_are_a_stable_argsort(labels: list[int]) -> None:
    for dtype in (np.int32, np.int64):
        assert by_label(np.array(labels, dtype)).tolist() == np.argsort(labels, kind="stable").tolist()


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 3)), max_size=12))
def test_a_group_is_the_same_where_the_members_are(pairs: list[tuple[int, int]]) -> None:
    here, there = (np.array([pair[side] for pair in pairs], np.int32) for side in (0, 1))
    members = [{number: set(np.flatnonzero(side == number).tolist()) for number in range(4)} for side in (here, there)]
    expected = [
        next((other for other in range(4) if members[0][number] and members[1][other] == members[0][number]), -1)
        for number in range(4)
    ]
    assert same_groups(here, 4, there, 4).tolist() == expected


def test_places_are_found_again_only_for_another_object() -> None:
    roster, asked = AssetIndex.of(["b", "a"]), list[str]()

    def found(name: str) -> list[int]:
        return roster.places_once(name, lambda: (asked.append(name), roster.places([name]))[1]).tolist()

    first, second = "a", "b"
    assert [found(name) for name in (first, first, second, second, first)] == [[0], [0], [1], [1], [0]]
    assert asked == ["a", "b", "a"]
