"""An App that knows two models, so that a collection can be embedded again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.app import App
from core.settings import Settings
from core.store.lance.collections import Collections
from tests.fakes.encoder import ColourEncoder

NEW_MODEL = "other/colour"


class Inverted(ColourEncoder):
    """Another model: its vectors are those of the negative."""

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return super().encode_pixels(1 - pixels)


def two_models(data: Path) -> App:
    settings = Settings(data=data, model="local-dir:colour", model_is_explicit=True)

    def load(name: str, _: object) -> ColourEncoder:
        return Inverted(NEW_MODEL) if name == NEW_MODEL else ColourEncoder()

    return App(settings, Collections(settings.data / "collections"), load)
