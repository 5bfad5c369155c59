"""Reads TIFFs whose samples are not 8-bit colours: 16, 32 and 64 bits, signed, floating point, scaled by their range.

libtiff unpacks the strips or tiles as if they were 8-bit greys, in whatever compression Pillow knows; predictors, byte
order and planes are undone here (TIFF 6.0, sections 14 and 19; Adobe Photoshop TIFF Technical Note 3).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.embedding.tiff_directories import Directory, Tag

Array = NDArray[Any]
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
# None, LZW, Deflate (both numbers), PackBits, LZMA, Zstandard.
_COMPRESSIONS = (1, 5, 8, 32946, 32773, 34925, 50000)
_WITH_PREDICTOR = frozenset(_COMPRESSIONS) - {1, 32773}
_KINDS = {1: "u", 2: "i", 3: "f"}
_DTYPES = ("u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8")
# A camera or microscope of 10, 12 or 14 bits fills the lower bits of 16.
_FULL_SCALES = (255, 1023, 4095, 16383, 65535)
_MAX_SAMPLES = 4096
_BAND_VALUES = 4_000_000


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
    def step(self) -> int:
        """Samples of one pixel in one block."""
        return 1 if self.planar else self.samples


def read_layout(page: Directory) -> Layout | None:
    """The layout of a page that is read here; None if it is one of Pillow's, or of a kind that nobody knows."""
    bits, kinds = page.ints(Tag.BITS), page.ints(Tag.SAMPLE_FORMAT) or (1,)
    photometric = page.int(Tag.PHOTOMETRIC, -1)
    if len(set(bits)) != 1 or len(set(kinds)) != 1 or page.int(Tag.COMPRESSION, 1) not in _COMPRESSIONS:
        return None
    name = f"{_KINDS.get(kinds[0], '?')}{bits[0] // 8}"
    if bits[0] % 8 or name not in _DTYPES or name == "u1" or photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB):
        return None
    width, height = page.int(Tag.WIDTH), page.int(Tag.HEIGHT)
    samples = page.int(Tag.SAMPLES, 1)
    tiled = Tag.TILE_OFFSETS in page.entries
    block = (page.int(Tag.TILE_WIDTH), page.int(Tag.TILE_HEIGHT))
    if not tiled:
        block = (width, min(page.int(Tag.ROWS_PER_STRIP, height), height))
    layout = Layout(
        (width, height),
        samples,
        np.dtype(page.order + name),
        photometric,
        page.int(Tag.PLANAR, 1) == 2 and samples > 1,
        block,
        tiled,
        page.ints(Tag.TILE_OFFSETS if tiled else Tag.STRIP_OFFSETS),
        page.ints(Tag.TILE_BYTES if tiled else Tag.STRIP_BYTES),
    )
    return layout if _is_consistent(layout) else None


def _is_consistent(layout: Layout) -> bool:
    sides = (*layout.size, *layout.block)
    if min(sides) < 1 or max(sides) > 1 << 24 or not 1 <= layout.samples <= _MAX_SAMPLES:
        return False
    if layout.photometric == RGB and layout.samples < 3:
        return False
    needed = _blocks(layout)[0] * _blocks(layout)[1] * (layout.samples if layout.planar else 1)
    return len(layout.offsets) >= needed and len(layout.lengths) >= needed


