from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.embedding.model_source import BUNDLED
from core.embedding.models import load_model, open_clip
from core.embedding.preprocessing import as_numpy_preprocessing


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(noise).convert(mode)


def clip_transform(**options: Any) -> Any:
    return open_clip().transform.image_transform(224, is_train=False, **options)


@pytest.mark.parametrize("size", [(400, 299), (224, 224), (50, 301)])
@pytest.mark.parametrize(
    "options", [{}, {"interpolation": "bilinear", "resize_mode": "squash", "mean": (0.5,) * 3, "std": (0.25,) * 3}]
)
def test_numpy_gives_the_numbers_of_the_models_own_transform_to_the_bit(
    options: dict[str, Any], size: tuple[int, int]
) -> None:
    transform = clip_transform(**options)
    expected = transform(picture(*size)).numpy()
    assert np.array_equal(as_numpy_preprocessing(transform)(picture(*size)), expected)


def test_the_bundled_models_own_transform_too() -> None:
    _, transform, _ = load_model(BUNDLED, "cpu")
    assert np.array_equal(as_numpy_preprocessing(transform)(picture(400, 300)), transform(picture(400, 300)).numpy())


def test_a_grey_picture_has_three_equal_channels_of_which_each_is_normalised() -> None:
    found = as_numpy_preprocessing(clip_transform(mean=(0.0, 0.5, 0.5), std=(1.0, 1.0, 0.5)))(picture(300, 300, "L"))
    assert np.allclose(found[1], found[0] - 0.5, atol=1e-6)
    assert np.allclose(found[2], found[1] * 2, atol=1e-6)


def test_any_other_transform_is_called_as_it_is() -> None:
    transform = clip_transform()
    transform.transforms.append(lambda tensor: tensor.flip(1))
    assert np.array_equal(as_numpy_preprocessing(transform)(picture(300, 280)), transform(picture(300, 280)).numpy())
