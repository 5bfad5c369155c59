"""Content hashes: SHA-256 of an image's bytes and of a weights file."""

from __future__ import annotations

import hashlib
from pathlib import Path


def content_id(data: bytes) -> str:
    """SHA-256 of `data`, 64 hexadecimal digits: the id of the asset that has these bytes."""
    return hashlib.sha256(data).hexdigest()


def file_checkpoint(path: Path) -> str:
    """`sha256:` and the digest of a weights file."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def file_id(path: Path) -> str | None:
    """The id that an asset with the bytes of this file has; None if it is no file, or cannot be read."""
    try:
        if not path.is_file():  # nothing there, or a pipe that would keep a reader waiting
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None