def _blocks(layout: Layout) -> tuple[int, int]:
    """Blocks across and down."""
    return -(-layout.size[0] // layout.block[0]), -(-layout.size[1] // layout.block[1])


def read_pixels(page: Directory, layout: Layout) -> Image.Image:
    """The page as L, LA, RGB or RGBA, black to white. Raises OSError for damaged data."""
    colours = 3 if layout.photometric == RGB else 1
    has_alpha = layout.samples == colours + 1 and page.int(Tag.EXTRA_SAMPLES) in (1, 2)
    used = colours + has_alpha
    if layout.planar:
        planes = [_plane(page, layout, number)[..., 0] for number in range(used)]
    else:
        together = _plane(page, layout, 0)
        planes = [together[..., number] for number in range(used)]
    scale = _scale(planes[:colours], _stated_max(page, layout))
    bands = [_to_bytes(plane, *scale) for plane in planes[:colours]]
    if layout.photometric == WHITE_IS_ZERO:
        bands = [255 - band for band in bands]
    if has_alpha:
        full = 1.0 if layout.dtype.kind == "f" else float(np.iinfo(layout.dtype).max)
        bands.append(_to_bytes(planes[-1], 0.0, full))
    return Image.merge({1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[used], [Image.fromarray(band) for band in bands])


def _plane(page: Directory, layout: Layout, number: int) -> Array:
    """The samples of a plane, (height, width, step), in the machine's byte order."""
    across, down = _blocks(layout)
    first = number * across * down
    wanted = slice(first, first + across * down)
    sample_bytes = layout.dtype.itemsize
    row_bytes = layout.block[0] * layout.step * sample_bytes
    raw = _unpacked(page, layout, layout.offsets[wanted], layout.lengths[wanted], row_bytes, across, down)
    rows = raw.shape[0]
    predictor = page.int(Tag.PREDICTOR, 1) if page.int(Tag.COMPRESSION, 1) in _WITH_PREDICTOR else 1
    samples = _without_predictor(raw.reshape(rows, across, row_bytes), layout, predictor)
    width, height = layout.size
    return samples.reshape(rows, across * layout.block[0], layout.step)[:height, :width]


def _unpacked(
    page: Directory,
    layout: Layout,
    offsets: Sequence[int],
    lengths: Sequence[int],
    row_bytes: int,
    across: int,
    down: int,
) -> Array:
    """The bytes of the blocks side by side, (rows, bytes of a row), as libtiff unpacks 8-bit greys."""
    rows = layout.block[1] * down if layout.tiled else layout.size[1]
    block = {
        Tag.TILE_WIDTH: row_bytes,
        Tag.TILE_HEIGHT: layout.block[1],
        Tag.TILE_OFFSETS: offsets,
        Tag.TILE_BYTES: lengths,
    }
    if not layout.tiled:
        block = {Tag.ROWS_PER_STRIP: layout.block[1], Tag.STRIP_OFFSETS: offsets, Tag.STRIP_BYTES: lengths}
    tags: dict[int, Any] = {
        Tag.WIDTH: row_bytes * across,
        Tag.HEIGHT: rows,
        Tag.BITS: 8,
        Tag.COMPRESSION: page.int(Tag.COMPRESSION, 1),
        Tag.PHOTOMETRIC: BLACK_IS_ZERO,
        Tag.SAMPLES: 1,
        **block,
    }
    with Image.open(io.BytesIO(_with_directory(page.data, page.order, tags)), formats=("TIFF",)) as image:
        return np.array(image)


def _with_directory(data: bytes, order: str, tags: dict[int, Any]) -> bytes:
    """The file with another directory, appended, as its first; a BigTIFF becomes a plain one (files are below 4 GB)."""
    at = len(data) + len(data) % 2
    packed, tail = struct.pack(f"{order}H", len(tags)), b""
    behind = at + 2 + 12 * len(tags) + 4
    for tag, value in sorted(tags.items()):
        numbers = (value,) if isinstance(value, int) else value
        values = struct.pack(f"{order}{len(numbers)}I", *numbers)
        packed += struct.pack(f"{order}HHI", tag, 4, len(numbers))
        packed += values if len(values) == 4 else struct.pack(f"{order}I", behind + len(tail))
        tail += b"" if len(values) == 4 else values
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    return b"".join((header, data[8:], bytes(len(data) % 2), packed, bytes(4), tail))


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


def _stated_max(page: Directory, layout: Layout) -> int:
    """The value of white if the file says so, 0 if not; whoever gave it a colour profile used the whole range."""
    if page.bytes(Tag.ICC_PROFILE):
        return 65_535
    return page.int(Tag.MAX_VALUE) if layout.samples == 1 else 0


def _scale(planes: list[Array], stated_max: int) -> tuple[float, float]:
    """The values that become black and white."""
    lows, highs = zip(*(_range(plane) for plane in planes), strict=True)
    low, high = min(lows), max(highs)
    if planes[0].dtype == np.uint16:
        full = next(scale for scale in _FULL_SCALES if scale >= high)
        return 0.0, float(stated_max if high <= stated_max else full)
    if planes[0].dtype.kind == "f" and low >= 0 and high <= 1:
        return 0.0, 1.0
    return (low, high) if high > low else (min(low, 0.0), max(high, 0.0) or 1.0)


def _range(plane: Array) -> tuple[float, float]:
    """The least and the greatest finite value."""
    low, high = np.inf, -np.inf
    for band in _bands(plane):
        finite = band[np.isfinite(band)] if band.dtype.kind == "f" else band
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if low <= high else (0.0, 0.0)


def _to_bytes(plane: Array, low: float, high: float) -> NDArray[np.uint8]:
    """0 for `low` and less, 255 for `high` and more; what is no number, or infinite, is 0."""
    if plane.dtype == np.uint16 and plane.size > 1 << 16:
        return _to_bytes(np.arange(1 << 16, dtype=np.uint16)[np.newaxis], low, high)[0][plane]
    result = np.empty(plane.shape, np.uint8)
    with np.errstate(over="ignore", invalid="ignore"):
        for band, into in zip(_bands(plane), _bands(result), strict=True):
            values = (band.astype(np.float64) - low) / (high - low) * 255.0
            np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
            into[...] = np.rint(values.clip(0, 255))
    return result


def _bands(plane: Array) -> list[Array]:
    """Some rows at a time, so that intermediate results stay small."""
    rows = max(1, _BAND_VALUES // max(1, plane.shape[1]))
    return [plane[top : top + rows] for top in range(0, plane.shape[0], rows)]
