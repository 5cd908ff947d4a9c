"""The other process of tests: reads `[bundle, backbone]` lines, writes the output of each.

The inputs lie beside the bundle; `backbone` is null (the bundle says which) or what `made` takes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

import onlay
from onlay.batches import tensors_of

HOST = onlay.PluginHost.discover()


def outputs(folder: Path, backbone: dict[str, Any] | None) -> list[Any]:
    """Every tensor of the output, as lists."""
    model = onlay.load(folder, backbone=backbone and made(backbone), host=HOST)
    inputs = torch.load(folder.with_name("inputs.pt"), weights_only=True)
    with torch.no_grad():
        return [tensor.tolist() for tensor in tensors_of(model(inputs))]


def made(recipe: dict[str, Any]) -> nn.Module:
    """A timm model or a network for clouds, the same one every time."""
    torch.manual_seed(0)
    if "model_name" in recipe:
        import timm

        return timm.create_model(num_classes=0, **recipe)
    from onlay_pointcloud.network import point_mae

    arguments = dict(recipe)
    return getattr(point_mae, arguments.pop("cloud"))(**arguments)


if __name__ == "__main__":
    for line in sys.stdin:
        folder, backbone = json.loads(line)
        print(json.dumps(outputs(Path(folder), backbone)), flush=True)
