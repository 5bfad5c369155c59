"""Small pictures of every format and mode, hand-built files with false headers, and mutations of both."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageCms

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt><rdf:li>Title</rdf:li></rdf:Alt>'
    b"</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"
)
TIFF_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "LAB", "YCbCr")
TIFF_PACKINGS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "lzma", "zstd")
NUMBERS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\1")


def picture(mode: str, seed: int = 0) -> Image.Image:
    """24×18 pixels of soft noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((24, 18))
    if mode == "PA":
        return image.convert("P").convert("PA")
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
        assert converted is not None
        return converted
    return image.convert(mode)


def saved(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def every_kind() -> dict[str, bytes]:
    """One valid file of every supported format, mode and packing that Pillow writes, by format, mode and number."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x9003] = 6, "a caption", "2020:01:01 10:00:00"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    metadata = {"icc_profile": profile, "exif": exif}
    frames = {"save_all": True, "append_images": [picture("RGB", seed) for seed in (1, 2, 3)]}
    kinds: list[tuple[str, str, dict[str, object]]] = []
    for mode in ("L", "RGB", "CMYK"):
        kinds += [("JPEG", mode, {}), ("JPEG", mode, {**metadata, "progressive": True, "xmp": XMP})]
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        kinds += [("PNG", mode, {}), ("PNG", mode, metadata)]
    kinds += [("PNG", "P", {"transparency": 1}), ("PNG", "RGB", {"transparency": (1, 2, 3)}), ("PNG", "RGB", frames)]
    kinds += [("GIF", mode, options) for mode in ("L", "P", "RGB") for options in ({}, frames)]
    kinds += [
        ("WEBP", mode, o) for mode in ("RGB", "RGBA") for o in ({}, {**metadata, "xmp": XMP, "lossless": True}, frames)
    ]
    kinds += [("BMP", mode, {}) for mode in ("1", "L", "P", "RGB", "RGBA")]
    kinds += [("TIFF", mode, {"compression": packing}) for mode in TIFF_MODES for packing in TIFF_PACKINGS]
    kinds += [("TIFF", mode, {"compression": "jpeg"}) for mode in ("L", "RGB", "CMYK", "YCbCr")]
    kinds += [("TIFF", "1", {"compression": packing}) for packing in ("group3", "group4")]
    kinds += [("TIFF", "RGB", {**metadata, **frames})]
    return {f"{f} {m} {number}": saved(picture(m), f, **o) for number, (f, m, o) in enumerate(kinds)}


def mutated(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """Bits flipped, the end cut off, a piece of another file spliced in, header bytes or numbers changed, a piece
    dropped or repeated."""
    raw, at = bytearray(data), rng.randrange(len(data))
    kind = rng.randrange(6)
    if kind == 0:
        for _ in range(rng.choice((1, 1, 2, 8, 32))):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del raw[at:]
    elif kind == 2:
        other = rng.choice(others)
        start = rng.randrange(len(other))
        raw[at : at + rng.randrange(64)] = other[start : start + rng.randrange(64)]
    elif kind == 3:
        raw[rng.randrange(min(len(raw), 64))] = rng.randrange(256)
    elif kind == 4:
        raw[at : at + 4] = rng.choice(NUMBERS)
    else:
        raw[at : at + rng.randrange(1, 64)] = raw[at : at + 32] * rng.choice((0, 2, 50))
    return bytes(raw)


def png(width: int, height: int, *chunks: tuple[bytes, bytes], pixels: bytes | None = None) -> bytes:
    """An 8-bit RGB PNG with these chunks before its pixels, which are black unless given (compressed)."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes((1 + 3 * width) * height)) if pixels is None else pixels
    return b"\x89PNG\r\n\x1a\n" + _chunks([(b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b"")])


def _chunks(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def with_canvas(data: bytes, at: int, size: bytes) -> bytes:
    """A file whose canvas, stored at offset `at`, has another size than its frame."""
    return data[:at] + size + data[at + len(size) :]


def huge_jpeg() -> bytes:
    """A JPEG of 24×18 pixels that claims 65,500×65,500."""
    data = saved(picture("RGB"), "JPEG")
    return with_canvas(data, data.index(b"\xff\xc0") + 5, struct.pack(">HH", 65_500, 65_500))


def tiff(*entries: tuple[int, int, int, int], next_directory: int = 0, pixels: bytes = b"\x80" * 12) -> bytes:
    """A 4×3 grey TIFF with further directory entries (tag, type, count, value or offset)."""
    own = {
        256: (3, 1, 4),
        257: (3, 1, 3),
        258: (3, 1, 8),
        259: (3, 1, 1),
        262: (3, 1, 1),
        273: (4, 1, 8),
        277: (3, 1, 1),
        278: (3, 1, 3),
        279: (4, 1, 12),
    }
    rows = sorted({**own, **{tag: rest for tag, *rest in entries}}.items())
    start = 8 + len(pixels)
    directory = struct.pack("<H", len(rows)) + b"".join(struct.pack("<HHII", tag, *rest) for tag, rest in rows)
    return b"II*\0" + struct.pack("<I", start) + pixels + directory + struct.pack("<I", next_directory)
