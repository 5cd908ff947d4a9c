"""Random inputs that draw nothing from anybody's generator."""

from __future__ import annotations

import torch
from torch import Tensor


def normal_like(weight: Tensor, *shape: int) -> Tensor:
    """Standard normal values, always the same, in the dtype and on the device of `weight`."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).to(weight)
