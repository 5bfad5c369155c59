"""A model's own preprocessing, with the arithmetic done by numpy.

torch spreads the arithmetic of even a small tensor over all cores, in every decoding thread, and so takes them from the
model that is encoding at the same time; numpy computes the same numbers in the calling thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Preprocess = Callable[[Image.Image], NDArray[np.float32]]


def as_numpy_preprocessing(transform: Any) -> Preprocess:
    """`transform`, a torchvision Compose, as a function of numpy: (3, height, width) float32, the same bit for bit."""
    from torchvision.transforms import Compose, Normalize, ToTensor

    steps: list[Any] = getattr(transform, "transforms", [])
    if len(steps) < 2 or not isinstance(steps[-2], ToTensor) or type(steps[-1]) is not Normalize:
        return lambda image: np.asarray(transform(image).numpy(), np.float32)
    resize = Compose(steps[:-2])
    mean, std = (np.asarray(values, np.float32) for values in (steps[-1].mean, steps[-1].std))

    def preprocess(image: Image.Image) -> NDArray[np.float32]:
        pixels = np.asarray(resize(image).convert("RGB"), np.float32) / np.float32(255)
        pixels -= mean
        pixels /= std
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    return preprocess
