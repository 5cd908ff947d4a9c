"""The authors' recipes as overrides of a run: `preset: fgvc-cub`, `preset: vtab1k-swin-cifar`.

Sources: the VTAB-1k, FGVC and Swin scripts of the authors' code, and for FGVC their answer in its
issue 1. For ViT no values by task were published for VTAB-1k: `vtab1k` is the script's default.
The scripts report the best epoch on the test part; a preset leaves `train.selection` alone.
The FGVC script adapts attention alone unless told otherwise: `method.sites=["attn.in"]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Preset = Mapping[str, Mapping[str, Any]]

FGVC_BY_TASK = {
    "cub": (1e-3, 0.05, 0.1, 0.1),
    "nabirds": (2e-4, 0.05, 0.1, 0.1),
    "flowers": (2.5e-3, 0.01, 0.1, 0.1),
    "dogs": (2.5e-4, 0.05, 0.1, 0.0),
    "cars": (5e-3, 0.05, 0.0, 0.1),
}
"""Learning rate, weight decay, dropout of the adapter and of the frozen network (issue 1 of the
authors' code). The latter acts on embedding and MLP; timm's `proj_drop_rate` on attention's
projection too."""

SWIN_VTAB_BY_TASK = {
    "cifar": (5e-3, 1e-2),
    "caltech": (3e-3, 5e-2),
    "dtd": (5e-3, 5e-2),
    "flowers": (5e-3, 5e-5),
    "pets": (1e-2, 5e-2),
    "svhn": (1e-2, 5e-2),
    "sun397": (5e-3, 5e-5),
    "camelyon": (5e-3, 5e-5),
    "eurosat": (3e-3, 0.0),
    "resisc45": (1e-2, 0.0),
    "retinopathy": (5e-3, 5e-5),
    "clevr-count": (2e-3, 5e-2),
    "clevr-dist": (1e-3, 5e-2),
    "dmlab": (5e-3, 1e-2),
    "kitti": (1e-2, 0.0),
    "dspr-loc": (1e-2, 0.0),
    "dspr-ori": (5e-3, 0.0),
    "snorb-azi": (1e-2, 5e-3),
    "snorb-ele": (1e-3, 5e-2),
}
"""Learning rate and weight decay (the authors' Swin script)."""


def training(lr: float, weight_decay: float) -> dict[str, Any]:
    """What all their scripts share; weight decay acts on every trained tensor."""
    return {
        "epochs": 100,
        "warmup_epochs": 10,
        "batch_size": 32,
        "eval_batch_size": 256,
        "lr": lr,
        "min_lr": 1e-6 * lr,
        "weight_decay": weight_decay,
        "filter_bias_and_bn": False,
        "clip_grad": 1.0,
        "seed": 42,
    }


def vtab1k(lr: float = 1e-2, weight_decay: float = 0.0, dropout: float = 0.1) -> dict[str, Any]:
    """The head starts at zero; images as the data set `vtab` prepares them."""
    return {
        "method": {"rank": 50, "dropout": dropout},
        "task": {"zero_head": True},
        "train": training(lr, weight_decay),
    }


def fgvc(
    lr: float = 5e-3, weight_decay: float = 1e-2, dropout: float = 0.1, frozen_dropout: float = 0.0
) -> dict[str, Any]:
    """As VTAB-1k, with dropout in the frozen network; images as the data set `fgvc` has them."""
    dropped = {"pos_drop_rate": frozen_dropout, "proj_drop_rate": frozen_dropout}
    backbone = {"backbone": {"model_kwargs": dropped}} if frozen_dropout else {}
    return vtab1k(lr, weight_decay, dropout) | backbone


def vtab1k_swin(lr: float, weight_decay: float) -> dict[str, Any]:
    """Adapter dropout is fixed at 0.5 in the authors' Swin code, whatever its script asks for."""
    return vtab1k(lr, weight_decay, dropout=0.5) | {"backbone": {"drop_path": 0.1}}


PRESETS: Mapping[str, Preset] = {
    "vtab1k": vtab1k(),
    "fgvc": fgvc(),
    **{f"fgvc-{task}": fgvc(*values) for task, values in FGVC_BY_TASK.items()},
    **{f"vtab1k-swin-{task}": vtab1k_swin(*values) for task, values in SWIN_VTAB_BY_TASK.items()},
}
