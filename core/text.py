"""Text building blocks: counts, durations, names and lists as words; text made safe for a line or a spreadsheet."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from typing import Any

# -- words --------------------------------------------------------------------------------------------------------


def counted(count: int, noun: str) -> str:
    """`1 picture`, `25,000 pictures`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def quoted(text: str, max_length: int = 60) -> str:
    """A name in quotation marks, on one line, shortened to at most `max_length` characters."""
    line = " ".join(text.split())
    return f"‘{line if len(line) <= max_length else line[: max_length - 1].rstrip() + '…'}’"


def called(name: str) -> str:
    """A cluster's quoted name, or words for a cluster that has none."""
    return quoted(name) if name else "a cluster without a name"


def duration(seconds: float) -> str:
    """`0:17`, `12:05` or `3:02:10`."""
    minutes, seconds_left = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours}:{minutes_left:02}:{seconds_left:02}" if hours else f"{minutes_left}:{seconds_left:02}"


# -- one-line-safe text -------------------------------------------------------------------------------------------


def one_line(text: str) -> str:
    """Text on one line, without control characters and invisible marks that change its direction."""
    return " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text).split())


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
