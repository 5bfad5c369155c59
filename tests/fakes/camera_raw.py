"""Files built the way cameras build their RAWs: directories, boxes and headers around JPEG previews, no sensor's data.

After TIFF/EP, the DNG specification, ISO/IEC 14496-12 and what is published on CR2, CR3, RAF, RW2 and ORF.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

from PIL import Image

Row = tuple[int, int, bytes]  # tag, type, values as stored


def jpeg(size: tuple[int, int], colour: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def text(tag: int, value: str) -> Row:
    return tag, 2, value.encode() + b"\0"


def short(order: str, tag: int, *values: int) -> Row:
    return tag, 3, struct.pack(f"{order}{len(values)}H", *values)


def long(order: str, tag: int, *values: int) -> Row:
    return tag, 4, struct.pack(f"{order}{len(values)}I", *values)


def directory(order: str, at: int, rows: Sequence[Row], following: int = 0) -> bytes:
    """A directory for offset `at`, with its longer values behind it."""
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 10: 8}
    packed, tail = struct.pack(f"{order}H", len(rows)), b""
    behind = at + 6 + 12 * len(rows)
    for tag, kind, value in sorted(rows):
        packed += struct.pack(f"{order}HHI", tag, kind, len(value) // sizes[kind])
        packed += value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(f"{order}I", behind + len(tail))
        tail += value + bytes(len(value) % 2) if len(value) > 4 else b""
    return packed + struct.pack(f"{order}I", following) + tail


class TiffWriter:
    """Appends JPEGs and directories to a file that begins like a TIFF."""

    def __init__(self, order: str = "<", magic: bytes = b"", head: bytes = b"") -> None:
        self.order = order
        self._magic = magic or (b"II*\0" if order == "<" else b"MM\0*")
        self._body = head

    @property
    def end(self) -> int:
        return 8 + len(self._body)

    def append(self, data: bytes) -> int:
        """The offset at which `data` now is."""
        at = self.end
        self._body += data + bytes(len(data) % 2)
        return at

    def add(self, rows: Sequence[Row], following: int = 0) -> int:
        """The offset of a directory with these rows."""
        return self.append(directory(self.order, self.end, rows, following))

    def file(self, first: int) -> bytes:
        return self._magic + struct.pack(f"{self.order}I", first) + self._body


def camera_rows(writer: TiffWriter, orientation: int = 1) -> list[Row]:
    """What every camera writes into its main directory: maker, model, author, orientation, and when it was taken."""
    exif = writer.add([text(0x9003, "2019:07:14 05:12:09"), short(writer.order, 0x8827, 400)])
    rows = [text(271, "Maker"), text(272, "Model 1"), text(315, "Ada"), long(writer.order, 34665, exif)]
    return [*rows, short(writer.order, 274, orientation)]


def cr2(preview: bytes, orientation: int = 1) -> bytes:
    """Canon: the preview in the first directory's strip, a thumbnail, the sensor's data as lossless JPEG."""
    writer = TiffWriter("<", head=b"CR\2\0" + bytes(4))
    at = writer.append(preview)
    small, sensor = writer.append(jpeg((16, 12), "white")), writer.append(b"\xff\xd8\xff\xc3" + bytes(400))
    raw = writer.add([short("<", 259, 6), long("<", 273, sensor), long("<", 279, 404)])
    thumbnail = writer.add([long("<", 513, small), long("<", 514, len(jpeg((16, 12), "white")))], raw)
    rows = [short("<", 259, 6), long("<", 273, at), long("<", 279, len(preview)), *camera_rows(writer, orientation)]
    return writer.file(writer.add(rows, thumbnail))


def nef(preview: bytes, orientation: int = 1, order: str = ">") -> bytes:
    """Nikon: a bare thumbnail first; the preview and the sensor's data in sub-directories. SRW and PEF are alike."""
    writer = TiffWriter(order)
    at, thumbnail, sensor = writer.append(preview), writer.append(bytes(3 * 16 * 12)), writer.append(bytes(400))
    jpeg_directory = writer.add([long(order, 254, 1), long(order, 513, at), long(order, 514, len(preview))])
    raw = writer.add(
        [
            long(order, 254, 0),
            short(order, 256, 6000),
            short(order, 257, 4000),
            short(order, 258, 14),
            short(order, 259, 34713),
            short(order, 262, 32803),
            long(order, 273, sensor),
            long(order, 279, 400),
        ]
    )
    rows = [
        long(order, 254, 1),
        short(order, 256, 16),
        short(order, 257, 12),
        short(order, 258, 8, 8, 8),
        short(order, 259, 1),
        short(order, 262, 2),
        short(order, 277, 3),
        short(order, 278, 12),
        long(order, 273, thumbnail),
        long(order, 279, 3 * 16 * 12),
        long(order, 330, jpeg_directory, raw),
        *camera_rows(writer, orientation),
    ]
    return writer.file(writer.add(rows))


