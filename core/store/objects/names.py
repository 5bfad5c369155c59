"""Collection names that are safe as a folder, a URL and a command line argument; paths as text."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from core.errors import CollectionError

_ALLOWED = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")
# A line break in a name could forge a line of a report; escapes and direction marks could change what a terminal shows.
_UNPRINTABLE = re.compile(r"[%\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SAFE = "/-_.~ !$&'()*+,;=:@[]{}^`|\"<>#?\\"


def is_collection_name(name: str) -> bool:
    """Whether a collection may have this name."""
    return _ALLOWED.match(name) is not None


def check_collection_name(name: str) -> str:
    """Return `name` if it is a valid collection name. Raises CollectionError otherwise."""
    if not is_collection_name(name):
        allowed = "1 to 63 of a-z, 0-9, - and _, starting with a letter or digit"
        raise CollectionError(f"{name!r} cannot name a collection: use {allowed}")
    return name


def path_to_uri(path: Path) -> str:
    """A path as one line of UTF-8 text; other bytes, control characters and `%` are percent-encoded."""
    raw = os.fsencode(path)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return quote_from_bytes(raw, safe=_SAFE)
    return _UNPRINTABLE.sub(lambda found: quote(found.group()), text)


def is_below(uri: str, root: str) -> bool:
    """Whether a uri is that of a root or of something in it."""
    return uri == root or uri.startswith(root.rstrip("/") + "/")


def uri_to_path(uri: str) -> Path:
    """The path of a uri from `path_to_uri`."""
    return Path(os.fsdecode(unquote_to_bytes(uri.encode("utf-8"))))
