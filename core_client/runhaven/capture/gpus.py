"""Which GPUs this process computes on, as PyTorch knows once it has begun to."""

from __future__ import annotations

import sys
from typing import Any


def held_gpus() -> list[dict[str, Any]]:
    """Return `uuid` and `cuda_index` of each GPU on which PyTorch holds memory for this process.

    Neither imports PyTorch nor begins to use a GPU; nothing waits for one.
    """
    torch: Any = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return []
    return [
        {"uuid": f"GPU-{cuda.get_device_properties(index).uuid}", "cuda_index": index}
        for index in range(cuda.device_count())
        if cuda.memory_reserved(index)
    ]
