"""Which file a row of a captions table means: the path it writes, or the only one that ends with it."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote

from core.text import unescape_formula

_ABSOLUTE = re.compile(r"/|[A-Za-z]:/")


class Match(NamedTuple):
    """The file that is meant, or None; `bearers` is how many could be, where those are several.

    `by_end`: the name is only the end of the file's path, which another row may name in full.
    """

    path: str | None
    bearers: int = 0
    by_end: bool = False


class FileMatcher:
    """Matches what rows call their files with the files of a folder, whatever the case and the Unicode form.

    A name counts as the path from the folder; else for the only file whose whole path ends with it, so that a bare
    name matches where one file bears it. A table written elsewhere may have other folders before those that are here.
    """

    def __init__(self, paths: Iterable[str], written: Collection[str], root: str = "") -> None:
        """`paths` are relative to the folder `root` (absolute; "" if unknown), `written` are the names in all rows."""
        self._paths = frozenset(paths)
        self._root = f"{_tidy(root).rstrip('/')}/" if root else ""
        names = {_tidy(name) for name in written}
        self._depth = max((path.count("/") + 1 for path in self._paths), default=0)
        self._whole = _Files((path, path) for path in self._paths)
        self._tails = _Files(self._all_tails({name.count("/") + 1 for name in names if not _ABSOLUTE.match(name)}))
        self._elsewhere = self._folder_elsewhere([name for name in names if "/" in name])

    def match(self, written: str) -> Match:
        """The file that a row means by `written`."""
        for name in (unescape_formula(written), written):
            if name in self._paths:
                return Match(name)
        name = _tidy(written)
        match = self._whole.find(self._from_root(name))
        if match == _NONE and not _ABSOLUTE.match(name):
            match = self._tails.find(name)
            match = match._replace(by_end=match.path is not None)
        if match == _NONE and self._elsewhere and name.startswith(self._elsewhere):
            match = self._whole.find(name.removeprefix(self._elsewhere))
        return match

    def _from_root(self, name: str) -> str:
        return name.removeprefix(self._root) if self._root else name

    def _all_tails(self, lengths: set[int]) -> Iterator[tuple[str, str]]:
        """The last parts of each file's whole path, as many as names have."""
        for path in self._paths:
            parts = f"{self._root}{path}".split("/")
            for length in lengths.intersection(range(1, len(parts) + 1)):
                yield "/".join(parts[-length:]), path

    def _folder_elsewhere(self, names: Collection[str]) -> str:
        """The folder before most names, without which they are paths from this folder: where the table was written.

        "" if any is such a path as it stands, or if it could as well be another folder with files of the same names:
        at least one path must keep a folder, or all rows be of that one folder, in full.
        """
        if any(self._whole.find(self._from_root(name)) != _NONE for name in names):
            return ""
        votes, sure = Counter[str](), set[str]()
        for name in names:
            if tail := self._longest_tail(name):
                folder = name.removesuffix(tail)
                votes[folder] += 1
                sure |= {folder} if "/" in tail else set()
        best = max(votes, key=lambda folder: (votes[folder], -len(folder)), default="")
        in_full = _ABSOLUTE.match(best) and all(name.startswith(best) for name in names)
        return best if best in sure or in_full else ""

    def _longest_tail(self, name: str) -> str:
        """The end of a name that is a file's path from the folder; "" if there is none."""
        parts = name.split("/")[1:][-self._depth :]
        tails = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((tail for tail in tails if self._whole.find(tail).path is not None), "")


class _Files:
    """Files by a name, as written (in NFC), else whatever the case."""

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        self._exact: dict[str, Match] = {}
        self._folded: dict[str, Match] = {}
        for name, path in named:
            for index, key in ((self._exact, _nfc(name)), (self._folded, _nfc(name.casefold()))):
                bearers = index[key].bearers + 1 if key in index else 1
                index[key] = Match(path if bearers == 1 else None, bearers)

    def find(self, name: str) -> Match:
        """The file of this name, if only one has it."""
        match = self._exact.get(_nfc(name)) or self._folded.get(_nfc(name.casefold()), _NONE)
        return Match(match.path, match.bearers if match.bearers > 1 else 0)


_NONE = Match(None)


def _tidy(name: str) -> str:
    """A path or file: address as this computer would write it: forward slashes, without `.` and `..`."""
    name = unescape_formula(name).strip()
    name = unquote(name.removeprefix("file://")) if name.startswith("file://") else name.replace("\\", "/")
    path = posixpath.normpath(name)
    return re.sub(r"^(\.\./)+|^//+(?=[^/])", lambda match: "/" if match[0].startswith("/") else "", path)


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)
