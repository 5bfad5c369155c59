"""Names for exported files that every system can keep: unique in their folder, and no path of any kind."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import PurePath

from core.text import folded, one_line

MAX_NAME_BYTES = 180  # of 255 that file systems allow; a suffix and a number come on top
_NOT_ALLOWED = re.compile(r'[<>:"/\\|?*\x00-\x1f\ufffe\uffff]')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|\Z)", re.IGNORECASE)
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")


def safe_name(text: str, otherwise: str) -> str:
    """A text as the name of a file or folder on Windows, macOS and Linux; `otherwise` if nothing is left of it."""
    name = _NOT_ALLOWED.sub("_", one_line(unicodedata.normalize("NFC", text)))
    suffix = found[0] if (found := _SUFFIX.search(name)) else ""
    stem = name.removesuffix(suffix).strip(" .").encode()[:MAX_NAME_BYTES].decode(errors="ignore").rstrip(" .")
    name = (stem or otherwise) + suffix
    return f"_{name}" if _DEVICE.match(name) else name


class UniqueNames:
    """Gives out names by folder, each once whatever its case; not thread-safe."""

    def __init__(self) -> None:
        self._taken: defaultdict[str, set[str]] = defaultdict(set)
        self._next: defaultdict[tuple[str, str], Iterator[int]] = defaultdict(partial(count, 1))

    def take(self, folder: str, name: str) -> str:
        """This name, or the next that is free: `p.jpg`, `p (2).jpg`."""
        numbers, taken = self._next[folder, folded(name)], self._taken[folder]
        found = next(each for each in (numbered(name, number) for number in numbers) if folded(each) not in taken)
        taken.add(folded(found))
        return found


def numbered(name: str, number: int) -> str:
    """`p.jpg` for 1, `p (2).jpg`, `p (3).jpg` and so on."""
    path = PurePath(name)
    return name if number == 1 else f"{path.stem} ({number}){path.suffix}"
