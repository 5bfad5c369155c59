"""What the rest of the house asks of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.records.assets import ModelCard


class Encoder(Protocol):
    """A dual encoder. Every vector is float32 and has unit length; `card` says which model made it."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def batch_size(self) -> int: ...

    def preprocess(self, image: Image.Image) -> NDArray[np.float32]:
        """What the image tower wants to see of an RGB picture: (channels, height, width) float32."""
        ...

    def encode_pixels(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, channels, height, width) from `preprocess` to (n, d) float32."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """n texts to (n, d) float32."""
        ...
