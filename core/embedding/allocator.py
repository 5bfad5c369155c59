"""Makes glibc reuse large blocks of memory for the next batch instead of returning them to the system after each.

A convolution's activations are tens of megabytes. glibc maps every block above 32 MB anew, and the kernel clears it
page by page; on the bundled model that costs more time than the arithmetic.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_BLOCK_BYTES = 1 << 30


def retain_large_blocks() -> bool:
    """Let glibc serve blocks up to 1 GB from its heap and retain freed ones; False without glibc."""
    mallopt = _glibc("mallopt")
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _BLOCK_BYTES)) and bool(mallopt(_M_TRIM_THRESHOLD, _BLOCK_BYTES))


def release_unused_memory() -> None:
    """Return freed memory to the system: otherwise every thread retains as much as its largest picture took."""
    malloc_trim = _glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _glibc(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
