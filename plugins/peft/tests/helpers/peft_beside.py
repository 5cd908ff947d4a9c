"""timm's models, small, with our tuners and plain peft's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import onlay

pytest.importorskip("onlay_image", reason="the backbones are timm's, which come with onlay-image")
timm = pytest.importorskip("timm", reason="comes with onlay-image")
import peft  # noqa: E402

COLUMN = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}
PYRAMID = {"img_size": 32, "window_size": 4, "embed_dim": 16, "depths": (1, 1), "num_heads": (2, 2)}
VIT, SWIN = ("vit_tiny_patch16_224", COLUMN), ("swin_tiny_patch4_window7_224", PYRAMID)
EVERY_LAYER = ["qkv.out", "attn.out", "fc1.out", "mlp.out"]
THEIR_LAYERS = ["qkv", "attn.proj", "fc1", "fc2"]

TUNERS = {
    "lora": ({"r": 4, "lora_alpha": 8}, peft.LoraConfig),
    "dora": ({"r": 4, "use_dora": True}, peft.LoraConfig),
    "oft": ({"r": 0, "oft_block_size": 4}, peft.OFTConfig),
    "boft": ({"boft_block_size": 4}, peft.BOFTConfig),
    "vera": ({"r": 4}, peft.VeraConfig),
    "loha": ({"r": 2}, peft.LoHaConfig),
    "lokr": ({"r": 2}, peft.LoKrConfig),
    "randlora": ({"r": 4}, peft.RandLoraConfig),
    "fourierft": ({"n_frequency": 16}, peft.FourierFTConfig),
}


def backbone(kind: tuple[str, dict[str, Any]], classes: int = 0) -> nn.Module:
    """The same weights every time, whatever the classifier; no norm that starts at zero."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = timm.create_model(kind[0], num_classes=0, **kind[1])
        model.reset_classifier(classes)
    with torch.no_grad():
        for vector in (p for p in model.parameters() if p.ndim == 1):
            vector.add_(0.1)
    return model.eval()


def ours(
    kind: Any, tuner: str, options: dict[str, Any], host: Any, sites: Any = EVERY_LAYER
) -> Any:
    torch.manual_seed(7)
    method = {"name": "peft", "tuner": "lora" if tuner == "dora" else tuner, "sites": sites}
    return onlay.adapt(backbone(kind), method | {"options": options}, num_classes=3, host=host)
