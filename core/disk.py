"""The disk: what its errors mean in plain words, and files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path

# Cause and advice. Libraries pass some errors on as text: only the number of the operating system error is stable.
_KNOWN = {
    errno.ENOSPC: ("the disk is full", "free some space, then run it again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then run it again"),
    errno.EROFS: ("the disk is read-only", "make it writable, or move the data with CONTACTSHEET_DATA"),
    errno.EACCES: ("access is denied", "grant access, or move the data with CONTACTSHEET_DATA"),
    errno.EMFILE: ("too many files are open", "raise the limit (ulimit -n), then run it again"),
}
DISK_IS_FULL = _KNOWN[errno.ENOSPC]


def is_full(error: OSError) -> bool:
    """Whether an error says that the disk, or one's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def cause_and_advice(error: BaseException) -> tuple[str, str] | None:
    """What happened and what to do about an error of the operating system; None for any other."""
    number, text = getattr(error, "errno", None), str(error)
    return next((known for code, known in _KNOWN.items() if code == number or f"os error {code})" in text), None)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole, or leave what was there; a pipe or device is written as it is.

    Raises OSError with the path as its `filename`.
    """
    path = path.resolve()
    draft = path.with_name(f".{path.name[:180]}.{uuid.uuid4().hex[:8]}.draft")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            write_durably(draft, content)
            draft.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        draft.unlink(missing_ok=True)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file that a power cut does not take back. Raises OSError; a part of it may remain then."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
