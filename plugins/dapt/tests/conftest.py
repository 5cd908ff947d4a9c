"""Small point networks and clouds; images need nothing but core's tiny backbone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import inlay
from inlay.adapted import AdaptedModel
from inlay.anatomy import BuiltBackbone
from inlay.testing import tiny_backbone
from inlay_dapt.config import DaptConfig

SMALL: dict[str, Any] = {
    "groups": 16, "group_size": 8, "width": 24, "depth": 2, "heads": 2, "embed": 24,
    "hidden": (8, 16, 32),
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def host() -> inlay.PluginHost:
    return inlay.PluginHost.discover()


@pytest.fixture
def points() -> Callable[..., BuiltBackbone]:
    """`points(depth=3)`: a small network of Point-MAE's layout, no tensor at zeros and ones."""
    pytest.importorskip("inlay_pointcloud", reason="point backbones come with inlay-pointcloud")
    from inlay_pointcloud.backbones.build import adopt
    from inlay_pointcloud.network.point_mae import PointMae

    def make(**changes: Any) -> BuiltBackbone:
        torch.manual_seed(0)
        model = PointMae(**(SMALL | changes))
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                if tensor.ndim < 2 and tensor.is_floating_point():
                    shift = 0.2 * torch.rand_like(tensor)
                    tensor.add_(shift if "var" in name else shift - 0.1)
        built = adopt(model.eval())
        assert built is not None
        return built

    return make


@pytest.fixture
def image_backbone() -> Callable[..., BuiltBackbone]:
    return tiny_backbone


@pytest.fixture
def clouds() -> Tensor:
    return torch.randn(3, 64, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def adapt(host: inlay.PluginHost) -> Callable[..., AdaptedModel]:
    """`adapt(built, pool="cls", rank=4, ...)`: three classes; further keywords are DAPT's."""

    def make(
        built: BuiltBackbone, *, pool: str = "cls+prompts+max", rank: int = 4, **fields: Any
    ) -> AdaptedModel:
        torch.manual_seed(0)
        config = DaptConfig(rank=rank, **fields)
        task = {"name": "classification", "pool": pool}
        return inlay.adapt(built, config, task=task, num_classes=3, host=host).eval()

    return make


@pytest.fixture
def randomize() -> Callable[[AdaptedModel], None]:
    """Put every adapter tensor away from where it starts."""

    def change(model: AdaptedModel) -> None:
        g = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for p in model.adapter.parameters():
                p.add_(0.2 * torch.randn(p.shape, generator=g))

    return change
