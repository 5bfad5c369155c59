"""Reduced precision: faster arithmetic whose agreement with float32 is measured by `make bench NAME=precision`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from core.errors import ModelUnavailable

Arithmetic = Callable[[], AbstractContextManager[Any]]


def with_precision(model: Any, precision: str, device: str) -> tuple[Any, Arithmetic]:
    """The model to use and the context to use it in.

    `bfloat16` computes products in bfloat16 and keeps float32 weights, `int8` quantises the weights of linear layers
    (dynamically, per tensor; processors only). Raises ModelUnavailable where the device cannot do it.
    """
    if precision == "bfloat16":
        return model, lambda: torch.autocast(device, dtype=torch.bfloat16)
    if precision == "int8":
        if device != "cpu":
            raise ModelUnavailable(f"CONTACTSHEET_PRECISION int8 runs on the processor, not on {device}: use bfloat16")
        return _quantised(model), nullcontext
    return model, nullcontext


def _quantised(model: Any) -> Any:
    from torch.ao.quantization import quantize_dynamic

    quantised = quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)  # type: ignore[no-untyped-call]
    for module in quantised.modules():
        if hasattr(module, "get_cast_dtype"):  # open_clip reads it off a weight, which a quantised layer hides
            module.get_cast_dtype = lambda: torch.float32
    return quantised
