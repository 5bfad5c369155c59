from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from core.access import OPERATOR
from core.app import App
from core.errors import CollectionError, QueryError
from core.records.assets import Filters
from core.records.created_time import CreatedTime
from core.records.searches import SearchOptions
from core.search.vector_search import nearest_rows, spread_rows

UNIT = np.eye(4, dtype=np.float32)


@given(
    hnp.arrays(np.int8, st.tuples(st.integers(0, 30), st.just(3)), elements=st.integers(-3, 3)),
    st.integers(1, 40),
    st.sampled_from([-1.0, 0.0, 0.5]),
)
def test_nearest_is_a_stable_sort_of_all_passing_rows(rows: np.ndarray, top: int, min_similarity: float) -> None:
    vectors = rows.astype(np.float32) / 6
    query = np.array([1, 0.5, 0.25], np.float32)
    mask = np.arange(len(rows)) % 3 != 1
    found, similarity, passing = nearest_rows(vectors, query, top, mask, min_similarity)
    expected = [i for i in range(len(rows)) if mask[i] and (vectors @ query)[i] >= min_similarity]
    expected.sort(key=lambda i: (-(vectors @ query)[i], i))
    assert passing == len(expected)
    assert found.tolist() == expected[:top]
    assert np.allclose(similarity, (vectors @ query)[found].clip(-1, 1))


def test_nothing_passes_in_an_empty_matrix() -> None:
    found, similarity, passing = nearest_rows(np.empty((0, 4), np.float32), UNIT[0], 5)
    assert (len(found), len(similarity), passing) == (0, 0, 0)


def test_similarity_never_leaves_minus_one_to_one() -> None:
    almost_unit = UNIT * np.float32(1.0000002)
    assert nearest_rows(almost_unit, almost_unit[0], 1)[1][0] == 1.0


def test_examples_are_spread_over_the_collection() -> None:
    near = UNIT[0] + np.random.default_rng(0).normal(0, 0.01, (50, 4)).astype(np.float32)
    vectors = np.concatenate([near, UNIT[1:]])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert set(spread_rows(vectors, 4)) >= {50, 51, 52}
    assert spread_rows(vectors, 99).__len__() == 53
    assert spread_rows(np.empty((0, 4), np.float32), 3) == []


@pytest.fixture
def filled(app: App, pictures: Path, tmp_path: Path) -> App:
    sidecar = tmp_path / "captions.jsonl"
    sidecar.write_text(
        '{"file":"red.png","title":"Red","keywords":["Warm","flat"],"date":"2001-05-01","source":"one"}\n'
        '{"file":"green.jpg","title":"Green","keywords":["flat"],"date":"2003-05-01","source":"two"}\n'
        '{"file":"sub/blue.webp","title":"Blue","keywords":["cold"]}\n'
    )
    app.ingest(pictures, "c", captions=sidecar, source="three")
    return app


def titles(app: App, **filters: object) -> set[str]:
    return {hit.asset.title for hit in app.search("red", "c", 10, Filters(**filters)).hits}  # type: ignore[arg-type]


def test_the_picture_that_fits_comes_first_with_its_cosine(filled: App) -> None:
    for colour in ("red", "green", "blue"):
        first = filled.search(f"something {colour}", "c").hits[0]
        assert first.asset.title.lower() == colour
        assert first.similarity == pytest.approx(1.0, abs=1e-3)
        assert first.rank == 1


def test_filters_limit_by_source_keyword_shape_and_day(filled: App) -> None:
    day = CreatedTime(datetime(2001, 5, 1, tzinfo=UTC), "day")
    assert titles(filled, sources=("one", "three")) == {"Red", "Blue"}
    assert titles(filled, keywords=("WARM", "cold")) == {"Red", "Blue"}
    assert titles(filled, orientations=("portrait",)) == {"Green"}
    assert titles(filled, since=day) == {"Red", "Green"}
    assert titles(filled, until=day) == {"Red"}
    assert titles(filled, since=day, until=day, keywords=("flat",)) == {"Red"}
    assert titles(filled, keywords=("unknown",)) == set()


