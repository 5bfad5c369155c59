"""A small real encoder: pictures and colour words share a space of mean colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.records.assets import ModelCard

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}


class ColourEncoder:
    """Vectors are (4,) float32: centred mean colour and a constant, unit length. Counts the images it encodes."""

    def __init__(self, name: str = "colour", batch_size: int = 4) -> None:
        self.card = ModelCard(name, "fake-1", 4)
        self.batch_size = batch_size
        self.encoded_images = 0

    def preprocess(self, image: Image.Image) -> NDArray[np.float32]:
        return np.asarray(image.resize((8, 8)), np.float32).transpose(2, 0, 1) / 255

    def encode_pixels(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        self.encoded_images += len(pixels)
        return _unit(pixels.mean(axis=(2, 3)))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rgb = [
            next((COLOURS[word] for word in text.lower().split() if word in COLOURS), (128, 128, 128)) for text in texts
        ]
        return _unit(np.array(rgb, np.float32) / 255)


def _unit(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors = np.concatenate([rgb - 0.5, np.full((len(rgb), 1), 0.1, np.float32)], axis=1)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
