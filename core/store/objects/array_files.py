"""Files of NumPy arrays, whose parts have checksums of their own (NPZ)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

# What NumPy and zipfile raise for a truncated, overwritten or foreign file; every part has a CRC.
DAMAGED_FILE_ERRORS = (BadZipFile, EOFError, KeyError, RuntimeError, ValueError, zlib.error)


def can_be_read(path: Path, check: Callable[[Mapping[str, NDArray[Any]], str], object]) -> bool:
    """Whether a file holds what `check` expects of its arrays and the version that it is named by."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            check(arrays, path.stem)
    except FileNotFoundError:  # an older version that was just deleted
        return True
    except (*DAMAGED_FILE_ERRORS, OSError):
        return False
    return True