def test_the_minimum_similarity_hides_what_is_less_similar_and_counts_what_matches(filled: App) -> None:
    result = filled.search("red", "c", 1, min_similarity=0.9)
    assert (len(result.hits), result.result.matching) == (1, 1)
    assert filled.search("red", "c", 1).result.matching == 3


def test_a_picture_finds_its_like_and_never_itself(filled: App) -> None:
    red = filled.search("red", "c", 1).hits[0].asset
    result = filled.searches.by_asset(OPERATOR, red.id, "c")
    assert red.id not in {hit.asset.id for hit in result.hits}
    assert (len(result.hits), result.result.matching) == (2, 2)
    assert (
        len(filled.searches.by_asset(OPERATOR, red.id, "c", SearchOptions(filters=Filters(keywords=("flat",)))).hits)
        == 1
    )


def test_browsing_shows_everything_and_needs_no_model(filled: App) -> None:
    def no_model(name: str) -> object:
        raise AssertionError("the model was loaded")

    filled.encoders._load = no_model  # type: ignore[assignment]
    filled.encoders._loaded.clear()
    result = filled.searches.browse("c", 2)
    assert (len(result.hits), result.matching) == (2, 3)
    assert filled.searches.browse("c", 9, Filters(keywords=("cold",))).hits[0].asset.title == "Blue"


def test_every_stage_of_a_search_is_timed(filled: App) -> None:
    stages = filled.search("red", "c").stage_ms
    assert set(stages) == {"encode", "search", "load", "total"}
    assert stages["total"] >= stages["encode"] + stages["search"] + stages["load"]


def test_a_picture_added_later_is_found_at_once(filled: App, pictures: Path) -> None:
    before = filled.search("yellow", "c", 1)
    Image.new("RGB", (9, 9), (255, 255, 0)).save(pictures / "yellow.png")
    filled.ingest(pictures, "c")
    after = filled.search("yellow", "c", 1)
    assert after.hits[0].asset.title == "yellow.png"
    assert after.result.collection_version != before.result.collection_version


def test_facets_count_what_can_be_filtered(filled: App) -> None:
    facets = filled.searches.facets("c")
    assert dict(facets.sources) == {"one": 1, "two": 1, "three": 1}
    assert facets.keywords[0] == ("flat", 2)
    assert dict(facets.orientations) == {"landscape": 1, "portrait": 1, "square": 1}
    assert (facets.earliest, facets.latest) == (datetime(2001, 5, 1, tzinfo=UTC), datetime(2003, 5, 1, tzinfo=UTC))


def test_examples_are_titles_of_the_collection(filled: App) -> None:
    assert set(filled.searches.examples("c", 2)) <= {"Red", "Green", "Blue"}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("  ", "empty"),
        ("x" * 2001, "2001 characters, the limit is 2000"),
        ("-x " * 33, "asks for 33 things, the limit is 32"),
    ],
)
def test_queries_that_cannot_be_answered_are_refused(filled: App, query: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        filled.search(query, "c")


@pytest.mark.parametrize("asset_id", ["f" * 64, "'; DROP", ""])
def test_a_picture_that_is_not_there_is_refused(filled: App, asset_id: str) -> None:
    with pytest.raises(QueryError, match="has no picture"):
        filled.searches.by_asset(OPERATOR, asset_id, "c")
    assert filled.asset(asset_id, "c") is None


def test_a_collection_that_is_not_there_is_refused(filled: App) -> None:
    with pytest.raises(CollectionError, match="no collection 'd'"):
        filled.search("red", "d")


def test_the_original_is_found_only_with_exactly_its_bytes(filled: App, pictures: Path) -> None:
    asset = filled.search("red", "c", 1).hits[0].asset
    found = filled.original(asset)
    assert found is not None
    assert found[0].name == "red.png"
    view = filled.images.view("c", asset.id)
    assert view is not None
    assert Image.open(io.BytesIO(view.data)).size == (40, 20)
    Image.new("RGB", (40, 20), "black").save(pictures / "red.png")
    assert filled.original(asset) is None
