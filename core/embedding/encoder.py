"""The interface of an embedding model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.records.assets import ModelCard


class Encoder(Protocol):
    """A dual encoder. Every vector is float32 and has unit length; `card` identifies the model."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def batch_size(self) -> int: ...

    def preprocess(self, image: Image.Image) -> NDArray[np.float32]:
        """An RGB picture as input of the image tower: (channels, height, width) float32."""
        ...

    def encode_pixels(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, channels, height, width) from `preprocess` to (n, d) float32."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """n texts to (n, d) float32."""
        ...
