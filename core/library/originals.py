"""The files that assets were made from."""

from __future__ import annotations

from pathlib import Path

from core.embedding import images
from core.embedding.hashes import content_id
from core.errors import ContactSheetError
from core.records.assets import Asset
from core.store.objects.names import uri_to_path


def original(asset: Asset, max_megapixels: float | None = None) -> tuple[Path, bytes] | None:
    """The original file, from the first place that still holds exactly its bytes; None if none does.

    With `max_megapixels` a file that is larger than any picture of that size is not read.
    """
    for uri in asset.uris:
        try:
            if max_megapixels is not None:
                images.file_megabytes(uri_to_path(uri), max_megapixels)
            data = images.read_bytes(uri_to_path(uri))
        except ContactSheetError:
            continue
        if content_id(data) == asset.id:
            return uri_to_path(uri), data
    return None
