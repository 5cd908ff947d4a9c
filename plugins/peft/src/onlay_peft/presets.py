"""Adapters of usual sizes for `preset:`; they set nothing but the method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EVERY_LAYER = ["qkv.out", "attn.out", "fc1.out", "mlp.out"]

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "lora": {"method": {"tuner": "lora", "options": {"r": 8, "lora_alpha": 16}}},
    "dora": {
        "method": {
            "tuner": "lora",
            "sites": EVERY_LAYER,
            "options": {"r": 8, "lora_alpha": 16, "use_dora": True},
        }
    },
    "ia3": {
        "method": {
            "tuner": "ia3",
            "sites": ["qkv.out", "mlp.out"],
            "options": {"feedforward_modules": ["mlp.out"]},
        }
    },
    "oft": {
        "method": {
            "tuner": "oft",
            "sites": EVERY_LAYER,
            "options": {"r": 0, "oft_block_size": 32},
        }
    },
}
"""LoRA of rank 8 on q, k and v (294,912 parameters on ViT-B), DoRA and OFT on every layer of a
block, IA3 on the outputs of q, k and v and on the MLP's hidden units: its paper scales keys and
values alone, and timm keeps the three in one layer."""
