"""Develops a camera's RAW with rawpy, which is an optional extra: requirements-raw.txt."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image

from core.embedding.deferred_image import DeferredImage

HALF_ABOVE_PX = 1440  # where the shorter side has as many, half of it is enough and takes a quarter of the time
MAX_PIXELS = 400_000_000


def open_raw(data: bytes, info: Mapping[str, Any]) -> DeferredImage | None:
    """A RAW to be developed upright, in the camera's white balance; None without rawpy or if LibRaw cannot read it.

    The sensor's values are unpacked here, since nothing else tells whether LibRaw knows the camera.
    """
    try:
        import rawpy
    except ImportError:
        return None
    try:
        raw = rawpy.imread(io.BytesIO(data))
        width, height = raw.sizes.width, raw.sizes.height
        if not 0 < width * height <= MAX_PIXELS or raw.raw_image_visible.size == 0:
            return None
    except rawpy.LibRawError:
        return None
    size = (height, width) if raw.sizes.flip in (5, 6) else (width, height)

    def develop() -> Image.Image:
        with raw:
            half = min(size) >= HALF_ABOVE_PX
            return Image.fromarray(raw.postprocess(use_camera_wb=True, half_size=half, output_bps=8))

    return DeferredImage("RAW", size, info, develop)
