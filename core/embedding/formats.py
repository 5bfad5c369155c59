"""Which files are pictures: by their suffixes, or by their first bytes where there is no suffix to believe."""

from __future__ import annotations

import struct
from importlib.util import find_spec

_COMMON = """
jpg jpeg jpe jfif mpo png apng webp gif tif tiff bmp dib avif
jp2 j2k j2c jpc jpf jpx
"""
_RAW = "cr2 cr3 nef nrw arw sr2 srf dng raf orf rw2 rwl pef srw 3fr fff iiq erf kdc dcr mef mos gpr x3f mrw crw"


def _suffixes(names: str) -> frozenset[str]:
    return frozenset(f".{name}" for name in names.split())


HEIF_SUFFIXES, JXL_SUFFIXES, RAW_SUFFIXES = _suffixes("heic heif hif"), _suffixes("jxl"), _suffixes(_RAW)
SUFFIXES = _suffixes(_COMMON) | HEIF_SUFFIXES | JXL_SUFFIXES | RAW_SUFFIXES

HEIC_INSTALLED, JXL_INSTALLED, RAW_INSTALLED = (
    find_spec(package) is not None for package in ("pillow_heif", "imagecodecs", "rawpy")
)
# What reads a kind of file that is passed over without it: pip install -r FILE.
EXTRAS = {"HEIC": "requirements-heic.txt", "JXL": "requirements-jxl.txt", "RAW": "requirements-raw.txt"}

HEAD_BYTES = 64
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"FUJIFILMCCD-RAW", "RAF"),
    (b"FOVb", "X3F"),
    (b"\0MRM", "MRW"),
    (b"II\x1a\0\0\0HEAPCCDR", "CRW"),
    (b"IIU\0", "RW2"),
    (b"IIRO", "ORF"),
    (b"IIRS", "ORF"),
    (b"MMOR", "ORF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JXL"),
    (b"\xff\x0a", "JXL"),
)


def format_of(head: bytes) -> str:
    """The format that the first HEAD_BYTES of a file say it has, empty if none that is known here.

    A camera's RAW that begins like a TIFF is "TIFF": only its directories tell.
    """
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    return "BMP" if _is_bmp(head) else ""


def readable_suffixes() -> list[str]:
    """The suffixes, without the dot, of what can be read here, sorted."""
    lacking = (HEIF_SUFFIXES if not HEIC_INSTALLED else set()) | (JXL_SUFFIXES if not JXL_INSTALLED else set())
    return sorted(suffix.removeprefix(".") for suffix in SUFFIXES - lacking)


def is_installed(kind: str) -> bool:
    """Whether an extra is there, by its kind in EXTRAS."""
    return {"HEIC": HEIC_INSTALLED, "JXL": JXL_INSTALLED, "RAW": RAW_INSTALLED}[kind]


def missing_extra(name: str) -> str:
    """The kind, as in EXTRAS, of what has to be installed to read a format; empty if nothing."""
    if name == "HEIF" and not HEIC_INSTALLED:
        return "HEIC"
    return "JXL" if name == "JXL" and not JXL_INSTALLED else ""


def _iso_media(head: bytes) -> str:
    """The major brand decides, then the compatible ones."""
    end = min(len(head), max(16, int.from_bytes(head[:4], "big")))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]
    for brand in brands:
        if brand in (b"avif", b"avis"):
            return "AVIF"
        if brand == b"crx ":
            return "CR3"
        if brand in _HEIF_BRANDS and brand not in (b"mif1", b"msf1"):
            return "HEIF"
    return "HEIF" if {b"mif1", b"msf1"} & set(brands) else ""


def _is_bmp(head: bytes) -> bool:
    """Two letters are no signature: the reserved bytes and the size of the next header have to fit."""
    if len(head) < 18 or not head.startswith(b"BM") or head[6:10] != bytes(4):
        return False
    return struct.unpack_from("<I", head, 14)[0] in (12, 16, 40, 52, 56, 64, 108, 124)
