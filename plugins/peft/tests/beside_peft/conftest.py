"""Photographs for timm's models."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor


@pytest.fixture
def photographs() -> Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(5))
