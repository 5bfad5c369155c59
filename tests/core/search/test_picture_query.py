"""Searching by a picture from outside, and by a picture and words together."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from core.access import OPERATOR
from core.app import App
from core.errors import BadImage, CollectionError, QueryError
from core.records.searches import SearchOptions
from core.search.query_picture import read_query_picture
from core.search.query_vector import blend_query_vectors
from tests.fakes.encoder import COLOURS, ColourEncoder

NUMBERS = st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4)


@pytest.fixture
def filled(app: App, pictures: Path) -> App:
    app.ingest(pictures, "shelf")
    return app


def png(colour: str, size: tuple[int, int] = (12, 9)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, COLOURS[colour]).save(buffer, "PNG")
    return buffer.getvalue()


def names(hits: object) -> list[str]:
    return [hit.asset.title for hit in hits]  # type: ignore[attr-defined]


def unit(numbers: list[float]) -> NDArray[np.float32] | None:
    vector = np.array(numbers, np.float32)
    length = np.linalg.norm(vector)
    return None if length < 0.1 else (vector / length).astype(np.float32)


def test_the_same_picture_comes_first_with_similarity_one_and_needs_no_encoding(
    filled: App, pictures: Path, encoder: ColourEncoder
) -> None:
    before = encoder.encoded_images
    answer = filled.searches.by_picture(
        OPERATOR, filled.searches.read_query_picture((pictures / "red.png").read_bytes()), "shelf"
    )
    assert names(answer.hits)[0] == "red.png"
    assert answer.hits[0].similarity == pytest.approx(1, abs=1e-6)
    assert len(answer.hits) == 3
    assert encoder.encoded_images == before


def test_another_picture_is_encoded_as_an_ingest_would_and_is_not_stored(filled: App, tmp_path: Path) -> None:
    answer = filled.searches.by_picture(OPERATOR, filled.searches.read_query_picture(png("blue")), "shelf")
    assert names(answer.hits)[0] == "blue.webp"
    assert answer.hits[0].similarity > 0.99
    assert filled.size("shelf") == 3
    assert sum(path.suffix == ".png" for path in tmp_path.rglob("*")) == 1  # the ingested one


def test_words_refine_a_picture_by_their_weight(filled: App) -> None:
    red = filled.searches.read_query_picture(png("red"))
    assert names(filled.searches.by_picture(OPERATOR, red, "shelf", SearchOptions(top=1), "green", 0.2).hits) == [
        "red.png"
    ]
    assert names(filled.searches.by_picture(OPERATOR, red, "shelf", SearchOptions(top=1), "green", 0.8).hits) == [
        "green.jpg"
    ]


def test_at_the_ends_of_the_weight_only_one_of_both_counts(filled: App) -> None:
    red = filled.searches.read_query_picture(png("red"))
    for weight, alone in (
        (0.0, filled.searches.by_picture(OPERATOR, red, "shelf")),
        (1.0, filled.search("green", "shelf")),
    ):
        both = filled.searches.by_picture(OPERATOR, red, "shelf", text="green", text_weight=weight)
        assert [(h.asset.id, h.similarity) for h in both.hits] == [(h.asset.id, h.similarity) for h in alone.hits]


def test_words_refine_a_picture_of_the_collection_too_and_it_stays_left_out(filled: App) -> None:
    red = filled.search("red", "shelf", 1).hits[0].asset.id
    answer = filled.searches.by_asset(OPERATOR, red, "shelf", text="blue", text_weight=0.9)
    assert names(answer.hits) == ["blue.webp", "green.jpg"]
    assert answer.result.query == "blue"
    assert filled.searches.by_asset(OPERATOR, red, "shelf").result.query == ""


def test_searches_by_picture_count_as_searches(filled: App) -> None:
    answer = filled.searches.by_picture(
        OPERATOR, filled.searches.read_query_picture(png("red")), "shelf", text="  dark   red "
    )
    (event,) = [event for event in filled.events.latest(10) if event.uid == answer.id]
    assert event.kind == "search"
    assert answer.result.query == "dark red"
    assert set(answer.stage_ms) == {"encode", "search", "load", "total"}


def test_a_query_of_an_evaluation_is_an_event_of_its_own_kind(filled: App) -> None:
    filled._search_for_evaluation(OPERATOR, "red", "shelf", False)
    assert [event.kind for event in filled.events.latest(10) if event.kind in ("search", "evaluate")] == ["evaluate"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the picture: empty file"),
        (b"plain words", "the picture: not an image in a supported format"),
        (png("red")[:40], "the picture: (damaged|truncated)"),
    ],
)
def test_a_file_that_is_no_picture_is_refused_with_the_reason(app: App, data: bytes, says: str) -> None:
    with pytest.raises(BadImage, match=says):
        app.searches.read_query_picture(data)


def test_a_file_that_is_too_large_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(QueryError, match=r"the picture has 1\.5 MB, the limit is 1: choose a smaller one"):
        read_query_picture(b"no picture" * 150_000, max_mb=1, max_megapixels=10)


def test_a_picture_of_more_pixels_than_anyone_may_send_is_refused_before_it_is_decoded(app: App) -> None:
    assert app.searches.max_query_megapixels == 64 < app.settings.max_megapixels
    picture = io.BytesIO()
    Image.new("1", (10_000, 6_600)).save(picture, "PNG")
    with pytest.raises(BadImage, match="66"):
        app.searches.read_query_picture(picture.getvalue())


def test_a_large_picture_is_kept_no_larger_than_a_model_looks_at(app: App) -> None:
    picture = app.searches.read_query_picture(png("red", (3000, 2200)))
    assert min(picture.image.size) >= 720
    assert picture.image.width < 1500
    assert Image.open(io.BytesIO(picture.thumbnail)).width <= 384


def test_a_search_that_cannot_be_answered_says_why(filled: App) -> None:
    red = filled.searches.read_query_picture(png("red"))
    with pytest.raises(QueryError, match=r"the weight of the words is 1\.5: choose one from 0"):
        filled.searches.by_picture(OPERATOR, red, "shelf", text="red", text_weight=1.5)
    with pytest.raises(QueryError, match=r"2,?001 characters"):
        filled.searches.by_picture(OPERATOR, red, "shelf", text="x" * 2001)
    with pytest.raises(CollectionError, match="nowhere"):
        filled.searches.by_picture(OPERATOR, red, "nowhere")


@given(NUMBERS, NUMBERS, st.floats(0, 1))
def test_a_mixture_has_unit_length_and_lies_between_both(a: list[float], b: list[float], weight: float) -> None:
    picture, words = unit(a), unit(b)
    if picture is None or words is None:
        return
    if 0 < weight < 1 and np.linalg.norm((1 - weight) * picture + weight * words) < 2e-3:
        return
    found = blend_query_vectors(picture, words, weight)
    assert found.dtype == np.float32
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    minimum = float(picture @ words) - 1e-4
    assert float(found @ picture) >= minimum
    assert float(found @ words) >= minimum


def test_a_picture_and_words_that_cancel_each_other_out_are_no_query() -> None:
    picture = np.array([0.6, 0.8], np.float32)
    with pytest.raises(QueryError, match=r"at a weight of 0\.5 cancel each other out: change one of them, or a weight"):
        blend_query_vectors(picture, -picture, 0.5)


@given(NUMBERS, NUMBERS, st.floats(0, 0.45))
def test_more_weight_brings_a_mixture_nearer_to_the_words(a: list[float], b: list[float], weight: float) -> None:
    picture, words = unit(a), unit(b)
    if picture is None or words is None or picture @ words < -0.9:
        return
    assert (
        blend_query_vectors(picture, words, weight + 0.5) @ words
        >= blend_query_vectors(picture, words, weight) @ words - 1e-5
    )
