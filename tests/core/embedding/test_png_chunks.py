from __future__ import annotations

import io
import zlib

import pytest
from PIL import Image

from core.embedding.images import open_image, upright_rgb
from core.embedding.png_chunks import without_large_texts

LARGE = zlib.compress(b"x" * 50_000_000)


def png(*, before: bytes = b"", after: bytes = b"") -> bytes:
    """A green picture with chunks before its pixels and after them."""
    out = io.BytesIO()
    Image.new("RGB", (20, 10), "green").save(out, "PNG")
    whole = out.getvalue()
    return whole[:33] + before + whole[33:-12] + after + whole[-12:]


def chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)


@pytest.mark.parametrize(
    "large",
    [
        chunk(b"zTXt", b"Title\0\0" + LARGE),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE),
    ],
)
def test_a_text_too_large_to_unpack_does_not_cost_the_picture(large: bytes) -> None:
    small = chunk(b"tEXt", b"Author\0Ada")
    for data in (png(before=small + large), png(before=small, after=large)):
        picture = open_image(data)
        assert upright_rgb(picture).getpixel((3, 3)) == (0, 128, 0)
        assert picture.info["Author"] == "Ada"


@pytest.mark.parametrize(
    "data",
    [
        png(before=chunk(b"zTXt", b"Title\0\0" + zlib.compress(b"short"))),
        png(before=chunk(b"zTXt", b"Title\0\0no stream")),
        png(before=chunk(b"iTXt", b"Title\0\1")),
        png()[:50],
        png() + b"\xff" * 30,
        b"\xff\xd8\xff",
    ],
)
def test_other_files_stay_as_they_are(data: bytes) -> None:
    assert without_large_texts(data) is data
