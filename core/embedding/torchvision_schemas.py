"""Makes torchvision's pure-Python parts importable where its compiled part does not match the installed torch.

A torchvision wheel built for another torch build (CUDA beside CPU) fails at `import torchvision`, because it registers
fake kernels for operators that its library could not define. open_clip needs only its transforms, which are plain
Python. Declaring the two operators' schemas first lets that import succeed; a matching pair is left alone.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import torch

_SCHEMAS = {
    "torchvision::nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "torchvision::qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def declare_if_missing() -> None:
    """Declare torchvision's operators unless its compiled library does so itself. Safe to call again."""
    if "torchvision" in sys.modules or _compiled_part_loads():
        return
    for name, schema in _SCHEMAS.items():
        try:
            torch.library.define(name, schema)
        except RuntimeError as error:
            if "already" not in str(error) and "multiple times" not in str(error):
                raise


def _compiled_part_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return True  # not installed: let the import itself say so
    libraries = [p for folder in spec.submodule_search_locations for p in Path(folder).glob("_C.*")]
    libraries = [p for p in libraries if p.suffix in (".so", ".pyd")]
    try:
        for library in libraries:
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
    except OSError:
        return False
    return bool(libraries)
