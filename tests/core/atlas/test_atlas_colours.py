from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.atlas import colours
from core.atlas.colours import (
    DISTINCT_COLOURS,
    PALETTE,
    UNCLUSTERED,
    PersonalColours,
    default_palette_index,
    point_colours,
)

WHITE, DARK = "#ffffff", "#0e1117"  # Streamlit's two backgrounds
ids = st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=40)


def default_colours(cluster_ids: list[str]) -> list[str]:
    return [PALETTE[default_palette_index(cluster_id)] for cluster_id in cluster_ids]


def linear(colour: str) -> list[float]:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted(luminance(colour) + 0.05 for colour in (one, other))
    return high / low


def oklab(colour: str) -> tuple[float, float, float]:
    red, green, blue = linear(colour)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def test_every_cluster_colour_is_legible_on_light_and_dark_backgrounds() -> None:
    assert len(PALETTE) == 73
    for colour in PALETTE[1:]:
        assert re.fullmatch("#[0-9a-f]{6}", colour)
        assert min(contrast(colour, WHITE), contrast(colour, DARK)) >= 3


def test_no_two_colours_look_the_same_and_only_the_unclustered_is_grey() -> None:
    labs = [oklab(colour) for colour in PALETTE]
    assert min(math.dist(one, other) for one, other in itertools.combinations(labs, 2)) > 0.02
    chroma = [math.hypot(a, b) for _, a, b in labs]
    assert chroma[UNCLUSTERED] < 0.001
    assert min(chroma[1:]) > 0.08


@given(ids, ids)
def test_the_colour_of_an_id_does_not_depend_on_the_others(one: list[str], other: list[str]) -> None:
    alone = {cluster_id: default_colours([cluster_id])[0] for cluster_id in {*one, *other}}
    assert default_colours(one) == [alone[cluster_id] for cluster_id in one]
    assert PALETTE[UNCLUSTERED] not in alone.values()


def test_colours_of_ids_are_the_same_in_every_version() -> None:
    assert default_colours(["1", "2", "a cluster"]) == ["#0697bf", "#b36300", "#078e7d"]


def test_ids_spread_over_all_colours() -> None:
    counts = np.unique(default_colours([f"cluster {number}" for number in range(7_200)]), return_counts=True)[1]
    assert len(counts) == 72
    assert counts.min() > 50


@given(st.lists(ids, max_size=6))
def test_a_cluster_keeps_its_colour_whichever_clusters_come_and_go(moments: list[list[str]]) -> None:
    personal, seen = PersonalColours(), dict[str, int]()
    for moment in moments:
        for cluster_id, number in zip(moment, personal.palette_indices(moment).tolist(), strict=True):
            assert 1 <= number < len(PALETTE)
            assert seen.setdefault(cluster_id, number) == number


def test_the_largest_clusters_have_distinct_colours() -> None:
    numbers = PersonalColours().palette_indices([f"cluster {number}" for number in range(300)])[:DISTINCT_COLOURS]
    labs = [oklab(PALETTE[number]) for number in numbers]
    assert min(math.dist(one, other) for one, other in itertools.combinations(labs[:10], 2)) > 0.09
    assert min(math.dist(one, other) for one, other in itertools.combinations(labs, 2)) > 0.05


def test_a_new_large_cluster_gets_the_colour_furthest_from_those_in_use() -> None:
    personal = PersonalColours()
    before = personal.palette_indices(["a", "b", "c"])
    after = personal.palette_indices(["new", "a", "b", "c"])
    assert after[1:].tolist() == before.tolist()
    labs = np.array([oklab(colour) for colour in PALETTE[1:]])
    nearest = np.linalg.norm(labs[:, None] - labs[before - 1], axis=2).min(axis=1)
    assert nearest[after[0] - 1] == pytest.approx(nearest.max(), abs=1e-6)


def test_ids_beyond_the_largest_have_their_default_colours() -> None:
    names = [f"cluster {number}" for number in range(DISTINCT_COLOURS + 50)]
    numbers = PersonalColours().palette_indices(names)[DISTINCT_COLOURS:]
    assert [PALETTE[number] for number in numbers] == default_colours(names[DISTINCT_COLOURS:])


def test_ids_not_seen_for_long_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colours, "MAX_REMEMBERED", 30)
    personal = PersonalColours()
    personal.palette_indices([f"early {number}" for number in range(30)])
    personal.palette_indices([f"late {number}" for number in range(30)])
    assert len(personal._index_of) == 30
    assert all(cluster_id.startswith("late") for cluster_id in personal._index_of)


def test_points_have_the_colours_of_their_clusters_and_grey_without_one() -> None:
    labels = np.array([0, 1, -1, 1], np.int32)
    assert point_colours(labels, np.array([7, 9], np.uint8)).tolist() == [7, 9, UNCLUSTERED, 9]
    assert point_colours(np.array([-1], np.int32), np.empty(0, np.uint8)).tolist() == [UNCLUSTERED]
    assert point_colours(labels, np.array([7, 9], np.uint8)).dtype == np.uint8
