from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from core.embedding.model_source import BUNDLED_FOLDER
from core.embedding.models import open_clip
from core.embedding.open_clip_encoder import EncoderOptions, OpenClipEncoder

SIZE = 260
SOLID = {
    "black": (10, 10, 10),
    "white": (245, 245, 245),
    "grey": (128, 128, 128),
    "red": (210, 20, 25),
    "orange": (250, 140, 10),
    "yellow": (250, 225, 30),
    "green": (20, 150, 50),
    "blue": (20, 60, 200),
    "purple": (110, 30, 150),
    "pink": (250, 160, 190),
    "brown": (100, 60, 30),
}


@pytest.fixture(scope="module")
def tower() -> Any:
    """The module that defines the tower."""
    open_clip()
    from core.embedding import demo_tower

    return demo_tower


@pytest.fixture(scope="module")
def demo() -> OpenClipEncoder:
    return OpenClipEncoder("bundled", EncoderOptions(batch_size=4))


def square(colour: tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", (SIZE, SIZE), colour)


def spot(colour: tuple[int, int, int], ground: tuple[int, int, int]) -> Image.Image:
    """A small square of one colour in the middle of another."""
    picture = square(ground)
    picture.paste(colour, (100, 100, 160, 160))
    return picture


def normalised(tower: Any, *pictures: Image.Image) -> torch.Tensor:
    pixels = np.stack([np.asarray(picture, np.float32).transpose(2, 0, 1) / 255 for picture in pictures])
    return (torch.from_numpy(pixels) - tower.MEAN) / tower.STD


def shares(tower: Any, *pictures: Image.Image) -> list[dict[str, float]]:
    rows = tower.ColourShares()(normalised(tower, *pictures)).tolist()
    return [dict(zip(tower.TERMS, row, strict=True)) for row in rows]


@pytest.mark.parametrize("name", SOLID)
def test_a_picture_of_one_colour_is_named_by_it(tower: Any, name: str) -> None:
    (found,) = shares(tower, square(SOLID[name]))
    assert max(found, key=found.__getitem__) == name
    assert found[name] > 0.5


@pytest.mark.parametrize("ground", ["white", "black", "grey", "green"])
def test_a_thing_on_a_plain_ground_gives_its_own_colour(tower: Any, ground: str) -> None:
    (found,) = shares(tower, spot(SOLID["red"], SOLID[ground]))
    assert max(found, key=found.__getitem__) == "red"


def test_the_middle_counts_more_than_the_rim_where_there_is_no_plain_ground(tower: Any) -> None:
    ring = Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8))
    middle, corner = ring.copy(), ring.copy()
    middle.paste(SOLID["red"], (80, 80, 180, 180))
    corner.paste(SOLID["red"], (0, 0, 100, 100))
    first, second = shares(tower, middle, corner)
    assert first["red"] > second["red"] + 0.1


def test_shares_are_finite_and_sum_to_one_for_any_input(tower: Any) -> None:
    noise = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 5
    plain = normalised(tower, square((255, 255, 255)), square((0, 0, 0)), square(SOLID["red"]))
    for images in (noise, plain, torch.zeros(1, 3, 32, 48), plain.half()):
        found = tower.ColourShares()(images)
        assert found.shape == (len(images), 11)
        assert found.isfinite().all()
        assert (found >= 0).all()
        assert torch.allclose(found.sum(1), torch.ones(len(images)), atol=1e-5)


def test_reduced_precision_names_the_same_colours(tower: Any) -> None:
    images = normalised(tower, *(square(colour) for colour in SOLID.values()))
    exact = tower.ColourShares()(images)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(tower.ColourShares()(images), exact)


def test_the_tower_undoes_the_preprocessing_of_the_bundled_model(tower: Any) -> None:
    config = json.loads((BUNDLED_FOLDER / "open_clip_config.json").read_text())["preprocess_cfg"]
    assert config["mean"] == pytest.approx([tower.MEAN] * 3)
    assert config["std"] == pytest.approx([tower.STD] * 3)


def test_no_weights_of_its_own_are_promised(tower: Any) -> None:
    with pytest.raises(ValueError, match="load the demo checkpoint"):
        tower.demo_conse_lite2(pretrained=True)


def test_the_bundled_model_gives_unit_vectors_of_one_length(demo: OpenClipEncoder) -> None:
    images = demo.encode_pixels(np.stack([demo.preprocess(square(SOLID["red"])), demo.preprocess(square((9, 9, 9)))]))
    texts = demo.encode_texts(["a red thing", "a cat"])
    assert images.shape == texts.shape == (2, demo.card.dimension)
    assert images.dtype == np.float32
    assert np.linalg.norm(images, axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_swapping_the_colours_of_two_squares_never_fits_their_words_better(demo: OpenClipEncoder) -> None:
    names = ["red", "blue", "green", "yellow", "pink", "white", "black"]
    squares = demo.encode_pixels(np.stack([demo.preprocess(square(SOLID[name])) for name in names]))
    similarity = demo.encode_texts([f"a {name} thing" for name in names]) @ squares.T
    right = similarity.diagonal()
    gain = right[:, None] + right[None, :] - similarity - similarity.T
    assert gain[~np.eye(len(names), dtype=bool)].min() > 0


def test_a_colour_in_words_prefers_the_thing_of_that_colour_on_white(demo: OpenClipEncoder) -> None:
    names = ["red", "blue", "green"]
    spots = [demo.preprocess(spot(SOLID[name], (255, 255, 255))) for name in names]
    words = demo.encode_texts([f"a {name} thing" for name in names])
    assert [names[i] for i in (words @ demo.encode_pixels(np.stack(spots)).T).argmax(1)] == names
