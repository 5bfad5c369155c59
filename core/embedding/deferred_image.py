"""A picture whose header has been read and whose pixels are decoded when they are asked for, as Pillow's own are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image

# Set where the pixels need another orientation than the file's metadata say, as after a decoder that turned them.
ORIENTATION = "contact_sheet_orientation"
# A sentence for people about a picture that was kept although something is wrong with its file.
NOTE = "contact_sheet_note"
# The bytes of IPTC and of Photoshop's block, by their TIFF tags, of a file that Pillow does not read as a TIFF.
TIFF_BLOCKS = "contact_sheet_tiff_blocks"


class DeferredImage(Image.Image):
    """`decode` gives the pixels, of any mode and of `size`; `info` holds the metadata as Pillow names them.

    `unpacked_bytes` is what decoding takes at once, where that is more than its pixels let expect.
    """

    def __init__(
        self,
        kind: str,
        size: tuple[int, int],
        info: Mapping[str, Any],
        decode: Callable[[], Image.Image],
        unpacked_bytes: int = 0,
    ) -> None:
        super().__init__()
        self.unpacked_bytes = unpacked_bytes
        self.format, self._size, self._mode = kind, size, "RGB"
        self.info.update(info)
        self._decode: Callable[[], Image.Image] | None = decode

    def load(self) -> Any:
        """Decode the pixels, once."""
        if self._decode is not None:
            decoded, self._decode = self._decode(), None
            decoded.load()
            self.im, self._mode, self._size = decoded.im, decoded.mode, decoded.size
            if NOTE in decoded.info:
                self.info[NOTE] = decoded.info[NOTE]
        return super().load()
