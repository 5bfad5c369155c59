"""Encoded images on their way to a browser."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

ImageKind = Literal["thumbnail", "view", "original", "download", "bin"]
ImageOutcome = Literal["served", "not_found", "failed"]


@dataclass(frozen=True)
class ImageFile:
    """The bytes of an image file and the media type of the format that they decode as; to be saved if it has a name."""

    data: bytes = field(repr=False)
    media_type: str
    file_name: str = ""

    @cached_property
    def etag(self) -> str:
        """A strong entity tag: equal tags mean equal bytes."""
        return f'"{hashlib.sha256(self.data).hexdigest()[:32]}"'
