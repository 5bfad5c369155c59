"""The images of a collection as files for a browser: thumbnails, larger views, originals."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

from PIL import Image

from core.cache import OnceCache
from core.embedding import images
from core.errors import BadImage, CollectionError
from core.ingest.metadata.location_removal import is_clearable, without_location
from core.library.originals import open_original, read_original
from core.records.assets import Asset
from core.records.encoded_images import ImageFile, ImageKind, OriginalFile
from core.store.lance.table import AssetTable

# What browsers show by themselves, by the format that Pillow finds in the bytes. MPO is a JPEG with more in it.
BROWSER_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
}
VIEW_PX = 1600
# An original beyond this is sent as its view: a browser would decode hundreds of megapixels to show a few.
MAX_ORIGINAL_BYTES = 32 * 1024 * 1024
# Far more than a thumbnail of ours has: bytes that claim more are damaged.
THUMBNAIL_MEGAPIXELS = 4
CACHED_THUMBNAILS, CACHED_VIEWS = 2_000, 32

_ASSET_ID = re.compile(r"[0-9a-f]{64}")


class ImageService:
    """Images by collection and asset id. May be shared between threads.

    A collection, asset or file that is not there gives None. What is there and cannot be shown raises BadImage, what
    cannot be read StoreError or CollectionError.
    """

    def __init__(
        self,
        table: Callable[[str], AssetTable],
        names: Callable[[], list[str]],
        max_megapixels: float,
        share_location: bool = False,
    ) -> None:
        """`table` opens a collection by name, `names` lists those that exist.

        Unless `share_location`, originals are given without coordinates, and not at all where these cannot be removed.
        """
        self._table, self._names, self._max_megapixels = table, names, max_megapixels
        self._share_location = share_location
        self._thumbnails, self._views = OnceCache(CACHED_THUMBNAILS), OnceCache(CACHED_VIEWS)

    def get(self, kind: ImageKind, collection: str, asset_id: str) -> ImageFile | OriginalFile | None:
        """The image of one kind: `thumbnail`, `view`, `original`, `download`, or `bin`: that of a removed asset."""
        readers: dict[ImageKind, Callable[[str, str], ImageFile | OriginalFile | None]] = {
            "thumbnail": self.thumbnail,
            "view": self.view,
            "original": self.original,
            "download": self.download,
            "bin": self.binned,
        }
        return readers[kind](collection, asset_id)

    def thumbnail(self, collection: str, asset_id: str) -> ImageFile | None:
        """The thumbnail of an asset that the collection holds now, whatever was committed by any process."""
        table = self._open(collection, asset_id)
        if table is None:
            return None
        key = (table, table.change_token(), asset_id)
        return self._thumbnails.get_or_create(key, lambda: _checked(table.thumbnail(asset_id), asset_id))

    def binned(self, collection: str, asset_id: str) -> ImageFile | None:
        """The thumbnail of an asset in the collection's bin."""
        table = self._open(collection, asset_id)
        found = table.bin.get([asset_id]) if table is not None else []
        return _checked(found[0].thumbnail, asset_id) if found else None

    def view(self, collection: str, asset_id: str) -> ImageFile | None:
        """The original as a JPEG, its longest side at most `VIEW_PX`; None too if the original is gone."""
        asset = self._asset(collection, asset_id)
        if asset is None:
            return None
        # The id is the hash of the original's bytes: what was made of them once stays right.
        return self._views.get_or_create(asset_id, lambda: self._view_of(self._read(asset)))

    def original(self, collection: str, asset_id: str) -> ImageFile | OriginalFile | None:
        """The original's own bytes where a browser shows their format and they are not too many, else the view."""
        found = self._open_original(collection, asset_id)
        if found is None:
            return self.view(collection, asset_id)
        if found.media_type in BROWSER_TYPES.values() and found.size <= MAX_ORIGINAL_BYTES:
            return replace(found, file_name="")
        found.file.close()
        return self.view(collection, asset_id)

    def download(self, collection: str, asset_id: str) -> OriginalFile | None:
        """The original's own bytes, whatever their size, to be saved under the file's name."""
        return self._open_original(collection, asset_id)

    def gives_original(self, data: bytes, name: str) -> bool:
        """Whether a file of this name and content can be downloaded as far as its format goes."""
        return self._share_location or is_clearable(data, name)

    def _open_original(self, collection: str, asset_id: str) -> OriginalFile | None:
        asset = self._asset(collection, asset_id)
        found = open_original(asset, self._max_megapixels) if asset is not None else None
        if found is None:
            return None
        path, file = found
        try:
            data = file.read()
            image_format = images.open_image(data, asset_id, self._max_megapixels).format or ""
            shared = data if self._share_location else without_location(data, path.name)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        media_type = BROWSER_TYPES.get(image_format) or Image.MIME.get(image_format, "application/octet-stream")
        if shared is data:
            return OriginalFile(file, len(data), media_type, f'"{asset_id[:32]}"', path.name)
        file.close()
        if shared is None:
            return None
        return OriginalFile(_stored(shared), len(shared), media_type, f'"{asset_id[:32]}-cleared"', path.name)

    def _open(self, collection: str, asset_id: str) -> AssetTable | None:
        if not _ASSET_ID.fullmatch(asset_id):
            return None
        try:
            return self._table(collection)
        except CollectionError:
            if collection in self._names():  # it exists and cannot be opened
                raise
            return None

    def _asset(self, collection: str, asset_id: str) -> Asset | None:
        table = self._open(collection, asset_id)
        found = table.assets([asset_id]) if table is not None else []
        return found[0][0] if found else None

    def _read(self, asset: Asset) -> bytes | None:
        found = read_original(asset, self._max_megapixels)
        return found[1] if found else None

    def _view_of(self, data: bytes | None) -> ImageFile | None:
        if data is None:
            return None
        opened = images.open_image(data, "original", self._max_megapixels)
        return ImageFile(images.thumbnail(images.upright_rgb(opened, min_side_px=VIEW_PX), VIEW_PX), "image/jpeg")


def _stored(data: bytes) -> BinaryIO:
    """A file without a name, so that a browser which takes its time costs no memory."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
    file.write(data)
    file.seek(0)
    return file


def _checked(thumbnail: bytes | None, asset_id: str) -> ImageFile | None:
    """A stored thumbnail that decodes to its end, with the type of what it decodes as. Raises BadImage."""
    if thumbnail is None:
        return None
    place = f"thumbnail of {asset_id[:12]}"
    image = images.open_image(thumbnail, place, THUMBNAIL_MEGAPIXELS)
    media_type = BROWSER_TYPES.get(image.format or "")
    if media_type is None:
        raise BadImage(place, "not in a format that browsers show", image.format or "")
    images.upright_rgb(image, place)
    return ImageFile(thumbnail, media_type)
