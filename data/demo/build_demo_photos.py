"""Rebuild the demo photographs from two Debian packages.

The photographs in ``photos/`` come from the packages named in ``manifest.csv``. To rebuild them,
fetch and unpack both packages into one folder (on Debian 12 or with its archive enabled)::

    apt-get download tuxpaint-stamps-default=2022.06.04-1 gcompris-qt-data=3.1-2
    dpkg -x tuxpaint-stamps-default_2022.06.04-1_all.deb unpacked
    dpkg -x gcompris-qt-data_3.1-2_all.deb unpacked

and run::

    python build_demo_photos.py unpacked

Every row of the manifest names the location of its picture. A location such as
``usr/share/gcompris-qt/rcc/erase.rcc!gcompris/.../kitten.webp`` names a file
inside a Qt resource archive: the archive comes before the exclamation mark, the file after it.
Transparent pictures are composited on white and cropped to their visible part; all are scaled down to at most
400 pixels and written as JPEG without metadata. Needs Pillow.

Other manifests of that form are built with --manifest and --photos (data/eval/captioned/README.md).
"""

import argparse
import csv
import io
import struct
import sys
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from PIL import Image, ImageCms

HERE = Path(__file__).resolve().parent
MAX_SIDE = 400
MIN_SIDE = 120
JPEG_QUALITY = 80
ALPHA_THRESHOLD = 8
MARGIN_SHARE = 0.03
MIN_MARGIN = 5
RCC_COMPRESSED = 0x01
RCC_DIRECTORY = 0x02
RCC_ZSTD = 0x04


class ResourceArchive:
    """A Qt binary resource file (``.rcc``), read into memory."""

    def __init__(self, path: Path) -> None:
        """Read the archive and the offsets in its header."""
        self._bytes = path.read_bytes()
        if self._bytes[:4] != b"qres":
            raise ValueError(f"{path} is not a Qt resource file")
        version, self._tree, self._data, self._names = struct.unpack(">4I", self._bytes[4:20])
        self._node_size = 22 if version >= 2 else 14
        self._files = dict(self._walk(0, ""))

    def read(self, name: str) -> bytes:
        """Return the content of one file; raises ``KeyError`` when the archive has none of that name."""
        offset, flags = self._files[name]
        start = self._data + offset
        (size,) = struct.unpack(">I", self._bytes[start : start + 4])
        content = self._bytes[start + 4 : start + 4 + size]
        if flags & RCC_ZSTD:
            raise ValueError(f"{name} is compressed with Zstandard, which is not supported")
        return zlib.decompress(content[4:]) if flags & RCC_COMPRESSED else content

    def _walk(self, index: int, prefix: str) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yield path, data offset and flags of every file below one tree node."""
        start = self._tree + index * self._node_size
        name_offset, flags = struct.unpack(">IH", self._bytes[start : start + 6])
        path = f"{prefix}/{self._name(name_offset)}".lstrip("/") if index else ""
        if flags & RCC_DIRECTORY:
            count, first = struct.unpack(">II", self._bytes[start + 6 : start + 14])
            for child in range(first, first + count):
                yield from self._walk(child, path)
        else:
            (data_offset,) = struct.unpack(">I", self._bytes[start + 10 : start + 14])
            yield path, (data_offset, flags)

    def _name(self, offset: int) -> str:
        """Return the file or folder name stored at one offset of the name table."""
        start = self._names + offset
        (length,) = struct.unpack(">H", self._bytes[start : start + 2])
        return self._bytes[start + 6 : start + 6 + 2 * length].decode("utf-16-be")


@cache
def open_archive(path: Path) -> ResourceArchive:
    """Open a resource archive once and keep it for the rows that follow."""
    return ResourceArchive(path)


def read_location(unpacked: Path, location: str) -> bytes:
    """Return the bytes of the picture that one ``found_at`` cell of the manifest names."""
    outer, separator, inner = location.partition("!")
    if separator:
        return open_archive(unpacked / outer).read(inner)
    return (unpacked / outer).read_bytes()


def to_srgb(image: Image.Image) -> Image.Image:
    """Convert an opaque picture to RGB, using its colour profile if it has one."""
    profile = image.info.get("icc_profile")
    rgb = image.convert("RGB")
    if not profile or image.mode not in ("RGB", "RGBA"):
        return rgb
    embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.profileToProfile(rgb, embedded, ImageCms.createProfile("sRGB")) or rgb


def flatten(image: Image.Image) -> Image.Image:
    """Composite a transparent picture on white, cropped to its visible part with a small margin."""
    if "A" not in image.getbands() and "transparency" not in image.info:
        return to_srgb(image)
    rgba = image.convert("RGBA")
    visible = rgba.getchannel("A").point(lambda value: 255 if value > ALPHA_THRESHOLD else 0).getbbox()
    if visible is None:
        raise ValueError("the picture is fully transparent")
    rgba = rgba.crop(visible)
    if rgba.getchannel("A").getextrema()[0] == 255:
        return to_srgb(image.convert("RGB").crop(visible))
    margin = max(MIN_MARGIN, round(MARGIN_SHARE * max(rgba.size)))
    canvas = Image.new("RGB", (rgba.width + 2 * margin, rgba.height + 2 * margin), "white")
    canvas.paste(rgba, (margin, margin), mask=rgba.getchannel("A"))
    return canvas


def to_photo(content: bytes, max_side: int = MAX_SIDE, min_side: int = MIN_SIDE) -> bytes:
    """Turn the bytes of a package picture into the JPEG of the collection."""
    with Image.open(io.BytesIO(content)) as opened:
        image = flatten(opened)
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    if max(image.size) < min_side:
        raise ValueError(f"the picture is only {image.width} by {image.height} pixels")
    image.info.clear()
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True)
    return buffer.getvalue()


def read_manifest(path: Path) -> list[dict[str, str]]:
    """Return the rows of the manifest; raises ``ValueError`` when a file name occurs twice."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = [row["file"] for row in rows]
    if len(set(names)) != len(names):
        raise ValueError("the manifest names a file twice")
    return rows


