"""Phrases that are the same wherever clusters are spoken of."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from typing import Any


def counted(count: int, thing: str) -> str:
    """`1 picture`, `25,000 pictures`."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def quoted(text: str, most: int = 60) -> str:
    """A name in quotation marks, on one line, shortened if it is long."""
    line = " ".join(text.split())
    return f"‘{line if len(line) <= most else line[: most - 1].rstrip() + '…'}’"


def called(name: str) -> str:
    """A cluster by its name, where it has one."""
    return quoted(name) if name else "a cluster without a name"


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def as_json(data: Any) -> str:
    """Text from outside as JSON in one line; halves of characters, which cannot be sent, become question marks."""
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "replace").decode()


def one_line(text: str) -> str:
    """Text without line breaks, control characters and invisible marks that turn its direction."""
    return " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text).split())
