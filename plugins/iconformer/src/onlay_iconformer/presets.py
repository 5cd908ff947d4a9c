"""Recipes as overrides of a run: `preset: adaptformer`, and with normed kernels `preset: filter`.

The authors' hyper-parameters are not public. These are those of AdaptFormer's code
(github.com/ShoufaChen/AdaptFormer) as far as AdamW and the head can follow it, by DyT's code
(github.com/NUS-HPC-AI-Lab/Dynamic-Tuning), which trains the same adapters with AdamW.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ADAPTFORMER: Mapping[str, Any] = {
    "modality": "image",
    "task": {"name": "classification", "pool": "cls", "head_norm": "batch"},
    "train": {
        "epochs": 100,
        "warmup_epochs": 20,
        "batch_size": 128,
        "lr": 5e-4,  # 1e-3 for 256
        "weight_decay": 0.01,
        "clip_grad": None,
    },
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "adaptformer": ADAPTFORMER,
    "filter": {**ADAPTFORMER, "method": {"kernel_norm": "filter"}},
}
"""`filter`: with the norm of kernels that the same group's later code has (TADFormer)."""
