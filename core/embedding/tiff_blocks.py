"""Unpacks the strips or tiles of a TIFF to samples of any kind, some rows at a time.

libtiff unpacks what is compressed as if it were 8-bit greys, in whatever compression Pillow knows; predictors, byte
order and planes are undone here (TIFF 6.0, sections 14 and 15; Adobe Photoshop TIFF Technical Note 3).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.embedding.tiff_directories import Directory, Tag

Array = NDArray[Any]
BAND_BYTES = 32_000_000
_NONE = 1
_WITH_PREDICTOR = (5, 8, 32946, 34925, 50000)  # LZW, Deflate, LZMA, Zstandard


@dataclass(frozen=True)
class Layout:
    """How the samples of a page are stored: `step` of them beside each other, in blocks of `block` (width, height)."""

    size: tuple[int, int]
    samples: int
    dtype: np.dtype[Any]
    photometric: int
    planar: bool
    block: tuple[int, int]
    tiled: bool
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]

    @property
    def unpacked_bytes(self) -> int:
        """What has to be unpacked at once."""
        return self.size[0] * self.size[1] * self.step * self.dtype.itemsize

    @property
    def blocks(self) -> tuple[int, int]:
        """Blocks across and down."""
        return -(-self.size[0] // self.block[0]), -(-self.size[1] // self.block[1])

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of a block."""
        return self.block[0] * self.step * self.dtype.itemsize

    @property
    def step(self) -> int:
        """Samples of one pixel in one block."""
        return 1 if self.planar else self.samples


def read_plane(page: Directory, layout: Layout, number: int) -> Array:
    """The samples of a plane, (height, width, step), in the machine's byte order. Raises OSError for damaged data."""
    compression = page.number(Tag.COMPRESSION, _NONE)
    if compression == _NONE and not layout.tiled and not layout.planar:
        layout = _with_low_strips(layout)
    predictor = page.number(Tag.PREDICTOR, 1) if compression in _WITH_PREDICTOR else 1
    (across, down), (width, height), (block_width, block_height) = layout.blocks, layout.size, layout.block
    plane = np.empty((height, width, layout.step), layout.dtype.newbyteorder("="))
    at_once = max(1, BAND_BYTES // (layout.row_bytes * across * block_height))
    for first in range(0, down, at_once):
        count, top = min(at_once, down - first), first * block_height
        rows = count * block_height if layout.tiled else min(count * block_height, height - top)
        start = (number * down + first) * across
        read = _stored if compression == _NONE else _decompressed
        raw = read(page, layout, slice(start, start + count * across), rows)
        samples = _without_predictor(raw.reshape(rows, across, layout.row_bytes), layout, predictor)
        samples = samples.reshape(rows, across * block_width, layout.step)
        plane[top : top + rows] = samples[: height - top, :width]
    return plane


def _with_low_strips(layout: Layout) -> Layout:
    """The same with lower strips, where one has very many rows: what is not compressed can be cut anywhere."""
    rows, all_rows = max(1, BAND_BYTES // layout.row_bytes), layout.block[1]
    if rows >= all_rows:
        return layout
    rows = next(count for count in range(rows, 0, -1) if all_rows % count == 0 or len(layout.offsets) == 1)
    cuts = range(0, all_rows, rows)
    offsets = tuple(offset + cut * layout.row_bytes for offset in layout.offsets for cut in cuts)
    return replace(layout, block=(layout.block[0], rows), offsets=offsets, lengths=offsets)


def _stored(page: Directory, layout: Layout, wanted: slice, rows: int) -> Array:
    """Blocks that are not compressed, side by side, (rows, bytes of a row); their lengths are not believed."""
    across, height, row_bytes = layout.blocks[0], layout.block[1], layout.row_bytes
    result = np.empty((rows, across * row_bytes), np.uint8)
    for number, offset in enumerate(layout.offsets[wanted]):
        top, left = number // across * height, number % across * row_bytes
        size = min(height, rows - top) * row_bytes
        if offset + size > len(page.data):
            raise OSError("image file is truncated")
        block = np.frombuffer(page.data, np.uint8, size, offset)
        result[top : top + height, left : left + row_bytes] = block.reshape(-1, row_bytes)
    return result


def _decompressed(page: Directory, layout: Layout, wanted: slice, rows: int) -> Array:
    """Blocks side by side, (rows, bytes of a row), by way of a TIFF that holds them alone, as 8-bit greys."""
    extents = list(zip(layout.offsets[wanted], layout.lengths[wanted], strict=True))
    if any(offset + length > len(page.data) for offset, length in extents):
        raise OSError("image file is truncated")
    offsets, at = list[int](), 8
    for _, length in extents:
        offsets.append(at)
        at += length
    lengths = [length for _, length in extents]
    where: dict[int, Any] = {Tag.ROWS_PER_STRIP: layout.block[1], Tag.STRIP_OFFSETS: offsets, Tag.STRIP_BYTES: lengths}
    if layout.tiled:
        where = {Tag.TILE_WIDTH: layout.row_bytes, Tag.TILE_HEIGHT: layout.block[1]}
        where |= {Tag.TILE_OFFSETS: offsets, Tag.TILE_BYTES: lengths}
    tags = {Tag.WIDTH: layout.row_bytes * layout.blocks[0], Tag.HEIGHT: rows, Tag.BITS: 8, Tag.SAMPLES: 1, **where}
    tags |= {Tag.COMPRESSION: page.number(Tag.COMPRESSION), Tag.PHOTOMETRIC: 1}
    blocks = b"".join(page.data[offset : offset + length] for offset, length in extents)
    with Image.open(io.BytesIO(_greys(blocks, tags)), formats=("TIFF",)) as image:
        return np.array(image)


def _greys(blocks: bytes, tags: dict[int, Any]) -> bytes:
    """A TIFF of these blocks, followed by a directory of whole numbers."""
    at = 8 + len(blocks) + len(blocks) % 2
    packed, tail = struct.pack("<H", len(tags)), b""
    behind = at + 2 + 12 * len(tags) + 4
    for tag, value in sorted(tags.items()):
        numbers = (value,) if isinstance(value, int) else value
        values = struct.pack(f"<{len(numbers)}I", *numbers)
        packed += struct.pack("<HHI", tag, 4, len(numbers))
        packed += values if len(values) == 4 else struct.pack("<I", behind + len(tail))
        tail += b"" if len(values) == 4 else values
    return b"".join((b"II*\0", struct.pack("<I", at), blocks, bytes(len(blocks) % 2), packed, bytes(4), tail))


def _without_predictor(raw: Array, layout: Layout, predictor: int) -> Array:
    """Samples from bytes of shape (rows, blocks across, bytes of a block's row)."""
    rows, across, row_bytes = raw.shape
    step, dtype = layout.step, layout.dtype
    if predictor == 3:  # differences of bytes, the most significant bytes of a row first
        summed = np.cumsum(raw.reshape(rows, across, row_bytes // step, step), axis=2, dtype=np.uint8)
        by_byte = summed.reshape(rows, across, dtype.itemsize, -1)
        return (
            np.ascontiguousarray(by_byte.swapaxes(2, 3)).view(dtype.newbyteorder(">")).astype(dtype.newbyteorder("="))
        )
    samples = raw.view(dtype).astype(dtype.newbyteorder("="))
    if predictor == 2 and dtype.kind != "f":
        samples = np.cumsum(samples.reshape(rows, across, -1, step), axis=2, dtype=samples.dtype)
    return samples
