"""The paper's recipes as overrides of a run (arXiv:2403.11808 and its code).

The authors report the best epoch on the test part; a preset leaves `train.selection` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "vtab1k": {
        "modality": "image",
        "method": {"bottleneck": 8, "scale": 1.0},
        "data": {"preprocess": {"normalize": "half"}},
        "train": {
            "epochs": 100,
            "warmup_epochs": 10,
            "batch_size": 64,
            "lr": 1e-3,
            "min_lr": 1e-5,
            "weight_decay": 1e-4,
            "clip_grad": None,
        },
    },
    "full": {
        "modality": "image",
        "data": {"preprocess": {"augment": "random_resized_crop"}},
        "train": {
            "epochs": 100,
            "warmup_epochs": 20,
            "batch_size": 1024,
            "lr": 4e-3,  # 1e-3 for 256
            "weight_decay": 0.01,
            "clip_grad": None,
        },
    },
}
