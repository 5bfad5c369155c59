"""TIFFs with samples of any kind, and with several pages."""

from __future__ import annotations

import io
import zlib

import numpy as np
from PIL import Image

from tests.fakes.camera_raw import TiffWriter, long, short, text

KINDS = {"u": 1, "i": 2, "f": 3}


def tiff(values: np.ndarray, photometric: int = 1, compression: int = 1, rows_per_strip: int = 0, **more: int) -> bytes:
    """A TIFF of these samples, (height, width) or (height, width, samples), in strips."""
    order = ">" if values.dtype.byteorder == ">" else "<"
    writer = TiffWriter(order)
    height, width, samples = (*values.shape, 1)[:3]
    rows_per_strip = rows_per_strip or height
    strips = [values[top : top + rows_per_strip].tobytes() for top in range(0, height, rows_per_strip)]
    strips = [zlib.compress(strip) if compression == 8 else strip for strip in strips]
    offsets = [writer.append(strip) for strip in strips]
    rows = [
        short(order, 256, width),
        short(order, 257, height),
        short(order, 258, *[8 * values.dtype.itemsize] * samples),
        short(order, 259, compression),
        short(order, 262, photometric),
        long(order, 273, *offsets),
        short(order, 277, samples),
        short(order, 278, rows_per_strip),
        long(order, 279, *map(len, strips)),
        short(order, 339, *[KINDS[values.dtype.kind]] * samples),
    ]
    rows += [short(order, int(tag.removeprefix("tag")), value) for tag, value in more.items()]
    return writer.file(writer.add(rows))


def pages(*sizes: tuple[int, int], reduced: tuple[int, ...] = ()) -> bytes:
    """Pages of JPEG-compressed greys, each brighter than the one before; the first has an author."""
    writer, following = TiffWriter("<"), 0
    for number in reversed(range(len(sizes))):
        buffer = io.BytesIO()
        Image.new("L", sizes[number], 40 * (number + 1)).save(buffer, "JPEG")
        at, (width, height) = writer.append(buffer.getvalue()), sizes[number]
        rows = [long("<", 254, int(number in reduced)), short("<", 256, width), short("<", 257, height)]
        rows += [short("<", 258, 8), short("<", 259, 7), short("<", 262, 1), long("<", 273, at), short("<", 277, 1)]
        rows += [short("<", 278, height), long("<", 279, len(buffer.getvalue()))]
        following = writer.add([*rows, *([text(315, "Ada")] if number == 0 else [])], following)
    return writer.file(following)
