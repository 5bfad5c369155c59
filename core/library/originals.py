"""Reads the original files of assets."""

from __future__ import annotations

from pathlib import Path

from core.embedding import images
from core.embedding.hashes import content_id
from core.errors import ContactSheetError
from core.records.assets import Asset
from core.store.objects.names import uri_to_path


def read_original(asset: Asset, max_megapixels: float | None = None) -> tuple[Path, bytes] | None:
    """The path and bytes of the original file, from the first uri that still has these bytes; None if none does.

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


def file_size(asset: Asset) -> int | None:
    """The size in bytes of the first file of an asset that still exists; None if none does."""
    for uri in asset.uris:
        try:
            return uri_to_path(uri).stat().st_size
        except (OSError, ValueError):  # ValueError: no path, as an address with a NUL in it
            continue
    return None
