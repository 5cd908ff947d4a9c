"""Configurations of the paper's size, with recipes, as overrides of a run: `preset: ax2d_vitb`.

The authors published neither. 2D: the recipe of the code base that they seem to have started from,
Bi-AdaptFormer's (github.com/JieShibo/PETL-ViT, `binary_adapter`), and its scale for each task of
VTAB-1k. 3D: DAPT's recipe (github.com/LMD0311/DAPT), with the random rotation that the published
baselines suggest. That code steps its schedule once an epoch, a run of Onlay at every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Preset = Mapping[str, Any]

SCALES = {
    "caltech": 10.0,
    "cifar": 0.1,
    "clevr-count": 1.0,
    "clevr-dist": 0.1,
    "retinopathy": 1.0,
    "dmlab": 1.0,
    "dspr-loc": 1.0,
    "dspr-ori": 0.1,
    "dtd": 0.01,
    "eurosat": 1.0,
    "kitti": 1.0,
    "flowers": 1.0,
    "pets": 0.01,
    "camelyon": 1.0,
    "resisc45": 10.0,
    "snorb-azi": 1.0,
    "snorb-ele": 1.0,
    "sun397": 0.1,
    "svhn": 10.0,
}
"""`scale` by task: what Bi-AdaptFormer's authors chose, a place to start."""


def two_dimensions(scale: float = 1.0) -> dict[str, Any]:
    """On ViT-B/16: 171,393 parameters, 0.200 % of the backbone."""
    return {
        "modality": "image",
        "backbone": {"drop_path": 0.1},
        "method": {
            "base": "adaptformer",
            "experts": 16,
            "heads": 12,
            "rank": 64,
            "query_width": 8,
            "scale": scale,
        },
        "data": {"preprocess": {"normalize": "none"}},
        "train": {
            "epochs": 100,
            "warmup_epochs": 10,
            "warmup_lr": 1e-6,
            "batch_size": 64,
            "lr": 1e-3,
            "min_lr": 1e-5,
            "weight_decay": 1e-4,
            "filter_bias_and_bn": False,
            "clip_grad": None,
            "seed": 42,
        },
    }


LIBRARIES: Mapping[str, Mapping[str, Any]] = {
    "ax3d_uniform": {
        "base": "adaptformer",
        "experts": 16,
        "heads": 6,
        "rank": 64,
        "query_width": 8,
    },
    "ax3d_dapt": {"base": "dapt", "experts": 8, "heads": 4, "rank": 16, "query_width": 16},
}
"""The library of 2D, whose sub-tokens are as wide; and DAPT's experts. The published count, 1.88 %,
does not tell which it was, nor whether either."""

POOLS = {"ax3d_uniform": "cls+max", "ax3d_dapt": "cls+prompts+max"}
"""Point-MAE's head; DAPT's on ScanObjectNN."""


def three_dimensions(
    name: str, data: Mapping[str, Any], *, points: int, groups: int, drop_path: float, **own: Any
) -> dict[str, Any]:
    """One data set's row."""
    return {
        "modality": "points",
        "backbone": {
            "npoints": points,
            "groups": groups,
            "group_size": 32,
            "drop_path": drop_path,
            "freeze_bn": False,
        },
        "method": {**LIBRARIES[name], "position": "once", **own},
        "data": data,
        "task": {
            "name": "classification",
            "pool": POOLS[name],
            "hidden": [256, 256],
            "hidden_norm": "batch",
            "dropout": 0.5,
        },
        "train": {
            "epochs": 300,
            "warmup_epochs": 10,
            "warmup_lr": 1e-6,
            "batch_size": 32,
            "lr": 5e-4,
            "min_lr": 1e-6,
            "weight_decay": 0.05,
            "clip_grad": 10.0,
        },
    }


def scanobjectnn(name: str, variant: str, **row: Any) -> dict[str, Any]:
    """2,048 points in 128 groups, turned at random; trained on the whole training part."""
    own = {"variant": variant, "val_size": 0, "preprocess": {"augment": "rotate"}}
    return three_dimensions(name, {"name": "scanobjectnn", **own}, points=2048, groups=128, **row)


def modelnet40(name: str) -> dict[str, Any]:
    """1,024 points in 64 groups, scaled and shifted at random."""
    own = {"val_size": 0, "preprocess": {"augment": "scale_translate"}}
    data = {"name": "modelnet40", **own}
    return three_dimensions(name, data, points=1024, groups=64, drop_path=0.1, dropout=0.0)


PRESETS: Mapping[str, Preset] = {
    "ax2d_vitb": two_dimensions(),
    **{f"vtab1k-{task}": two_dimensions(scale) for task, scale in SCALES.items()},
    **{name: scanobjectnn(name, "pb_t50_rs", drop_path=0.3, dropout=0.2) for name in LIBRARIES},
    **{
        f"{name}-obj_bg": scanobjectnn(name, "obj_bg", drop_path=0.3, dropout=0.5)
        for name in LIBRARIES
    },
    **{f"{name}-modelnet40": modelnet40(name) for name in LIBRARIES},
}
