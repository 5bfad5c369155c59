"""Finds the JPEGs that cameras put into their RAW files, and what the RAW says of the picture.

RAWs that are built like TIFFs (CR2, NEF, NRW, ARW, DNG, ORF, RW2, PEF, SRW and others) hold them in their directories,
RAF at a place that its header names, CR3 in boxes. Where the structure names none, since ORF and PEF have them in maker
notes, the file is searched for the beginning of a JPEG.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.embedding import iso_media
from core.embedding.jpeg_structure import frame_size
from core.embedding.tiff_directories import (
    MAX_XMP_BYTES,
    Directory,
    Tag,
    byte_order,
    first_offset,
    metadata_block,
    metadata_info,
    read_directory,
)

RAF_SIGNATURE = b"FUJIFILMCCD-RAW"
# Sigma X3F, Minolta MRW and Canon CRW are built in ways of their own: they are searched.
_OTHER_SIGNATURES = (b"FOVb", b"\0MRM", b"II\x1a\0\0\0HEAPCCDR")
MAX_SEARCHED = 64
# Colour filter array, and linear RAW: a sensor's values, not colours.
_RAW_PHOTOMETRICS = (32803, 34892)
# Sony ARW, Nikon and Epson packed, Samsung SRW (two), Nikon NEF, lossy DNG, Kodak DCR and KDC, Pentax PEF.
_RAW_COMPRESSIONS = (32767, 32769, 32770, 32772, 34713, 34892, 65000, 65535)
_CANON = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_CANON_PREVIEW = bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16")
XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


@dataclass(frozen=True)
class Preview:
    """A JPEG inside a RAW: where it is and its size in pixels."""

    start: int
    end: int
    size: tuple[int, int]


@dataclass(frozen=True)
class CameraRaw:
    """What is known of a RAW without decoding it; `info` is named as Pillow names metadata."""

    preview: Preview | None
    info: Mapping[str, Any]
    orientation: int = 0


def read_camera_raw(data: bytes, found: Mapping[int, Directory]) -> CameraRaw | None:
    """The RAW that a file is, whatever its name; None if it is none. `found` are its directories, if it has any."""
    if data.startswith(RAF_SIGNATURE):
        return CameraRaw(_largest(data, _raf_places(data)), {})
    if data.startswith(_OTHER_SIGNATURES):
        return CameraRaw(_largest(data, iter(())), {})
    if data[4:12] == b"ftypcrx ":
        return _read_cr3(data)
    if found and _is_raw(data, found):
        return _read_tiff_based(data, found)
    return None


def _is_raw(data: bytes, found: Mapping[int, Directory]) -> bool:
    if (
        data[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
        or data[8:10] == b"CR"
        or data[8:12] in (b"IIII", b"MMMM")
    ):
        return True
    return any(
        Tag.DNG_VERSION in directory.entries
        or directory.number(Tag.PHOTOMETRIC, -1) in _RAW_PHOTOMETRICS
        or directory.number(Tag.COMPRESSION, 1) in _RAW_COMPRESSIONS
        for directory in found.values()
    )


def _read_tiff_based(data: bytes, found: Mapping[int, Directory]) -> CameraRaw:
    main = found.get(first_offset(data)) or next(iter(found.values()))
    is_dng = any(Tag.DNG_VERSION in directory.entries for directory in found.values())
    # What a search found in a DNG could be a tile of the sensor's data, which a lossy one keeps as JPEGs.
    preview = _largest(data, _tiff_places(found.values()), search=not is_dng)
    return CameraRaw(preview, metadata_info(main), main.number(Tag.ORIENTATION))


def _largest(data: bytes, places: Iterator[tuple[int, int]], search: bool = True) -> Preview | None:
    """The largest JPEG at these places (start, length), or else of those that a search finds."""
    previews = [*_previews(data, places)]
    if not previews and search:
        previews = [*_previews(data, _searched_places(data))]
    return max(previews, key=lambda preview: preview.size[0] * preview.size[1], default=None)


def _previews(data: bytes, places: Iterator[tuple[int, int]]) -> Iterator[Preview]:
    for start, length in places:
        if 0 < start < len(data) and length > 0 and (size := frame_size(data, start)):
            yield Preview(start, min(start + length, len(data)), size)


def _tiff_places(found: Any) -> Iterator[tuple[int, int]]:
    for directory in found:
        yield directory.number(Tag.JPEG_OFFSET), directory.number(Tag.JPEG_BYTES)
        is_sensor = directory.number(Tag.PHOTOMETRIC) in _RAW_PHOTOMETRICS
        if len(directory.numbers(Tag.STRIP_OFFSETS)) == 1 and not is_sensor:
            yield directory.number(Tag.STRIP_OFFSETS), directory.number(Tag.STRIP_BYTES)
        if whole := directory.entries.get(Tag.JPEG_FROM_RAW):
            yield whole.offset, whole.size


def _raf_places(data: bytes) -> Iterator[tuple[int, int]]:
    yield int.from_bytes(data[84:88], "big"), int.from_bytes(data[88:92], "big")


def _searched_places(data: bytes) -> Iterator[tuple[int, int]]:
    """Where a JPEG may begin; where it ends is left to the decoder."""
    at = 0
    for _ in range(MAX_SEARCHED):
        at = data.find(b"\xff\xd8\xff", at + 1)
        if at < 0:
            return
        yield at, len(data) - at


def _read_cr3(data: bytes) -> CameraRaw:
    places, blocks, info = list[tuple[int, int]](), dict[bytes, Directory](), dict[str, Any]()
    chunk, sample = 0, 0
    for box in iso_media.all_boxes(data):
        if box.kind == _CANON:
            blocks = _canon_blocks(data, box)
        elif box.kind == _CANON_PREVIEW:
            places += [
                (inner.start + 16, inner.end - inner.start - 16)
                for inner in iso_media.boxes(data, box.start + 8, box.end)
            ]
        elif box.kind == XMP_BOX:
            info["xmp"] = data[box.start : box.end][:MAX_XMP_BYTES]
        elif box.kind == b"trak":
            chunk = sample = 0
        elif box.kind == b"stsz":
            sample = _number(data, box.start + 4) or _number(data, box.start + 12)
        elif box.kind in (b"stco", b"co64"):
            chunk = _number(data, box.start + 8, 4 if box.kind == b"stco" else 8)
        if chunk and sample:
            places.append((chunk, sample))
            chunk = 0
    main = blocks.get(b"CMT1")
    if main is not None:
        info["exif"] = metadata_block(main, blocks.get(b"CMT2"), blocks.get(b"CMT4"))
    return CameraRaw(_largest(data, iter(places)), info, main.number(Tag.ORIENTATION) if main else 0)


def _canon_blocks(data: bytes, parent: iso_media.Box) -> dict[bytes, Directory]:
    """The directories that CR3 holds as small TIFFs: the main one, Exif, GPS."""
    found = {}
    for box in iso_media.boxes(data, parent.start, parent.end):
        block = data[box.start : box.end]
        if box.kind in (b"CMT1", b"CMT2", b"CMT4") and (order := byte_order(block)):
            directory = read_directory(block, first_offset(block), order)
            if directory is not None:
                found[box.kind] = directory
    return found


def _number(data: bytes, at: int, size: int = 4) -> int:
    return int.from_bytes(data[at : at + size], "big")
