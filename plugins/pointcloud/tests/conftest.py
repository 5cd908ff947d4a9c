"""Small networks of Point-MAE's layout, clouds, and the authors' lists of tensors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from inlay.host import PluginHost
from inlay_pointcloud.network.point_mae import PointMae, ReCon

DATA = Path(__file__).parent / "data"
SMALL = {
    "groups": 16, "group_size": 8, "width": 48, "depth": 3, "heads": 3, "embed": 48,
    "hidden": (8, 16, 32),
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def host() -> PluginHost:
    return PluginHost.discover(only="pointcloud")


@pytest.fixture
def small() -> Callable[..., Any]:
    """`small(kind=ReCon, position="once")`: an evaluated network whose tensors, batch-norm
    statistics too, are all away from zeros and ones."""

    def make(kind: type[PointMae] = PointMae, **changes: Any) -> PointMae:
        torch.manual_seed(0)
        model = kind(**(SMALL | changes))  # type: ignore[arg-type]
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                if tensor.ndim < 2 and tensor.is_floating_point():
                    shift = 0.2 * torch.rand_like(tensor)
                    tensor.add_(shift if "var" in name else shift - 0.1)
        return model.eval()

    return make


@pytest.fixture
def recon_kind() -> type[ReCon]:
    return ReCon


@pytest.fixture
def clouds() -> Tensor:
    """(2, 64, 3), coordinates in [-1, 1]."""
    return 2 * torch.rand(2, 64, 3, generator=torch.Generator().manual_seed(1)) - 1


@pytest.fixture(scope="session")
def listed() -> Callable[[str], dict[str, tuple[int, ...]]]:
    """`listed("mae_ft")`: names and shapes in the order of an official checkpoint."""

    def read(name: str) -> dict[str, tuple[int, ...]]:
        lines = (DATA / f"{name}.txt").read_text().splitlines()
        pairs = [line.split(" ", 1) for line in lines]
        return {key: tuple(int(n) for n in shape.strip("(), ").split(",") if n.strip())
                for key, shape in pairs}  # fmt: skip

    return read
