"""The other process of test_pairs: reads `[bundle, backbone]` lines, writes the logits of each.

The inputs lie beside the bundle; `backbone` is null (the bundle says which) or the arguments of
`timm.create_model`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

import inlay


def logits(folder: Path, backbone: dict[str, Any] | None) -> list[list[float]]:
    model = inlay.load(folder, backbone=None if backbone is None else timm_model(backbone))
    inputs = torch.load(folder.with_name("inputs.pt"), weights_only=True)
    with torch.no_grad():
        return model(inputs).tolist()


def timm_model(arguments: dict[str, Any]) -> nn.Module:
    import timm

    torch.manual_seed(0)
    return timm.create_model(num_classes=0, **arguments)


if __name__ == "__main__":
    for line in sys.stdin:
        folder, backbone = json.loads(line)
        print(json.dumps(logits(Path(folder), backbone)), flush=True)
