"""How far the logits of DAPT in training mode, in float32, are from those in float64.

    python benchmarks/exactness.py

Point-MAE's layout at full size with random weights, one batch of clouds in groups that are made
beforehand, no dropout. `rows` is `nn.BatchNorm1d` on rows (M, C), `channels` the layout of the
authors' code, convolutions and `nn.BatchNorm1d` on (B G, C, K); `here` is what is used.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

import onlay
from onlay.model.adapted import AdaptedModel
from onlay_pointcloud.network.mini_pointnet import MiniPointNet
from onlay_pointcloud.network.row_norm import RowNorm


def channels(encoder: MiniPointNet, patches_BGK3: Tensor) -> Tensor:
    """The authors' group encoder with the tensors of ours."""
    B, G, K, _ = patches_BGK3.shape
    x_MCK = _apply(encoder.first_conv, patches_BGK3.flatten(0, 1).transpose(1, 2))
    whole_MC1 = x_MCK.amax(2, keepdim=True)
    x_MCK = torch.cat([whole_MC1.expand(-1, -1, K), x_MCK], dim=1)
    return _apply(encoder.second_conv, x_MCK).amax(2).view(B, G, -1)


def _apply(layers: nn.Sequential, x_MCK: Tensor) -> Tensor:
    layer: Any = layers
    enter, norm, act, leave = layer
    return leave(act(nn.BatchNorm1d.forward(norm, enter(x_MCK.contiguous()))))


VARIANTS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "here": nullcontext,
    "rows": lambda: patch.object(RowNorm, "forward", nn.BatchNorm1d.forward),
    "channels": lambda: patch.object(MiniPointNet, "forward", channels),
}


def logits(model: AdaptedModel, clouds: Tensor) -> Tensor:
    with torch.no_grad():
        return copy.deepcopy(model).train()(clouds.to(next(model.parameters()).dtype)).double()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    batch = parser.parse_args().batch
    torch.manual_seed(0)
    method = {"name": "dapt", "dropout": 0.0}
    task = {"name": "classification", "dropout": 0.0}
    backbone = {"name": "point_mae", "pretrained": False, "npoints": 2048, "drop_path": 0.0}
    model = onlay.adapt(backbone, method, task=task, num_classes=15)
    with torch.no_grad():
        for name, parameter in model.trained_parameters().items():
            if "up." in name:
                parameter.normal_(std=0.02)
    clouds = torch.randn(batch, 2048, 3)
    exact = logits(copy.deepcopy(model).double(), clouds)
    print(f"{batch} clouds, logits up to {exact.abs().max():.2f}")
    for name, variant in VARIANTS.items():
        with variant():
            worst = (logits(model, clouds) - exact).abs().max()
        print(f"{name:10} {worst:.1e}")


if __name__ == "__main__":
    main()
