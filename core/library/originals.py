"""Reads the original files of assets."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

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


def open_original(asset: Asset, max_megapixels: float) -> tuple[Path, BinaryIO] | None:
    """The path and the open file of the original, from the first uri that still has its bytes; None if none does.

    What is read from it later is what was verified, even if another file takes its name meanwhile.
    """
    for uri in asset.uris:
        path = uri_to_path(uri)
        if not path.is_file():  # nothing there, or a pipe that would keep a reader waiting
            continue
        with suppress(ContactSheetError, OSError), ExitStack() as closing:
            images.file_megabytes(path, max_megapixels)
            file = closing.enter_context(path.open("rb"))
            if hashlib.file_digest(file, "sha256").hexdigest() == asset.id:
                file.seek(0)
                closing.pop_all()
                return path, file
    return None


def file_size(asset: Asset) -> int | None:
    """The size in bytes of the first file of an asset that still exists; None if none does."""
    for uri in asset.uris:
        try:
            return uri_to_path(uri).stat().st_size
        except (OSError, ValueError):  # ValueError: no path, as an address with a NUL in it
            continue
    return None
