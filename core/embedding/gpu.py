"""Memory of the GPU the model runs on."""

from __future__ import annotations

import sys
from typing import Any


def memory_bytes() -> tuple[int, int] | None:
    """(used, total) of the GPU that torch uses, including other programs' share; None if it uses none.

    Neither imports torch nor initializes the GPU: that alone would take memory.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    free, total = torch.cuda.mem_get_info()
    return total - free, total
