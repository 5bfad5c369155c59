"""Text building blocks: counts, durations, names and lists as words; text made safe for a line or a spreadsheet."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

# -- words --------------------------------------------------------------------------------------------------------


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 picture`, `25,000 pictures`; a plural that is not the noun with an s is given: `0 queries`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def quoted(text: str, max_length: int = 60) -> str:
    """A name in quotation marks, on one line, shortened to at most `max_length` characters."""
    return f"‘{one_line(text, max_length)}’"


def folded(text: str) -> str:
    """Text by which names are compared: without case, with its letters composed."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()


# Letters that Unicode does not take apart into a letter and a mark.
_PLAIN_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
_LAST_ACCENT = "\u08ff"  # above it marks are letters of their own: vowels in India, voiced kana in Japan
# Thai, Lao, kana and Chinese characters.
_UNSPACED = re.compile("([\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])")


# A word with its accents where these are characters of their own, as vowels of Indian scripts are.
WORD = re.compile(r"[^\W_](?:[^\W_]|[\u0300-\u036f\u0900-\u0963\u0966-\u0dff])*")


def plain(text: str) -> str:
    """Text by which words are compared: without case and accents."""
    if text.isascii():
        return text.lower()
    letters = unicodedata.normalize("NFKD", text.casefold()).translate(_PLAIN_LETTERS)
    kept = (c for c in letters if c > _LAST_ACCENT or unicodedata.category(c) != "Mn")
    return unicodedata.normalize("NFC", "".join(kept)).casefold()


def plain_words(text: str) -> str:
    """The words of a text without case, accents and punctuation, single blanks between them.

    A character of a script that is written without blanks counts as a word.
    """
    if text.isascii():
        return " ".join(re.findall("[a-z0-9]+", text.lower()))
    spaced = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in plain(text))
    return " ".join(_UNSPACED.sub(r" \1 ", spaced).split())


def called(name: str) -> str:
    """A cluster's quoted name, or words for a cluster that has none."""
    return quoted(name) if name else "a cluster without a name"


def duration(seconds: float) -> str:
    """`0:17`, `12:05` or `3:02:10`."""
    minutes, seconds_left = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours}:{minutes_left:02}:{seconds_left:02}" if hours else f"{minutes_left}:{seconds_left:02}"


def format_bytes(count: int) -> str:
    """A number of bytes in decimal units: `15.1 MB`."""
    value, units = float(count), ["bytes", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} bytes" if units[0] == "bytes" else f"{value:.1f} {units[0]}"


# -- one-line-safe text -------------------------------------------------------------------------------------------


_SOFT_HYPHEN = "\u00ad"
_JOINERS = "\u200c\u200d"  # they hold emoji together, and letters of Persian and Indian scripts
# A black flag and letters that are tags: the flags of England, Scotland and Wales.
_REGION_FLAG = re.compile("(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,8}\U000e007f)")
_UNSAFE_CATEGORIES = ("Cc", "Cf", "Cs")


def one_line(text: str, max_length: int | None = None) -> str:
    """Text on one line, with an ellipsis where it is shortened to at most `max_length` characters.

    Control characters, lone surrogates and invisible marks, such as those that change its direction, become spaces.
    """
    safe = text if text.isprintable() else _made_safe(text.replace(_SOFT_HYPHEN, ""))
    line = " ".join(safe.split()).strip(f" {_JOINERS}")
    return line if max_length is None or len(line) <= max_length else f"{line[: max_length - 1].rstrip()}…"


def _made_safe(text: str) -> str:
    parts = _REGION_FLAG.split(text)  # every second is a flag
    parts[::2] = ["".join(" " if _is_unsafe(character) else character for character in part) for part in parts[::2]]
    return "".join(parts)


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in _UNSAFE_CATEGORIES and character not in _JOINERS


def as_json(data: Any) -> str:
    """Untrusted data as JSON on one line; lone surrogates, which cannot be encoded, become question marks."""
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "replace").decode()


# -- cells of a spreadsheet ---------------------------------------------------------------------------------------

_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def escape_formula(value: str) -> str:
    """A CSV cell with an apostrophe in front if a spreadsheet would run it, as OWASP advises."""
    return f"'{value}" if _looks_like_formula(value) else value


def unescape_formula(cell: str) -> str:
    """The value of a cell that `escape_formula` made."""
    return cell.removeprefix("'") if _looks_like_formula(cell) else cell


def _looks_like_formula(value: str) -> bool:
    """Whether a spreadsheet would run the value, leading apostrophes aside, so that escaping can be undone."""
    return value.lstrip("'").startswith(_FORMULA_PREFIXES)
