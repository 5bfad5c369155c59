from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.embedding.open_clip_encoder import EncoderOptions, OpenClipEncoder
from core.embedding.precision import with_precision
from core.embedding.vector_cache import VectorCache
from core.errors import ModelUnavailable
from core.ingest.sources import demo

TEXTS = ["a red flower", "two dogs playing on a beach", "an old stone bridge over a quiet river"]


@pytest.fixture(scope="module")
def reference() -> OpenClipEncoder:
    return OpenClipEncoder("bundled")


@pytest.mark.parametrize(("precision", "agreement"), [("bfloat16", 0.99), ("int8", 0.99)])
def test_reduced_precision_gives_nearly_the_same_vectors(
    reference: OpenClipEncoder, precision: str, agreement: float
) -> None:
    reduced = OpenClipEncoder("bundled", EncoderOptions(precision=precision))
    photographs = demo.photographs()[:20]
    for exact, near in (
        (reference.encode_texts(TEXTS), reduced.encode_texts(TEXTS)),
        (reference.encode_images(photographs), reduced.encode_images(photographs)),
    ):
        assert np.allclose(np.linalg.norm(near, axis=1), 1, atol=1e-5)
        assert (exact * near).sum(axis=1).min() >= agreement


def test_int8_is_refused_where_it_does_not_run() -> None:
    with pytest.raises(ModelUnavailable, match="int8 runs on the processor, not on cuda"):
        with_precision(object(), "int8", "cuda")


def test_a_text_that_comes_back_is_not_encoded_again() -> None:
    calls: list[list[str]] = []

    def encode(texts: list[str]) -> np.ndarray:
        calls.append(list(texts))
        return np.array([[float(len(text))] for text in texts], np.float32)

    cache = VectorCache(capacity=2)
    assert cache.get_or_encode(["a", "bb", "a"], encode).tolist() == [[1], [2], [1]]
    assert cache.get_or_encode(["bb"], encode).tolist() == [[2]]
    cache.get_or_encode(["ccc"], encode)
    cache.get_or_encode(["a"], encode)
    assert calls == [["a", "bb"], ["ccc"], ["a"]]


def test_a_vector_that_is_changed_by_its_user_leaves_the_cache_alone() -> None:
    cache = VectorCache()
    first = cache.get_or_encode(["a"], lambda texts: np.ones((1, 2), np.float32))
    first[:] = 7
    assert cache.get_or_encode(["a"], lambda texts: np.zeros((1, 2), np.float32)).tolist() == [[1, 1]]


def test_more_pictures_than_a_batch_keep_their_order(reference: OpenClipEncoder, tmp_path: Path) -> None:
    colours = [(i * 12, 0, 255 - i * 12) for i in range(20)]
    paths = [tmp_path / f"{i}.png" for i in range(20)]
    for path, colour in zip(paths, colours, strict=True):
        Image.new("RGB", (16, 16), colour).save(path)
    assert np.allclose(reference.encode_images(paths)[17], reference.encode_images([paths[17]])[0], atol=1e-4)
