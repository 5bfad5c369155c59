"""Encoded images on their way to a browser."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO, Literal

ImageKind = Literal["thumbnail", "view", "original", "download", "bin"]
ImageOutcome = Literal["served", "not_found", "failed"]


@dataclass(frozen=True)
class ImageFile:
    """The bytes of an image file and the media type of the format that they decode as."""

    data: bytes = field(repr=False)
    media_type: str

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    @cached_property
    def etag(self) -> str:
        """A strong entity tag: equal tags mean equal bytes."""
        return f'"{hashlib.sha256(self.data).hexdigest()[:32]}"'


@dataclass(frozen=True)
class OriginalFile:
    """An original, open for reading at its start; its bytes were just verified. To be saved if it has a `file_name`.

    Whoever receives it closes `file`.
    """

    file: BinaryIO = field(repr=False)
    size: int
    media_type: str
    etag: str
    file_name: str = ""
