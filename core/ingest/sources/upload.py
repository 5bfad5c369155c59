"""Files that were uploaded, stored whole in a folder beside the collections."""

from __future__ import annotations

from pathlib import Path

from core.errors import StoreError


def keep_upload(folder: Path, name: str, content: bytes) -> Path:
    """Write an upload as a whole, under its own name or a numbered one; the same content is kept once."""
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


def _stem_of(name: str) -> str:
    """What a file system takes of a name: 255 bytes, of which a suffix, a number and a draft's ending need some."""
    short = name.lstrip(".").encode("utf-8", "replace")[:180]
    return short.decode("utf-8", "ignore") or "picture"


def _free_path(folder: Path, name: str, content: bytes) -> Path:
    stem, suffix = _stem_of(Path(name).stem), Path(name).suffix.lower()[:10]
    path, number = folder / f"{stem}{suffix}", 2
    while path.exists() and path.read_bytes() != content:
        path, number = folder / f"{stem}-{number}{suffix}", number + 1
    return path
