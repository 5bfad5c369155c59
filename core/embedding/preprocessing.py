"""A model's own preprocessing, its arithmetic done by numpy.

torch spreads even a small tensor's arithmetic over all processors, from each decoding thread anew, and so takes them
from the model that is encoding meanwhile; numpy computes the same numbers in the thread that asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Preprocess = Callable[[Image.Image], NDArray[np.float32]]


def without_torch(transform: Any) -> Preprocess:
    """What `transform`, a composition of torchvision's, makes of a picture: (3, height, width) float32, bit for bit."""
    from torchvision.transforms import Compose, Normalize, ToTensor

    steps: list[Any] = getattr(transform, "transforms", [])
    if len(steps) < 2 or not isinstance(steps[-2], ToTensor) or type(steps[-1]) is not Normalize:
        return lambda image: np.asarray(transform(image).numpy(), np.float32)
    resized = Compose(steps[:-2])
    mean, std = (np.asarray(values, np.float32) for values in (steps[-1].mean, steps[-1].std))

    def preprocess(image: Image.Image) -> NDArray[np.float32]:
        pixels = np.asarray(resized(image).convert("RGB"), np.float32) / np.float32(255)
        pixels -= mean
        pixels /= std
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    return preprocess
