"""Encodes pictures and texts as unit vectors in one space, with an open_clip model."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from core.embedding import images
from core.embedding.allocator import retain_large_blocks
from core.embedding.look_ahead import DECODER_THREADS, look_ahead
from core.embedding.model_source import model_checkpoint
from core.embedding.models import load_model, resolve_device
from core.embedding.precision import with_precision
from core.embedding.preprocessing import as_numpy_preprocessing
from core.embedding.text_tower import TextTower
from core.embedding.vector_cache import VectorCache
from core.errors import ModelUnavailable
from core.records.assets import ModelCard
from core.records.jobs import ProgressListener, ignore

TEXT_BATCH_SIZE = 64


@dataclass(frozen=True)
class EncoderOptions:
    """How a model runs; the fields are those of the settings of the same names."""

    device: str = "auto"
    batch_size: int = 16
    threads: int = 0
    max_megapixels: float = 200
    precision: str = "float32"


class OpenClipEncoder:
    """An open_clip model on one device. Loading takes seconds; the object may be shared between threads."""

    def __init__(
        self, name: str, options: EncoderOptions = EncoderOptions(), listener: ProgressListener = ignore
    ) -> None:
        """Load `name`; a download reports to the listener. Raises ModelUnavailable if it or the device is missing."""
        retain_large_blocks()
        if options.threads:
            torch.set_num_threads(options.threads)
        self.device, self.batch_size = resolve_device(options.device), options.batch_size
        self._max_megapixels = options.max_megapixels
        checkpoint = model_checkpoint(name)
        model, transform, self._tokenizer = load_model(name, self.device, listener)
        self._preprocess = as_numpy_preprocessing(transform)
        self._model, self._inference_context = with_precision(model, options.precision, self.device)
        self._text_tower, self._text_vectors = TextTower(self._model), VectorCache()
        probe = self._encode_texts(["a photo"])
        if not np.isfinite(probe).all():
            advice = "download or copy them again, or choose another model"
            raise ModelUnavailable(f"{name}: its weights are damaged, their vectors are not numbers; {advice}")
        self.card = ModelCard(name, checkpoint, int(probe.shape[1]))

    def preprocess(self, image: Image.Image) -> NDArray[np.float32]:
        """The model's own resizing and normalisation: (3, size, size) float32."""
        return self._preprocess(images.crop_center(image))

    def encode_pixels(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 3, size, size) float32 to (n, d) float32, unit length."""
        with torch.inference_mode(), self._inference_context():
            return _unit(self._model.encode_image(torch.from_numpy(pixels).to(self.device)))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """n texts to (n, d) float32, unit length; text beyond the model's context length is ignored."""
        if not texts:
            return np.empty((0, self.card.dimension), np.float32)
        return self._text_vectors.get_or_encode(texts, self._encode_texts)

    def _encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        batches = [texts[i : i + TEXT_BATCH_SIZE] for i in range(0, len(texts), TEXT_BATCH_SIZE)]
        with torch.inference_mode(), self._inference_context():
            parts = [_unit(self._text_tower.encode(self._tokenizer(list(b)).to(self.device))) for b in batches]
        return np.concatenate(parts)

    def encode_images(self, paths: Sequence[str | Path]) -> NDArray[np.float32]:
        """n image files to (n, d) float32, unit length, in the order given; decoding overlaps encoding.

        Raises BadImage for the first file that cannot be read.
        """
        rows: list[NDArray[np.float32]] = []
        with ThreadPoolExecutor(DECODER_THREADS) as pool:
            decoded = look_ahead(pool, self._load, paths, 2 * self.batch_size)
            while batch := list(islice(decoded, self.batch_size)):
                rows.append(self.encode_pixels(np.stack([future.result() for future in batch])))
        return np.concatenate(rows) if rows else np.empty((0, self.card.dimension), np.float32)

    def _load(self, path: str | Path) -> NDArray[np.float32]:
        return self.preprocess(images.load(Path(path), self._max_megapixels))


def _unit(vectors: torch.Tensor) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy()
    return rows
