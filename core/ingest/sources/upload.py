"""Stores uploaded files in a folder beside the collections."""

from __future__ import annotations

from pathlib import Path

from core.errors import StoreError


def save_upload(folder: Path, name: str, content: bytes) -> Path:
    """Write an upload atomically, under its own name or a numbered one; the same content is stored once."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = _free_path(folder, Path(name.replace("\\", "/").replace("\0", "")).name, content)
        if not path.exists():
            draft = path.with_name(f".{path.name}.draft")
            draft.write_bytes(content)
            draft.replace(path)
        return path
    except OSError as error:
        raise StoreError(f"{name} could not be kept ({error.strerror}): nothing was added; free some space") from error


def _safe_stem(name: str) -> str:
    """What a file system accepts of a name: 255 bytes, including the suffix, a number and the draft's ending."""
    short = name.lstrip(".").encode("utf-8", "replace")[:180]
    return short.decode("utf-8", "ignore") or "picture"


def _free_path(folder: Path, name: str, content: bytes) -> Path:
    stem, suffix = _safe_stem(Path(name).stem), Path(name).suffix.lower()[:10]
    path, number = folder / f"{stem}{suffix}", 2
    while path.exists() and path.read_bytes() != content:
        path, number = folder / f"{stem}-{number}{suffix}", number + 1
    return path
