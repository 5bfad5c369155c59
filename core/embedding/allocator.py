"""Keeps large blocks of memory for the next batch instead of handing them back to the system after each.

A convolution's activations are tens of megabytes. glibc gets every block above 32 MB anew from the kernel, which clears
it page by page; on the bundled model that costs more time than the arithmetic.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_BLOCK_BYTES = 1 << 30


def keep_large_blocks() -> bool:
    """Tell glibc to serve blocks up to 1 GB from its heap and to keep what is freed; False where there is no glibc."""
    mallopt = _glibc("mallopt")
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _BLOCK_BYTES)) and bool(mallopt(_M_TRIM_THRESHOLD, _BLOCK_BYTES))


def give_back_unused() -> None:
    """Hand freed memory back to the system: every thread keeps its own, however large the one picture it was for."""
    malloc_trim = _glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _glibc(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
