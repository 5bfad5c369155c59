"""What is passed over in a folder: what other programs keep there for themselves, and what people exclude."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate

from core.errors import ContactSheetError

MAX_PATTERNS, MAX_PATTERN_LENGTH = 100, 200
# Folders of programs and file systems, whose pictures are copies or were thrown away; compared without case.
FOLDERS = (
    *("@eaDir", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", ".@__thumb"),  # Synology, QNAP
    *("$RECYCLE.BIN", "System Volume Information", "RECYCLER"),  # Windows
    *("__MACOSX", "lost+found"),
    *("*.lrdata", "*.lrcat-data", "*.cocatalogdb"),  # Lightroom, Capture One
    *("Thumbnails.aplibrary", "Previews", "thumbnails", ".thumbnails", ".picasaoriginals"),
)
# In libraries of Apple's programs only these folders hold pictures of people.
LIBRARIES = (".photoslibrary", ".aplibrary", ".photolibrary")
ORIGINALS = ("originals", "masters")
NO_MEDIA = ".nomedia"
_IN_LIBRARY_ONLY = {"previews", "thumbnails", "thumbnails.aplibrary"}


class Excludes:
    """Whether a file or folder is passed over, by its path below the root."""

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        """Patterns like `*.tmp.jpg`, `private/` (folders alone) or `1998/contact sheets/*`, compared without case.

        Without a `/` inside, a pattern is about names at any depth. Raises ContactSheetError for an unusable one.
        """
        if len(patterns) > MAX_PATTERNS:
            raise ContactSheetError(f"{len(patterns)} patterns to exclude are too many: give up to {MAX_PATTERNS}")
        self._patterns = [_compiled(pattern) for pattern in patterns if pattern.strip()]
        self._folders = re.compile("|".join(translate(name.lower()) for name in FOLDERS))

    def folder(self, relative: str) -> bool:
        """Whether a folder is passed over with all that is in it; `relative` is its POSIX path below the root."""
        name, parent = _name_and_parent(relative)
        if name in _IN_LIBRARY_ONLY:
            inside = any(part.endswith(LIBRARIES) for part in parent.split("/"))
            return inside or self._matches(relative, is_folder=True)
        if parent.endswith(LIBRARIES):
            return name not in ORIGINALS or self._matches(relative, is_folder=True)
        return bool(self._folders.match(name)) or self._matches(relative, is_folder=True)

    def file(self, relative: str) -> bool:
        """Whether a file is passed over because of a pattern."""
        return self._matches(relative, is_folder=False)

    def _matches(self, relative: str, is_folder: bool) -> bool:
        lower = relative.lower()
        name = lower.rsplit("/", 1)[-1]
        return any(
            pattern.match(lower if whole_path else name)
            for pattern, whole_path, folders_only in self._patterns
            if is_folder or not folders_only
        )


def _name_and_parent(relative: str) -> tuple[str, str]:
    parent, _, name = relative.lower().rpartition("/")
    return name, parent


def _compiled(pattern: str) -> tuple[re.Pattern[str], bool, bool]:
    """The pattern, whether it is about whole paths, and whether about folders alone."""
    if len(pattern) > MAX_PATTERN_LENGTH or "\0" in pattern:
        raise ContactSheetError(
            f"a pattern to exclude has up to {MAX_PATTERN_LENGTH} characters, not {len(pattern)}: shorten it"
        )
    text = pattern.strip().replace("\\", "/").lower()
    stripped = text.removeprefix("./").strip("/")
    if not stripped:
        raise ContactSheetError(f"{pattern!r} would exclude everything: name a file or a folder")
    return re.compile(translate(stripped)), "/" in stripped or text.startswith("/"), text.endswith("/")
