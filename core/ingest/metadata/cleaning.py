"""Text from outside, made fit to store: decoded, composed, without control characters, of bounded length."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from core.text import one_line

MAX_TITLE_LENGTH, MAX_TEXT_LENGTH, MAX_KEYWORD_LENGTH, MAX_KEYWORDS = 300, 5_000, 80, 100
# What cameras, scanners and programs write where a person would write a title or a description; compared without case.
PROGRAM_TEXTS = frozenset(
    {
        "digital camera",
        "sony dsc",
        "minolta dsc",
        "samsung camera pictures",
        "kodak digital still camera",
        "exif_jpeg_picture",
        "exif_jpeg_t422",
        "exif jpeg",
        "acd systems digital imaging",
        "applemark",
        "default",
        "image description",
        "user comments",
    }
)
# `OLYMPUS DIGITAL CAMERA` and its like: in capitals throughout.
_CAMERA_TEXT = re.compile(r"(?:[A-Z]+ ){0,3}DIGITAL (?:STILL ?)?CAMERA")
_LONG_ROW = 40
# Phones of Huawei and Honor name the mode they were in.
PHONE_MODES = frozenset(
    {
        "cof",
        "cof_vivid",
        "dav",
        "edf",
        "fbt",
        "hdrpl",
        "mde",
        "nfd",
        "oznor",
        "ozedf",
        "rbt",
        "rhdr",
        "rptfbt",
        "sdr",
        "sdr_vivid",
        "vhdr",
    }
)
PROGRAM_TEXT_STARTS = (
    "created with gimp",
    "created with the gimp",
    "creator: gd-jpeg",
    "file written by adobe photoshop",
    "lead technologies inc",
    "lavc",
    "intel(r) jpeg library",
    "optimized by jpegmini",
    "processed by ebay",
    "handmade software, inc. image alchemy",
    "<digimax",
    "charset=",
    "fbmd0",
    "processed with vsco",
)


def clean(text: object, length: int = MAX_TEXT_LENGTH) -> str:
    """`text` as one paragraph of at most `length` characters that any store can hold and any page can show."""
    if text is None or text == "":
        return ""
    line = one_line(str(text)[: 4 * length])
    return unicodedata.normalize("NFC", line)[:length].rstrip()


def clean_description(text: object, length: int = MAX_TEXT_LENGTH) -> str:
    """Cleaned text, or nothing if a camera or a program wrote it, not a person."""
    line = clean(text, length)
    folded = line.casefold()
    is_program_text = (
        folded in PROGRAM_TEXTS
        or folded in PHONE_MODES
        or folded.startswith(PROGRAM_TEXT_STARTS)
        or _CAMERA_TEXT.fullmatch(line) is not None
    )
    return "" if is_program_text else line


def clean_comment(text: object) -> str:
    """A cleaned comment; nothing if it is a long row of figures, such as the readings of a camera's sensors."""
    line = clean_description(text)
    is_log = len(line) > _LONG_ROW and 3 * sum(map(str.isalpha, line)) < len(line.replace(" ", ""))
    return "" if is_log else line


def clean_keywords(words: Iterable[object]) -> tuple[str, ...]:
    """Cleaned keywords, each once (compared without case), in their order."""
    unique: dict[str, str] = {}
    for word in (clean(word, MAX_KEYWORD_LENGTH) for word in words):
        if word:
            unique.setdefault(word.casefold(), word)
        if len(unique) == MAX_KEYWORDS:
            break
    return tuple(unique.values())


def decode_text(raw: bytes) -> str:
    """UTF-8 if it is that, else Windows-1252, the superset of Latin-1 that programs mean; nothing after a NUL."""
    raw = raw.split(b"\0", 1)[0]
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        start = raw[: error.start]
        if error.reason == "unexpected end of data" and not start.isascii():
            return start.decode("utf-8")  # a program cut it off within a character
        return raw.decode("cp1252", "ignore")
