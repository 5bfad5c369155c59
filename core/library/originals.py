"""The files that assets were made from."""

from __future__ import annotations

from pathlib import Path

from core.embedding import images
from core.embedding.hashes import content_id
from core.errors import ContactSheetError
from core.records.assets import Asset
from core.store.objects.names import path_of


def original(asset: Asset) -> tuple[Path, bytes] | None:
    """The original file, from the first place that still holds exactly its bytes; None if none does."""
    for uri in asset.uris:
        try:
            data = images.read_bytes(path_of(uri))
        except ContactSheetError:
            continue
        if content_id(data) == asset.id:
            return path_of(uri), data
    return None
