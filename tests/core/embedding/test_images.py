from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from core.embedding import images
from core.errors import BadImage

ORIENTATION = 0x0112


def saved(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def pixel(image: Image.Image, x: int = 0, y: int = 0) -> tuple[int, ...]:
    return tuple(np.asarray(image)[y, x].tolist())


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF"])
def test_every_format_decodes_to_rgb(image_format: str) -> None:
    image = images.decode(saved(Image.new("RGB", (8, 6), (200, 40, 40)), image_format))
    assert (image.mode, image.size) == ("RGB", (8, 6))
    assert np.allclose(pixel(image), (200, 40, 40), atol=4)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    upright = Image.new("RGB", (4, 2), "white")
    upright.putpixel((0, 0), (255, 0, 0))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    decoded = images.decode(saved(stored, "PNG", exif=exif))
    assert decoded.size == (4, 2)
    assert pixel(decoded) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_is_laid_on_white(mode: str) -> None:
    clear = Image.new("RGBA", (2, 2), (10, 20, 30, 0))
    image = clear.convert("RGB").convert("P").convert("RGBA") if mode == "PA" else clear.convert(mode)
    image.putalpha(0)
    assert pixel(images.decode(saved(image, "PNG"))) == (255, 255, 255)


def test_a_palette_with_a_transparent_entry_is_laid_on_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    decoded = images.decode(saved(image, "PNG", transparency=1))
    assert (pixel(decoded, 0), pixel(decoded, 1)) == ((255, 0, 0), (255, 255, 255))


def test_half_transparent_pixels_are_mixed_with_white() -> None:
    decoded = images.decode(saved(Image.new("RGBA", (1, 1), (0, 0, 0, 128)), "PNG"))
    assert np.allclose(pixel(decoded), 127, atol=1)


def test_cmyk_becomes_rgb() -> None:
    decoded = images.decode(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95))
    red, green, blue = pixel(decoded, 4, 4)
    assert red > 200
    assert max(green, blue) < 60


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_to_8_bits(image_format: str) -> None:
    values = np.array([[0, 257 * 100, 65535]], np.uint16)
    decoded = images.decode(saved(Image.fromarray(values), image_format))
    assert np.asarray(decoded)[0, :, 0].tolist() == [0, 100, 255]


def test_floating_point_grey_from_0_to_1_is_scaled() -> None:
    values = np.array([[0.0, 0.5, 1.0, np.nan]], np.float32)
    decoded = images.decode(saved(Image.fromarray(values), "TIFF"))
    assert np.asarray(decoded)[0, :, 0].tolist() == [0, 128, 255, 0]


def test_one_bit_black_and_white_decodes() -> None:
    assert pixel(images.decode(saved(Image.new("1", (2, 2), 1), "PNG"))) == (255, 255, 255)


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_is_taken(image_format: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = saved(frames[0], image_format, save_all=True, append_images=frames[1:])
    red, _, blue = pixel(images.decode(data))
    assert red > 200 > 60 > blue


def test_an_embedded_profile_is_converted_to_srgb() -> None:
    lab_like = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    data = saved(Image.new("RGB", (4, 4), (120, 130, 140)), "PNG", icc_profile=lab_like)
    assert images.decode(data).mode == "RGB"


def test_a_broken_profile_does_not_cost_the_picture() -> None:
    data = saved(Image.new("RGB", (4, 4), (120, 130, 140)), "PNG", icc_profile=b"not a profile")
    assert pixel(images.decode(data)) == (120, 130, 140)


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims a size its few bytes do not hold."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\x00" * 100)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"this is text, whatever its name says", "not an image in a supported format"),
        (saved(Image.effect_noise((64, 64), 80).convert("RGB"), "JPEG")[:900], "truncated"),
        (saved(Image.effect_noise((64, 64), 80).convert("RGB"), "PNG")[:2000], "truncated"),
        (bomb(30_000, 30_000), "too many pixels"),
        (saved(Image.new("RGB", (64, 64)), "PPM"), "not an image in a supported format"),
    ],
)
def test_what_is_no_image_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(BadImage, match=reason) as caught:
        images.decode(data, "holiday.jpg")
    assert caught.value.reason == reason
    assert caught.value.path == "holiday.jpg"


def test_the_pixel_limit_is_a_setting() -> None:
    data = saved(Image.new("1", (1100, 1000)), "PNG")
    with pytest.raises(BadImage, match="1100×1000 is 1 megapixels, the limit is 1"):
        images.decode(data, max_megapixels=1)


@pytest.mark.parametrize(("name", "reason"), [("missing.jpg", "no such file"), ("folder.jpg", "not a regular file")])
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(BadImage, match=reason):
        images.load(tmp_path / name)


def test_a_thumbnail_is_a_jpeg_within_its_size_and_never_enlarged() -> None:
    small = Image.open(io.BytesIO(images.thumbnail(Image.new("RGB", (2000, 500), "red"))))
    assert (small.format, small.size) == ("JPEG", (384, 96))
    assert Image.open(io.BytesIO(images.thumbnail(Image.new("RGB", (30, 20))))).size == (30, 20)


def test_heic_without_its_extra_is_refused_by_name_with_what_to_install(tmp_path: Path) -> None:
    heic = tmp_path / "phone.heic"
    heic.write_bytes(saved(Image.new("RGB", (64, 64), "red"), "HEIF"))
    script = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from core.embedding import images\n"
        "try: images.load(__import__('pathlib').Path(sys.argv[1]))\n"
        "except images.BadImage as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(heic)], capture_output=True, text=True, check=True)
    assert "not an image in a supported format" in done.stdout
    assert "pip install -r requirements-heic.txt" in done.stdout


@pytest.mark.parametrize(
    ("size", "expected"),
    [((4000, 3000), (1000, 750)), ((2879, 1439), (2879, 1439)), ((8000, 5760), (1000, 720)), ((500, 400), (500, 400))],
)
def test_a_large_jpeg_is_decoded_no_larger_than_needed(size: tuple[int, int], expected: tuple[int, int]) -> None:
    opened = images.open_image(saved(Image.new("RGB", size, "red"), "JPEG"))
    assert opened.size == size
    assert images.upright_rgb(opened, min_side_px=720).size == expected
