"""Makes again what can be made from the original files: thumbnails, vectors, and metadata that all stood in the file.

For metadata its checksum is the proof: words from elsewhere, of a table of captions for instance, are never replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.embedding import images
from core.embedding.encoder import Encoder
from core.errors import ContactSheetError, ModelUnavailable
from core.ingest.metadata.embedded import embedded_description
from core.library.originals import read_original
from core.records.verification import Damage
from core.store.lance.table import AssetTable


class Mender:
    """Mends pictures of one collection. Every method may raise CollectionBusy and StoreError."""

    def __init__(self, table: AssetTable, encoder: Callable[[], Encoder], max_megapixels: float) -> None:
        """`encoder` gives that of the collection's model; it may raise ModelUnavailable."""
        self._table, self._encoder, self._max_megapixels = table, encoder, max_megapixels

    def mend(self, asset_id: str, damages: Mapping[str, Damage]) -> list[Damage]:
        """The damages of one picture, by part, as they are now: mended, or with what stands in the way."""
        try:
            self._rewrite(asset_id, frozenset(damages))
        except ContactSheetError as error:
            return [replace(damage, detail=f"{damage.detail}; {error}") for damage in damages.values()]
        return [replace(damage, mended=True) for damage in damages.values()]

    def _rewrite(self, asset_id: str, parts: frozenset[str]) -> None:
        asset = before = self._table.metadata(asset_id)
        found = read_original(asset, self._max_megapixels) if asset else None
        if asset is None or before is None or found is None:
            raise ContactSheetError("its original was not found: restore the collection from a backup")
        path, data = found
        opened = images.open_image(data, str(path), self._max_megapixels)
        stored_size = opened.size
        picture = images.upright_rgb(opened, str(path), images.MIN_SIDE_PX)
        if "metadata" in parts:
            width, height = images.upright_size(stored_size, opened)
            asset = replace(asset, about=embedded_description(opened), width=width, height=height)
            if not self._table.was_written_as(asset):
                raise ContactSheetError("not all of it stands in the file: restore the collection from a backup")
        thumbnail = self._table.thumbnail(asset_id) if "thumbnail" not in parts else images.thumbnail(picture)
        vector = self._table.vector(asset_id) if "vector" not in parts else self._encode(picture)
        if thumbnail is None or vector is None:
            raise ContactSheetError("it is gone meanwhile")
        self._table.replace(asset, thumbnail, vector, before)

    def _encode(self, picture: Image.Image) -> NDArray[np.float32]:
        """The vector (d,) float32 of a picture. Raises ModelUnavailable, also where the model is another by now."""
        encoder = self._encoder()
        if encoder.card != self._table.model:
            raise ModelUnavailable(f"{self._table.model.name} is another model by now: restore from a backup")
        vector: NDArray[np.float32] = encoder.encode_pixels(encoder.preprocess(picture)[np.newaxis])[0]
        return vector