def arw(preview: bytes, orientation: int = 1) -> bytes:
    """Sony: the preview named in the first directory, the sensor's data in a sub-directory."""
    writer = TiffWriter("<")
    at, sensor = writer.append(preview), writer.append(bytes(400))
    raw = writer.add([short("<", 259, 32767), short("<", 262, 32803), long("<", 273, sensor), long("<", 279, 400)])
    rows = [long("<", 254, 1), long("<", 513, at), long("<", 514, len(preview)), long("<", 330, raw)]
    return writer.file(writer.add([*rows, *camera_rows(writer, orientation)]))


def dng(preview: bytes, orientation: int = 1, xmp: bytes = b"") -> bytes:
    """Adobe: previews are pages of JPEG compression in sub-directories."""
    writer = TiffWriter("<")
    at, sensor = writer.append(preview), writer.append(bytes(400))
    rows = [long("<", 254, 1), short("<", 259, 7), short("<", 262, 6), long("<", 273, at), long("<", 279, len(preview))]
    page = writer.add(rows)
    raw = writer.add([long("<", 254, 0), short("<", 262, 32803), long("<", 273, sensor), long("<", 279, 400)])
    main: list[Row] = [(50706, 1, b"\1\4\0\0"), long("<", 254, 1), long("<", 330, raw, page)]
    main += [(700, 1, xmp)] if xmp else []
    return writer.file(writer.add([*main, *camera_rows(writer, orientation)]))


def rw2(preview: bytes, orientation: int = 1) -> bytes:
    """Panasonic: a magic of its own, the preview as the value of a tag."""
    writer = TiffWriter("<", b"IIU\0")
    return writer.file(writer.add([(0x2E, 7, preview), *camera_rows(writer, orientation)]))


def orf(preview: bytes, orientation: int = 1) -> bytes:
    """Olympus: a magic of its own, the preview somewhere that only the maker's notes know."""
    writer = TiffWriter("<", b"IIRO")
    writer.append(b"OLYMPUS\0II\3\0" + bytes(20) + preview)
    sensor = writer.append(bytes(400))
    rows = [short("<", 259, 1), long("<", 273, sensor), long("<", 279, 400)]
    return writer.file(writer.add([*rows, *camera_rows(writer, orientation)]))


def raf(preview: bytes) -> bytes:
    """Fujifilm: a header that says where the preview is; the preview has the metadata."""
    head = b"FUJIFILMCCD-RAW 0201FF129502X-T1".ljust(84, b"\0")
    return head + struct.pack(">II", 160, len(preview)) + bytes(68) + preview + bytes(400)


def box(kind: bytes, contents: bytes) -> bytes:
    return struct.pack(">I", 8 + len(contents)) + kind + contents


def cr3(preview: bytes, orientation: int = 1, xmp: bytes = b"", in_track: bool = True) -> bytes:
    """Canon: boxes; small TIFFs of metadata, the preview as the first track's only sample or in a box of its own."""
    main, exif = TiffWriter("<"), TiffWriter("<")
    rows = [text(271, "Maker"), text(272, "Model 1"), text(315, "Ada"), short("<", 274, orientation)]
    cmt1, cmt2 = main.file(main.add(rows)), exif.file(exif.add([text(0x9003, "2019:07:14 05:12:09")]))
    canon = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48") + box(b"CMT1", cmt1) + box(b"CMT2", cmt2)
    head = box(b"ftyp", b"crx \0\0\0\1crx isom")
    packet = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + xmp) if xmp else b""
    own = struct.pack(">IHHHHI", 0, 1, 160, 120, 1, len(preview)) + preview
    in_box = box(b"uuid", bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16") + bytes(8) + box(b"PRVW", own))
    packet += b"" if in_track else in_box

    def moov(at: int) -> bytes:
        table = box(b"stsz", struct.pack(">III", 0, len(preview), 1)) + box(b"co64", struct.pack(">IIQ", 0, 1, at))
        track = box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table))))
        return box(b"moov", box(b"uuid", canon) + (track if in_track else b""))

    start = len(head) + len(moov(0)) + len(packet) + 8
    return head + moov(start) + packet + box(b"mdat", (preview if in_track else b"") + bytes(400))


EVERY_RAW = {
    "CR2": cr2,
    "NEF": nef,
    "ARW": arw,
    "DNG": dng,
    "RW2": rw2,
    "ORF": orf,
    "CR3": cr3,
}


def sensor_dng(orientation: int = 1) -> bytes:
    """A DNG of 96×64 pixels with a sensor's values, all grey, and no preview."""
    writer = TiffWriter("<")
    pixels = struct.pack("<H", 2000) * (96 * 64)
    at = writer.append(pixels)
    matrix = b"".join(struct.pack("<ii", value, 1) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    rows: list[Row] = [
        long("<", 254, 0),
        short("<", 256, 96),
        short("<", 257, 64),
        short("<", 258, 16),
        short("<", 259, 1),
        short("<", 262, 32803),
        long("<", 273, at),
        short("<", 277, 1),
        short("<", 278, 64),
        long("<", 279, len(pixels)),
        short("<", 33421, 2, 2),
        (33422, 1, b"\0\1\1\2"),
        (50706, 1, b"\1\4\0\0"),
        text(50708, "Model 1"),
        long("<", 50717, 4095),
        (50721, 10, matrix),
        short("<", 50778, 21),
        *camera_rows(writer, orientation),
    ]
    return writer.file(writer.add(rows))
