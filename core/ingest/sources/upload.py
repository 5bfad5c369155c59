"""Stores uploaded files in a folder beside the collections."""

from __future__ import annotations

import itertools
import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from core.disk import is_full, write_durably
from core.errors import StoreError

DRAFTS = ".drafts"  # beside the folders of the collections, whose names never begin with a dot
ABANDONED_AFTER_S = 3600.0  # a draft this old belongs to a process that was killed


def save_upload(folder: Path, name: str, content: bytes, now_s: Callable[[], float] = time.time) -> Path:
    """Write an upload whole or not at all, under its own name or a numbered one; the same content is stored once.

    Others may upload into the same folder at the same time. Raises StoreError.
    """
    draft = folder.parent / DRAFTS / uuid.uuid4().hex
    try:
        for needed in (folder, draft.parent):
            needed.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(draft.parent, now_s() - ABANDONED_AFTER_S)
        try:
            write_durably(draft, content)
            return _name_draft(draft, folder, Path(name.replace("\\", "/").replace("\0", "")).name, content)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        reason, advice = str(error.strerror), "check the uploads folder"
        if is_full(error):
            reason, advice = "the disk is full", "free some space"
        raise StoreError(
            f"{name} could not be stored ({reason}): nothing was added; {advice}, then upload again"
        ) from error


def _name_draft(draft: Path, folder: Path, name: str, content: bytes) -> Path:
    """Give the draft the first name that is free or has this content already."""
    stem, suffix = _safe_stem(Path(name).stem), Path(name).suffix.lower()[:10]
    names = itertools.chain([f"{stem}{suffix}"], (f"{stem}-{number}{suffix}" for number in itertools.count(2)))
    return next(path for path in map(folder.joinpath, names) if _take(path, draft) or path.read_bytes() == content)


def _take(path: Path, draft: Path) -> bool:
    """Move the draft to a path, unless that is taken; another upload may take it at the same moment."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError as error:
        if is_full(error):
            raise
        if path.exists():
            return False
        draft.replace(path)  # a file system without hard links
    return True


def _remove_abandoned(drafts: Path, before_s: float) -> None:
    for draft in drafts.iterdir():
        with suppress(FileNotFoundError):
            if draft.stat().st_mtime < before_s:
                draft.unlink()


def _safe_stem(name: str) -> str:
    """What a file system accepts of a name: 255 bytes, including the suffix and a number."""
    short = name.lstrip(".").encode("utf-8", "replace")[:180]
    return short.decode("utf-8", "ignore") or "picture"
