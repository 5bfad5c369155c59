"""Replaces, creates and deletes sidecars only if they are what they were when they were read; whole or not at all."""

from __future__ import annotations

import os
import stat
import zlib
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from core.disk import cause_and_advice, write_durably
from core.errors import SidecarError
from core.ingest.metadata.xmp_packet import MAX_PACKET_BYTES

_DICTIONARY_BYTES = 32 * 1024  # as far as zlib looks back


def read_sidecar(path: Path) -> bytes | None:
    """What a sidecar holds; None if there is no such file.

    Raises SidecarError for what is no plain file, cannot be read, or is too large to be one.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise SidecarError("the sidecar is a link, not a plain file")
        with path.open("rb") as file:
            content = file.read(MAX_PACKET_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SidecarError(_explain(error)) from error
    if len(content) > MAX_PACKET_BYTES:
        raise SidecarError(f"the sidecar is larger than {MAX_PACKET_BYTES // 2**20} MiB")
    return content


def replace_sidecar(path: Path, before: bytes | None, after: bytes | None, draft: Path) -> None:
    """Let a sidecar that holds `before` hold `after`; None is no file. Its permissions stay.

    `draft` is a file beside it, for a moment. Raises SidecarError if it holds anything else by then, or is not written.
    """
    try:
        if after is None:
            _require(path, before)
            path.unlink()
            return
        write_durably(draft, after)
        if before is None:
            _create(draft, path)
        else:
            draft.chmod(stat.S_IMODE(path.lstat().st_mode))
            _require(path, before)
            draft.replace(path)
    except OSError as error:
        raise SidecarError(_explain(error)) from error
    finally:
        remove_draft(draft)


def remove_draft(draft: Path) -> None:
    """Delete a draft that a killed process left, where that is possible."""
    with suppress(OSError):  # a disk that is read-only by now keeps it
        draft.unlink(missing_ok=True)


def _create(draft: Path, path: Path) -> None:
    """Give a draft its name, never over a file that has appeared there."""
    try:
        os.link(draft, path)
    except FileExistsError as error:
        raise SidecarError("a sidecar has appeared there meanwhile") from error
    except OSError:  # a disk without hard links, such as exFAT
        if path.exists():
            raise SidecarError("a sidecar has appeared there meanwhile") from None
        draft.rename(path)


def _require(path: Path, before: bytes | None) -> None:
    if read_sidecar(path) != before:
        raise SidecarError("the sidecar was changed meanwhile")


def _explain(error: OSError) -> str:
    known = cause_and_advice(error)
    return known[0] if known else (error.strerror or type(error).__name__)


# -- what was there before ----------------------------------------------------------------------------------------


def content_hash(content: bytes) -> str:
    """SHA-256, 64 hexadecimal digits."""
    return sha256(content).hexdigest()


def pack(before: bytes, after: bytes) -> bytes:
    """`before`, compressed as what differs from `after`: a few dozen bytes for a few keywords more."""
    packer = zlib.compressobj(9, zdict=after[:_DICTIONARY_BYTES])
    return packer.compress(before) + packer.flush()


def unpack(packed: bytes, after: bytes) -> bytes:
    """What `pack` was given, by means of the same `after`."""
    unpacker = zlib.decompressobj(zdict=after[:_DICTIONARY_BYTES])
    return unpacker.decompress(packed) + unpacker.flush()
