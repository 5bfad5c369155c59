"""Reads TIFFs whose samples have 16 bits and more, a sign or a floating point, and scales them by their range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.embedding.tiff_blocks import Array, Layout, read_plane
from core.embedding.tiff_directories import Directory, Tag

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
# None, LZW, Deflate (both numbers), PackBits, LZMA, Zstandard.
_COMPRESSIONS = (1, 5, 8, 32946, 32773, 34925, 50000)
_KINDS = {1: "u", 2: "i", 3: "f"}
_DTYPES = ("u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8")
# A camera or microscope of 10, 12 or 14 bits fills the lower bits of 16.
_FULL_SCALES = (255, 1023, 4095, 16383, 65535)
_MAX_SAMPLES = 4096
_BAND_VALUES = 4_000_000


def read_layout(page: Directory) -> Layout | None:
    """The layout of a page that is read here; None if it is one of Pillow's, or of a kind that nobody knows."""
    bits, kinds = page.numbers(Tag.BITS), page.numbers(Tag.SAMPLE_FORMAT) or (1,)
    photometric = page.number(Tag.PHOTOMETRIC, -1)
    if len(set(bits)) != 1 or len(set(kinds)) != 1 or page.number(Tag.COMPRESSION, 1) not in _COMPRESSIONS:
        return None
    name = f"{_KINDS.get(kinds[0], '?')}{bits[0] // 8}"
    if bits[0] % 8 or name not in _DTYPES or name == "u1" or photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB):
        return None
    width, height = page.number(Tag.WIDTH), page.number(Tag.HEIGHT)
    samples = page.number(Tag.SAMPLES, 1)
    tiled = Tag.TILE_OFFSETS in page.entries
    block = (page.number(Tag.TILE_WIDTH), page.number(Tag.TILE_HEIGHT))
    if not tiled:
        block = (width, min(page.number(Tag.ROWS_PER_STRIP, height), height))
    layout = Layout(
        (width, height),
        samples,
        np.dtype(page.order + name),
        photometric,
        page.number(Tag.PLANAR, 1) == 2 and samples > 1,
        block,
        tiled,
        page.numbers(Tag.TILE_OFFSETS if tiled else Tag.STRIP_OFFSETS),
        page.numbers(Tag.TILE_BYTES if tiled else Tag.STRIP_BYTES),
    )
    return layout if _is_consistent(layout) else None


def _is_consistent(layout: Layout) -> bool:
    sides = (*layout.size, *layout.block)
    if min(sides) < 1 or max(sides) > 1 << 24 or not 1 <= layout.samples <= _MAX_SAMPLES:
        return False
    if layout.photometric == RGB and layout.samples < 3:
        return False
    needed = layout.blocks[0] * layout.blocks[1] * (layout.samples if layout.planar else 1)
    return len(layout.offsets) >= needed and len(layout.lengths) >= needed


def read_pixels(page: Directory, layout: Layout) -> Image.Image:
    """The page as L, LA, RGB or RGBA, black to white. Raises OSError for damaged data."""
    colours = 3 if layout.photometric == RGB else 1
    has_alpha = layout.samples == colours + 1 and page.number(Tag.EXTRA_SAMPLES) in (1, 2)
    used = colours + has_alpha
    if layout.planar:
        planes = [read_plane(page, layout, number)[..., 0] for number in range(used)]
    else:
        together = read_plane(page, layout, 0)
        planes = [together[..., number] for number in range(used)]
    scale = _scale(planes[:colours], _stated_max(page, layout))
    bands = [_to_bytes(plane, *scale) for plane in planes[:colours]]
    if layout.photometric == WHITE_IS_ZERO:
        bands = [255 - band for band in bands]
    if has_alpha:
        full = 1.0 if layout.dtype.kind == "f" else float(np.iinfo(layout.dtype).max)
        bands.append(_to_bytes(planes[-1], 0.0, full))
    return Image.merge({1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[used], [Image.fromarray(band) for band in bands])


def _stated_max(page: Directory, layout: Layout) -> int:
    """The value of white if the file says so, 0 if not; whoever gave it a colour profile used the whole range."""
    if page.raw(Tag.ICC_PROFILE):
        return 65_535
    return page.number(Tag.MAX_VALUE) if layout.samples == 1 else 0


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
    result = np.empty(plane.shape, np.uint8)
    table = None
    if plane.dtype == np.uint16 and plane.size > 1 << 16:
        table = _to_bytes(np.arange(1 << 16, dtype=np.uint16)[np.newaxis], low, high)[0]
    with np.errstate(over="ignore", invalid="ignore"):
        for band, into in zip(_bands(plane), _bands(result), strict=True):
            into[...] = _band_to_bytes(band, low, high) if table is None else table[band]
    return result


def _band_to_bytes(band: Array, low: float, high: float) -> NDArray[np.float64]:
    values: NDArray[np.float64] = (band.astype(np.float64) - low) / (high - low) * 255.0
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    np.rint(np.clip(values, 0, 255, out=values), out=values)
    return values


def _bands(plane: Array) -> list[Array]:
    """Some rows at a time, so that intermediate results stay small."""
    rows = max(1, _BAND_VALUES // max(1, plane.shape[1]))
    return [plane[top : top + rows] for top in range(0, plane.shape[0], rows)]
