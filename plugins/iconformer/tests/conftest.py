"""Small networks, adapters away from their start, and the adapter written out per sample.

Shapes: B batch, T tokens, D width, d rank, S tokens of the map or cloud, k taps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import onlay
from onlay.model.adapted import AdaptedModel
from onlay_iconformer.adapter import InputConditioned, Neighbourhood
from onlay_iconformer.config import IconformerConfig


@pytest.fixture(autouse=True)
def same_every_time() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def images() -> Tensor:
    """(2, 3, 8, 12): a map of two rows and three columns for core's small transformer."""
    return torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def timm_model(timm_model: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """`timm_model(name, img_size=32)`: a small form of a model of timm, no tensor at its start."""
    swin = {
        "embed_dim": 24,
        "depths": (1, 2),
        "num_heads": (2, 4),
        "window_size": 4,
        "drop_path_rate": 0,
    }
    sequence = {"embed_dim": 48, "num_heads": 3, "depth": 2}

    def make(name: str, **changes: Any) -> nn.Module:
        own = (swin if name.startswith("swin") else sequence) | {"img_size": 32, "num_classes": 0}
        return timm_model(name, **(own | changes))

    return make


@pytest.fixture(scope="session")
def adapt(host: onlay.PluginHost) -> Callable[..., AdaptedModel]:
    """`adapt(built, pool="cls", rank=4, ...)`: three classes; further keywords are iConFormer's."""

    def make(
        built: Any, *, pool: str = "mean", rank: int = 4, name: str = "default", seed: int = 0,
        **fields: Any,
    ) -> AdaptedModel:  # fmt: skip
        torch.manual_seed(seed)
        config = IconformerConfig(rank=rank, **fields)
        task = {"name": "classification", "pool": pool}
        return onlay.adapt(built, config, task=task, num_classes=3, name=name, host=host).eval()

    return make


@pytest.fixture
def adapters() -> Callable[[AdaptedModel], list[InputConditioned]]:
    """`adapters(model)`: one for each block."""
    return lambda model: [m for m in model.adapter.modules() if isinstance(m, InputConditioned)]


@pytest.fixture
def alone(randomize: Any) -> Callable[..., InputConditioned]:
    """`alone(Grid(2, 3, prefix=1), rank=2)`: one adapter of width 5, in float64, at random."""

    def make(layout: Any, *, width: int = 5, rank: int = 4, **fields: Any) -> InputConditioned:
        torch.manual_seed(0)
        config = IconformerConfig(rank=rank, **fields)
        near = None if "map" in layout.traits else Neighbourhood(config.neighbours)
        return randomize(InputConditioned(width, config, lambda: layout, near).double())

    return make


def nearest(centres_G3: Tensor, count: int) -> list[list[int]]:
    """For each group the groups from near to far, itself first, of equals the lower one."""
    rows = centres_G3.tolist()

    def order(own: int) -> list[int]:
        far = [sum((a - b) ** 2 for a, b in zip(rows[own], row, strict=True)) for row in rows]
        return sorted(range(len(rows)), key=lambda other: (other != own, far[other], other))

    return [order(own)[:count] for own in range(len(rows))]


@pytest.fixture(name="nearest")
def _nearest() -> Callable[[Tensor, int], list[list[int]]]:
    """`nearest(centres_G3, 4)`."""
    return nearest


def written(
    adapter: Any,
    x_BTD: Tensor,
    *,
    grid: tuple[int, int] | None = None,
    centres: Any = None,
    scale: float = 0.1,
    activation: Callable[[Tensor], Tensor] = F.relu,
    bounded: bool = True,
) -> Tensor:
    """Specification 1.3, steps 1 to 7, sample by sample: linear generator, bounded kernels, inner
    residual, prefix tokens that pass."""
    down, up, linear = adapter.down, adapter.up, adapter.generator.kernels
    rank, rows = down.out_features, []
    for number, x_TD in enumerate(x_BTD):
        z_Td = x_TD @ down.weight.T + down.bias
        size = grid[0] * grid[1] if grid else centres[number].shape[0]
        z_Pd, z_Sd = z_Td[:-size], z_Td[-size:]
        k_dk = (linear.weight @ z_Sd.mean(0) + linear.bias).view(rank, -1)
        if bounded:
            k_dk = torch.stack([k / max(1.0, sum(map(abs, k.tolist()))) for k in k_dk])
        if grid:
            side = {1: 1, 9: 3, 25: 5}[k_dk.shape[1]]
            map_dHW = z_Sd.T.reshape(rank, *grid)
            y_dHW = F.conv2d(
                map_dHW, k_dk.view(rank, 1, side, side), padding=side // 2, groups=rank
            )
            y_Sd = y_dHW.flatten(1).T
        else:
            near = nearest(centres[number], k_dk.shape[1])
            y_Sd = torch.stack([(z_Sd[group] * k_dk.T).sum(0) for group in near])
        a_Td = activation(torch.cat([z_Pd, y_Sd + z_Sd]))
        rows.append(scale * (a_Td @ up.weight.T + up.bias))
    return torch.stack(rows)


@pytest.fixture(name="written")
def _written() -> Callable[..., Tensor]:
    """`written(adapter, x_BTD, grid=(2, 3))` or `centres=...`."""
    return written
