"""Small backbones, and adapters away from where they start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import onlay
from onlay.model.adapted import AdaptedModel
from onlay.testing import tiny_backbone

Adapt = Callable[..., AdaptedModel]


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def move() -> Callable[[nn.Module], None]:
    """Put every tensor that trains away from where it starts."""

    def moved(module: nn.Module) -> None:
        g = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for p in module.parameters():
                if p.requires_grad:
                    p.add_(0.1 * torch.randn(p.shape, generator=g))

    return moved


@pytest.fixture(scope="session")
def adapt(host: onlay.PluginHost) -> Adapt:
    """`adapt(tuner="lora", options={...})`, in evaluation mode, on a tiny ViT or what is given."""

    def make(built: Any = None, **fields: object) -> AdaptedModel:
        torch.manual_seed(0)
        method = {"name": "peft", **fields}
        return onlay.adapt(built or tiny_backbone(), method, num_classes=3, host=host).eval()

    return make
