"""Reduced precision: faster arithmetic; its agreement with float32 is measured by `make bench NAME=precision`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from core.errors import ModelUnavailable

InferenceContext = Callable[[], AbstractContextManager[Any]]


def with_precision(model: Any, precision: str, device: str) -> tuple[Any, InferenceContext]:
    """The model to use and the context to run it in.

    `bfloat16` computes products in bfloat16 and keeps float32 weights, `int8` quantises the linear layers of
    transformer blocks (dynamically, per tensor; CPUs only). Raises ModelUnavailable if the device does not support it.
    """
    if precision == "bfloat16":
        return model, lambda: torch.autocast(device, dtype=torch.bfloat16)
    if precision == "int8":
        if device != "cpu":
            raise ModelUnavailable(f"CONTACTSHEET_PRECISION int8 runs on the processor, not on {device}: use bfloat16")
        return _quantised(model), nullcontext
    return model, nullcontext


def _quantised(model: Any) -> Any:
    from torch.ao.quantization import default_dynamic_qconfig, quantize_dynamic

    # Transformer blocks only: their inputs are normalised; a layer whose inputs are probabilities would lose them.
    blocks = {
        name: default_dynamic_qconfig
        for name, module in model.named_modules()
        if type(module) is torch.nn.Linear and ".resblocks." in f".{name}"
    }
    quantised = quantize_dynamic(model, blocks, dtype=torch.qint8)  # type: ignore[no-untyped-call]
    for module in quantised.modules():
        if hasattr(module, "get_cast_dtype"):  # open_clip reads it off a weight, which a quantised layer hides
            module.get_cast_dtype = lambda: torch.float32
    return quantised
