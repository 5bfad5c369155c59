"""Microseconds per file for metadata: 500 JPEG files with EXIF, IPTC and XMP, beside what ingest does with pixels.

`make bench NAME=metadata`
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import numpy as np
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from core.embedding import images
from core.ingest.metadata.embedded import embedded_description
from core.ingest.metadata.xmp_packet import parse_packet
from tests.benchmarks.measure import record_ratio, verdict
from tests.fakes.metadata_blocks import alternatives, bag, iptc, jpeg, opened, packet, resource

FILES, ROUNDS = 500, 5
MAX_SHARE_PERCENT = 5.0
SETTINGS = " ".join(f'exif:Setting{number}="{number}"' for number in range(40))  # as Lightroom keeps them


def exif() -> Image.Exif:
    block = Image.Exif()
    block[Base.ImageDescription], block[Base.Artist], block[Base.Copyright] = "Boats", "Ada", "CC BY 4.0"
    block[Base.Make], block[Base.Model] = "NIKON CORPORATION", "NIKON D90"
    block.get_ifd(IFD.Exif).update(
        {
            Base.DateTimeOriginal: "2019:07:14 10:30:00",
            0x9011: "+05:30",
            Base.LensModel: "50 mm",
            Base.MakerNote: bytes(2000),
        }
    )
    block.get_ifd(IFD.GPSInfo).update(
        {
            GPS.GPSLatitudeRef: "N",
            GPS.GPSLatitude: (38.0, 42.0, 30.0),
            GPS.GPSLongitudeRef: "W",
            GPS.GPSLongitude: (9.0, 8.0, 6.0),
        }
    )
    return block


def xmp(number: int) -> bytes:
    words = bag("dc:subject", "sea", "boats", f"word {number}") + bag(
        "lr:hierarchicalSubject", "Places|Portugal|Lisboa"
    )
    return packet(alternatives("dc:title", x_default="Harbour", de="Hafen") + words, f'xmp:Rating="3" {SETTINGS}')


def microseconds(files: list[bytes], call: Callable[[Image.Image], object]) -> float:
    """The median over rounds of what a call takes on one opened file."""
    rounds = []
    for _ in range(ROUNDS):
        pictures = [opened(data) for data in files]
        start = time.perf_counter()
        for picture in pictures:
            call(picture)
        rounds.append((time.perf_counter() - start) / len(files) * 1e6)
    return float(np.median(rounds))


def pixels_microseconds() -> float:
    """Opening, decoding and a thumbnail of a photograph of six megapixels, scaled as ingest does."""
    noise = np.random.default_rng(0).integers(0, 256, (50, 75, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize((3000, 2000)).save(buffer, "JPEG")
    return microseconds(
        [buffer.getvalue()] * 10, lambda image: images.thumbnail(images.upright_rgb(image, "", images.MIN_SIDE_PX))
    )


def main() -> int:
    block = resource(
        0x0404,
        iptc((5, b"Mole"), (120, b"On the mole"), (25, b"sea"), (80, b"Ada"), (55, b"20190714"), (90, b"Lisboa")),
    )
    packets = [xmp(number) for number in range(FILES)]
    rows = {
        "no metadata": [jpeg()] * FILES,
        "EXIF": [jpeg(exif=exif())] * FILES,
        "IPTC": [jpeg(resources=block)] * FILES,
        "XMP": [jpeg(xmp=data) for data in packets],
        "EXIF, IPTC and XMP": [jpeg(exif=exif(), resources=block, xmp=data) for data in packets],
    }
    times = {name: microseconds(files, embedded_description) for name, files in rows.items()}
    for name, value in times.items():
        print(f"{name:<24}{value:>8.0f} µs a file")
    start = time.perf_counter()
    for data in packets:
        parse_packet(data)
    parsing = (time.perf_counter() - start) / FILES * 1e6
    print(f"{'of that, XML':<24}{parsing:>8.0f} µs, packets of {len(packets[0]):,} bytes")
    pixels = pixels_microseconds()
    print(f"{'pixels, 6 megapixels':<24}{pixels:>8.0f} µs")
    record_ratio("pixels of a 6-megapixel JPEG ÷ all its metadata", pixels / times["EXIF, IPTC and XMP"])
    return not verdict("metadata beside pixels", 100 * times["EXIF, IPTC and XMP"] / pixels, MAX_SHARE_PERCENT, "%")


if __name__ == "__main__":
    raise SystemExit(main())
