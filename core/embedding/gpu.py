"""The memory of the GPU that the model runs on."""

from __future__ import annotations

import sys
from typing import Any


def memory_bytes() -> tuple[int, int] | None:
    """(used, total) of the GPU that torch computes on, other programs' share included; None where it uses none.

    Loads no torch and touches no GPU that nothing here has touched before: that alone would take memory of it.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    free, total = torch.cuda.mem_get_info()
    return total - free, total