def build(arguments: argparse.Namespace, rows: list[dict[str, str]]) -> list[str]:
    """Write every photograph of the manifest and return a line for each one that failed."""
    arguments.photos.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    for row in rows:
        try:
            content = read_location(arguments.unpacked, row["found_at"])
            photo = to_photo(content, arguments.max_side, arguments.min_side)
        except (KeyError, OSError, ValueError) as error:
            problems.append(f"{row['file']}: {error}")
            continue
        (arguments.photos / row["file"]).write_bytes(photo)
    return problems


def check(rows: list[dict[str, str]], photos: Path) -> list[str]:
    """Return a line for each photograph without a row and each row without a photograph."""
    listed = {row["file"] for row in rows}
    present = {path.name for path in photos.iterdir() if path.is_file()}
    missing = [f"{name}: in the manifest, but there is no such photograph" for name in listed - present]
    extra = [f"{name}: a photograph without a row in the manifest" for name in present - listed]
    return sorted(missing + extra)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Rebuild the demo photographs from the unpacked packages.")
    parser.add_argument("unpacked", type=Path, nargs="?", help="folder with both packages, holds usr/")
    parser.add_argument("--manifest", type=Path, default=HERE / "manifest.csv", help="list of photographs")
    parser.add_argument("--photos", type=Path, default=HERE / "photos", help="folder to write to")
    parser.add_argument("--max-side", type=int, default=MAX_SIDE, help="pixels that the longer side has at most")
    parser.add_argument("--min-side", type=int, default=MIN_SIDE, help="pixels that the longer side has at least")
    parser.add_argument("--check", action="store_true", help="only compare the manifest with the photographs")
    arguments = parser.parse_args()
    if arguments.unpacked is None and not arguments.check:
        parser.error("name the folder with the unpacked packages, or give --check")
    return arguments


def main() -> int:
    """Build or check the photographs; returns 1 when something is missing."""
    arguments = parse_arguments()
    rows = read_manifest(arguments.manifest)
    problems = [] if arguments.check else build(arguments, rows)
    problems += check(rows, arguments.photos)
    for problem in problems:
        print(problem, file=sys.stderr)
    total = sum(path.stat().st_size for path in arguments.photos.iterdir())
    print(f"{len(rows)} rows, {total} bytes of photographs, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
