"""What a walk passes over by its name: bins, thumbnails that programs keep, and the patterns of the caller."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate

from core.errors import ContactSheetError
from core.text import folded

# Compared in lower case. What begins with a dot (.Trash, .thumbnails, .picasaoriginals) is hidden anyway.
_FOLDERS = frozenset(
    {
        "@eadir",  # Synology: thumbnails
        "#recycle",
        "@recycle",  # QNAP: its bin
        "#snapshot",
        "@recently-snapshot",
        "@tmp",
        "$recycle.bin",
        "recycler",
        "system volume information",
        "lost+found",
        "lost.dir",  # Android: what a repair found
        "__macosx",
        "thumbs",
        "files_trashbin",  # Nextcloud
        "files_versions",
    }
)
_FOLDER_ENDINGS = (".lrdata", ".lrcat-data")  # Lightroom's previews
_FOLDER_BEGINNINGS = ("appdata_",)  # Nextcloud's previews
# Libraries of Apple and Capture One keep thumbnails and renderings beside the originals.
_LIBRARIES = (
    ".photoslibrary",
    ".photolibrary",
    ".aplibrary",
    ".migratedphotolibrary",
    ".migratedaplibrary",
    ".cocatalog",
)
_ORIGINALS = frozenset({"originals", "masters"})
NO_MEDIA = ".nomedia"


def holds_no_originals(name: str, parent: str) -> bool:
    """Whether a folder is one that programs fill and nobody's pictures are in, by its name and its parent's."""
    name = name.lower()
    if parent.lower().endswith(_LIBRARIES):
        return name not in _ORIGINALS
    return name in _FOLDERS or name.endswith(_FOLDER_ENDINGS) or name.startswith(_FOLDER_BEGINNINGS)


class ExcludePatterns:
    """Patterns like those of .gitignore, in any case: `*.tmp`, `proofs/`, `1998/DSC_*`, `**/cache/*`.

    A pattern without a slash matches the name of a file or folder at any depth; with a slash, the path below the root;
    with one at its end, folders only. Raises ContactSheetError for a pattern that cannot be meant.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        parsed = [_parse(pattern) for pattern in patterns if pattern.strip()]
        self._any = bool(parsed)
        self._names = {folders: _union(parsed, False, folders) for folders in (False, True)}
        self._paths = {folders: _union(parsed, True, folders) for folders in (False, True)}

    def match(self, relative: str, folder: bool) -> bool:
        """Whether a file or folder is excluded; `relative` is its path below the root, with slashes."""
        if not self._any:
            return False
        path = folded(relative)
        names, paths = self._names[folder], self._paths[folder]
        return bool((names and names.match(path.rpartition("/")[2])) or (paths and paths.match(path)))

    def match_any_part(self, relative: str) -> bool:
        """Whether a file or one of the folders that lead to it is excluded."""
        if not self._any:
            return False
        parts = relative.split("/")
        return self.match(relative, False) or any(
            self.match("/".join(parts[:count]), True) for count in range(1, len(parts) + 1)
        )


def _parse(pattern: str) -> tuple[str, bool, bool]:
    """The pattern as a regular expression, whether it is one of paths, and whether it is one of folders alone."""
    plain = folded(pattern.strip()).replace("\\", "/")
    folders, anchored = plain.endswith("/"), "/" in plain.rstrip("/")
    plain = plain.strip("/").removeprefix("./")
    _check(pattern, plain)
    # fnmatch's * also stands for slashes, which is what ** means; `**/` may stand for no folder at all.
    pieces = [translate(piece) for piece in plain.split("**/")]
    return "(?:.*/)?".join(re.sub(r"^\(\?s:(.*)\)\\[Zz]$", r"(?s:\1)", piece) for piece in pieces), anchored, folders


def _check(pattern: str, plain: str) -> None:
    problem = ""
    if not plain or set(plain) <= set("*/"):
        problem = "it would exclude everything"
    elif plain.startswith("!"):
        problem = "a pattern cannot take another one back with !"
    elif ".." in plain.split("/"):
        problem = "a pattern cannot lead out of the folder with .."
    elif plain.count("[") > plain.count("]"):
        problem = "a [ is never closed; for the character itself write [[]"
    elif not plain.isprintable():
        problem = "it has characters that cannot be printed"
    if problem:
        raise ContactSheetError(f"the exclude pattern {pattern!r} cannot be used: {problem}")


def _union(parsed: list[tuple[str, bool, bool]], of_paths: bool, for_folders: bool) -> re.Pattern[str] | None:
    chosen = [regex for regex, anchored, folders in parsed if anchored == of_paths and (for_folders or not folders)]
    return re.compile("|".join(f"(?:{regex})\\Z" for regex in chosen)) if chosen else None
